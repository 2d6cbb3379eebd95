"""The ways that the peaks of a map take: what flows where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stcodec.diagnose.measures import Place, peaks
from stcodec.types import FloatArray

TRAIL_SECONDS = 1.0
_REACH_WIDTHS = 0.5
"""Frame widths a second: a peak that is farther off is another one."""
_LEAST_REACH_WIDTHS = 0.05


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
