"""Faults by what is under the map: places that only flicker, a camera that moves."""

from __future__ import annotations

import numpy as np

from stcodec.diagnose.faults.base import STILL_CAMERA, Fault
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

_LEAST_LIFT = 1.5
"""Times their share of the frame that such places must draw: what flickers everywhere draws nothing."""

BACKGROUND = Fault(
    name="background",
    title="Background fixation",
    definition="Share of the map's mass on places where the picture has kept changing (by over 5 grey levels a step) in a "
    "way that no motion explains and that leads nowhere; counted from "
    f"{_LEAST_LIFT:g} times those places' share of the frame.",
    unit="% of the map's mass",
    threshold=35.0,
    least_seconds=0.5,
    hint="give the spatial branch more weight (neural:balance=0.3), or blend with a source that knows no motion "
    "(0.7*neural+0.3*center)",
)


def background_scores(series: Series) -> FloatArray:
    """[T] % of the map's mass; 0 where the places draw no more than their share."""
    scores = np.where(series["background_lift"] >= _LEAST_LIFT, series["background_percent"], 0)
    return scores.astype(np.float32)


_MOVING_CAMERA = 0.05
"""Frame widths a second: from here on the camera moves."""
_LEAST_STILL = 3
"""Instants with a still camera that it takes to know the usual level."""

CAMERA = Fault(
    name="camera",
    title="Camera-motion leak",
    definition=f"How much higher the mean of the map is while the camera moves ({_MOVING_CAMERA:g} frame widths a second or "
    f"more) than its median while the camera stands (below {STILL_CAMERA:g}), in the same shot, or in the video if the shot "
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
