"""Camera-motion leak: the map lights up with a pan."""

from __future__ import annotations

import numpy as np

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.faults.drift import STILL_CAMERA
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

_MOVING_CAMERA = 0.05
"""Frame widths a second: from here on the camera moves."""
_LEAST_STILL = 3
"""Instants with a still camera that it takes to know the usual level."""

FAULT = Fault(
    name="camera",
    title="Camera-motion leak",
    definition=f"How much higher the mean of the map is while the camera moves ({_MOVING_CAMERA:g} frame widths a second or "
    f"more) than its median while the camera stands (below {STILL_CAMERA:g}), in the same shot, or in the film if the shot "
    "has no such moment.",
    unit="% above the level at rest",
    threshold=50.0,
    least_seconds=0.3,
    hint="use a source that takes the camera's motion out (motion, neural), or give the spatial branch more weight "
    "(neural:balance=0.3)",
)


def leak_scores(series: Series) -> FloatArray:
    """[T] % above the level at rest; 0 while the camera does not move, NaN where the level at rest is not known."""
    level, speed = series["level"], series["camera_speed"]
    still = speed < STILL_CAMERA
    usual = _usual(level[still])
    scores = np.zeros(len(series), np.float32)
    for shot in series.shots():
        own = _usual(level[shot][still[shot]])
        rest = own if np.isfinite(own) else usual
        with np.errstate(invalid="ignore", divide="ignore"):
            rise = 100 * (level[shot] / np.float32(rest) - 1)
        scores[shot] = np.where(speed[shot] >= _MOVING_CAMERA, rise, 0)
    return scores


def _usual(levels: FloatArray) -> float:
    return float(np.median(levels)) if len(levels) >= _LEAST_STILL else float("nan")


def find(series: Series) -> list[Finding]:
    """The moments of leaking camera motion."""
    text = "the map as a whole is {value:.0f} % brighter than with a still camera"
    return find_runs(FAULT, leak_scores(series), series.seconds, text)
