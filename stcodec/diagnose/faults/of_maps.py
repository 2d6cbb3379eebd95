"""Faults of maps by themselves: diffusion, centre collapse, dead maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stcodec.diagnose.faults.base import STILL_CAMERA, Fault, Finding
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

DIFFUSION = Fault(
    name="diffusion",
    title="Diffusion",
    definition="Share of the frame that the map spreads over: 2^entropy of the map as a density, over its number of cells. "
    "100 % is uniform.",
    unit="% of the frame",
    threshold=75.0,
    least_seconds=0.5,
    hint="give the branch that is sharper more weight (neural:balance=0.3 or 0.7), use a shorter window "
    "(neural:window=0.4), or another source",
)

CENTRE = Fault(
    name="centre",
    title="Centre collapse",
    definition="Correlation of the map with the centre prior over its cells.",
    unit="correlation",
    threshold=0.95,
    least_seconds=1.0,
    hint="if what matters is not in the middle: give the other branch more weight (neural:balance=0.7), train with less "
    "centre bias, or use another source",
)

_FLAT = 0.02
"""Largest less least value of a map that singles out nothing."""
_FROZEN_PERCENT = 0.05
"""Share of the mass that moves in a map that stands still but for rounding."""
_LIVELY_PERCENT = 1.0
"""Share of the frame that must move for a map to have a reason to change."""

DEAD = Fault(
    name="dead",
    title="Dead map",
    definition=f"How long the map has been flat (its values span less than {_FLAT:g}) or frozen (less than "
    f"{_FROZEN_PERCENT:g} % of its mass moves) while the video went on (the camera moves, or {_LIVELY_PERCENT:g} % of the "
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


def describe_dead(series: Series, finding: Finding) -> Finding:
    """The finding with the way in which the map was dead; it begins when the map died."""
    contrast, seconds = series["contrast"], series.seconds
    index = int(np.searchsorted(seconds, finding.worst_seconds))
    how = "flat" if contrast[index] < _FLAT else "frozen while the video went on"
    start = max(float(seconds[0]), finding.start_seconds - DEAD.threshold)
    return replace(finding, start_seconds=start, text=f"the map was {how} for {finding.value:.1f} s")
