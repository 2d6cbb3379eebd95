"""Arithmetic from saliency to QP offsets, on numpy arrays: no media and no model."""

from stcodec.qp.grid import BlockAverage
from stcodec.qp.law import QpLaw
from stcodec.qp.timeline import MapTimeline

__all__ = ["BlockAverage", "MapTimeline", "QpLaw"]
