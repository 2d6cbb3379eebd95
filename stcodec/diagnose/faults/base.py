"""Faults of attention, and their moments in a series of scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stcodec.diagnose.measures import Place
from stcodec.types import BoolArray, FloatArray, TimeArray

_GAP_SECONDS = 0.35
"""Moments nearer than this are one finding."""
STILL_CAMERA = 0.01
"""Frame widths a second: below it the camera stands."""


@dataclass(frozen=True)
class Fault:
    """A way in which attention fails, with the rule that finds it."""

    name: str
    """One word for JSON and pages: "drift"."""
    title: str
    definition: str
    """The measure, in a sentence."""
    unit: str
    threshold: float
    """Least value that is a fault, in that unit."""
    least_seconds: float
    """Least duration."""
    hint: str
    """Advice on what to try."""


@dataclass(frozen=True)
class Finding:
    """A fault that was found in a video."""

    fault: str
    start_seconds: float
    end_seconds: float
    worst_seconds: float
    """The moment to look at."""
    value: float
    """The score at that moment, in the fault's unit."""
    text: str
    """The observation, for people."""
    place: Place | None = None
    """Place in the frame, if it has one."""


def find_runs(fault: Fault, scores: FloatArray, seconds: TimeArray, text: str) -> list[Finding]:
    """The stretches of time with scores at the fault's threshold or above; NaN is below. text: with {value:...} in it."""
    with np.errstate(invalid="ignore"):
        high = scores >= fault.threshold
    found = []
    for first, last in runs(high, seconds):
        step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
        if seconds[last] - seconds[first] + step < fault.least_seconds - 1e-6:
            continue
        worst = first + int(np.nanargmax(np.where(high[first : last + 1], scores[first : last + 1], -np.inf)))
        value = float(scores[worst])
        found.append(
            Finding(
                fault.name,
                float(seconds[first]),
                float(seconds[last]),
                float(seconds[worst]),
                value,
                text.format(value=value),
            )
        )
    return found


def runs(marked: BoolArray, seconds: TimeArray) -> list[tuple[int, int]]:
    """(first, last) index of each stretch of marked instants; short gaps are passed over."""
    found: list[tuple[int, int]] = []
    for index in np.flatnonzero(marked).tolist():
        if found and (index == found[-1][1] + 1 or seconds[index] - seconds[found[-1][1]] <= _GAP_SECONDS):
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found
