"""Dead maps: flat, or frozen while the film goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.faults.drift import STILL_CAMERA
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

_FLAT = 0.02
"""Largest less least value of a map that singles out nothing."""
_FROZEN_PERCENT = 0.05
"""Share of the mass that moves in a map that stands still but for rounding."""
_LIVELY_PERCENT = 1.0
"""Share of the frame that must move for a map to have a reason to change."""

FAULT = Fault(
    name="dead",
    title="Dead map",
    definition=f"How long the map has been flat (its values span less than {_FLAT:g}) or frozen (less than "
    f"{_FROZEN_PERCENT:g} % of its mass moves) while the film went on (the camera moves, or {_LIVELY_PERCENT:g} % of the "
    "frame does).",
    unit="s",
    threshold=1.0,
    least_seconds=0.0,
    hint="check what the model is fed (size, colour order, range), its weights, or the file of maps; center is frozen by "
    "design",
)


def dead_seconds(series: Series) -> FloatArray:
    """[T] for how long the map has been dead by then."""
    seconds = series.seconds
    flat = series["contrast"] < _FLAT
    with np.errstate(invalid="ignore"):
        frozen = series["change_percent"] < _FROZEN_PERCENT
    lively = (series["moving_percent"] >= _LIVELY_PERCENT) | (series["camera_speed"] >= STILL_CAMERA)
    scores = np.zeros(len(series), np.float32)
    for now in range(1, len(series)):
        if flat[now] or (frozen[now] and lively[now]):
            scores[now] = scores[now - 1] + np.float32(seconds[now] - seconds[now - 1])
        elif frozen[now]:  # nothing to answer to
            scores[now] = scores[now - 1]
    return scores


def find(series: Series) -> list[Finding]:
    """The stretches with dead maps."""
    contrast, seconds = series["contrast"], series.seconds
    found = find_runs(FAULT, dead_seconds(series), seconds, "{value:.1f}")
    described = []
    for one in found:
        index = int(np.searchsorted(seconds, one.worst_seconds))
        what = "flat" if contrast[index] < _FLAT else "frozen while the film went on"
        start = max(float(seconds[0]), one.start_seconds - FAULT.threshold)
        described.append(replace(one, start_seconds=start, text=f"the map was {what} for {one.value:.1f} s"))
    return described
