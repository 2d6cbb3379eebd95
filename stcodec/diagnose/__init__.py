"""Attention maps as a window on a model: what it looks at over time, and where its reasoning breaks."""

from stcodec.diagnose.inspect import inspect
from stcodec.diagnose.options import InspectOptions
from stcodec.diagnose.results import InspectReport

__all__ = ["InspectOptions", "InspectReport", "inspect"]
