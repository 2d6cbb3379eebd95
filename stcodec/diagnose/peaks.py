"""The ways that the peaks of a map take: what flows where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stcodec.diagnose.measures import Place
from stcodec.types import FloatArray

_MOST_PEAKS = 3
_LEAST_PEAK = 0.5
"""Of the highest: lower hills are no peaks."""
_PEAK_RADIUS_WIDTHS = 0.09
TRAIL_SECONDS = 1.0
_REACH_WIDTHS = 0.5
"""Frame widths a second: a peak that is farther off is another one."""
_LEAST_REACH_WIDTHS = 0.05


def peaks(saliency: FloatArray) -> list[Place]:
    """The highest places of a map, highest first: at most three, apart from each other, none below half the highest."""
    rows, cols = saliency.shape
    y, x = np.mgrid[:rows, :cols]
    left = saliency.astype(np.float32, copy=True)
    least = _LEAST_PEAK * float(left.max())
    found: list[Place] = []
    if float(left.max()) - float(left.min()) < 1e-6:
        return found
    while len(found) < _MOST_PEAKS and float(left.max()) >= max(least, 1e-6):
        row, col = np.unravel_index(int(left.argmax()), left.shape)
        if saliency[row, col] >= _around(saliency, int(row), int(col)).max():  # not the slope of one that was taken
            found.append(Place((float(col) + 0.5) / cols, (float(row) + 0.5) / cols))
        left[(x - col) ** 2 + (y - row) ** 2 <= (_PEAK_RADIUS_WIDTHS * cols) ** 2] = 0
    return found


@dataclass(frozen=True)
class Trail:
    """The way of one peak, oldest place first; the last is where it is."""

    seconds: tuple[float, ...]
    places: tuple[Place, ...]


class PeakTrails:
    """Follows the peaks of maps from instant to instant."""

    def __init__(self) -> None:
        self._trails: list[Trail] = []
        self._last_seconds = 0.0

    def see(self, seconds: float, starts_shot: bool, saliency: FloatArray) -> list[Trail]:
        """Take the next map; the ways of its peaks within the last second, the highest peak's first."""
        before = [] if starts_shot else self._trails
        reach = max(_LEAST_REACH_WIDTHS, _REACH_WIDTHS * (seconds - self._last_seconds))
        self._last_seconds, self._trails = seconds, []
        for place in peaks(saliency):
            nearest = min(before, key=lambda trail: _distance(trail.places[-1], place), default=None)
            if nearest is None or _distance(nearest.places[-1], place) > reach:
                self._trails.append(Trail((seconds,), (place,)))
                continue
            before = [trail for trail in before if trail is not nearest]
            first = next(index for index, at in enumerate((*nearest.seconds, seconds)) if at >= seconds - TRAIL_SECONDS)
            self._trails.append(
                Trail((*nearest.seconds, seconds)[first:], (*nearest.places, place)[first:]),
            )
        return self._trails


def _distance(one: Place, other: Place) -> float:
    return float(np.hypot(one.x_widths - other.x_widths, one.y_widths - other.y_widths))


def _around(grid: FloatArray, row: int, col: int) -> FloatArray:
    return grid[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
