"""Pace of a source: files are read at the pace of their timestamps, and the real frame rate is watched."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from stcodec.stream.input.timeline import TICKS_PER_SECOND

_CATCH_UP_SECONDS = 1.0
"""Delay up to this is made up for; after a longer one the pace is counted from now."""


class Pacer:
    """Clock that says when a frame of a file is due."""

    def __init__(self) -> None:
        self._start: float | None = None

    def due(self, seconds: float, now: float) -> float:
        """Time at which a frame is due, on the clock of `now`; a time in the past means at once."""
        if self._start is None or now - (self._start + seconds) > _CATCH_UP_SECONDS:
            self._start = now - seconds
        return self._start + seconds


_SEEN = 30
_OFF = 0.15
"""Share by which a rate must be off before it counts as another."""
_USUAL = tuple(
    Fraction(*one)
    for one in ((24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1),
                (10, 1), (12, 1), (15, 1), (20, 1), (90, 1), (100, 1), (120, 1))
)  # fmt: skip
_NEAR = 0.02
_FALLBACK = Fraction(30)


def plausible(rate: Fraction | None) -> Fraction:
    """The container's frame rate, or 30 where it is missing or implausible."""
    return rate if rate is not None and 1 <= rate <= 240 else _FALLBACK


class FrameRateWatch:
    """Detector of changes of a source's frame rate, on which rate control depends."""

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate
        self._steps: deque[int] = deque(maxlen=_SEEN)

    @property
    def length(self) -> int:
        """Duration of a frame, in ticks."""
        return round(TICKS_PER_SECOND / self.rate)

    def see(self, step: int) -> bool:
        """Take the time between two frames; True if the rate is another from now on."""
        self._steps.append(step)
        if len(self._steps) < _SEEN:
            return False
        steps = sorted(self._steps)
        middle = steps[_SEEN // 2]
        # Not while it changes, nor when frames come irregularly: most steps agree.
        if middle <= 0 or steps[_SEEN // 4] < 0.8 * middle or steps[3 * _SEEN // 4] > 1.25 * middle:
            return False
        if abs(middle / self.length - 1) <= _OFF:
            return False
        self.rate = _nearest(TICKS_PER_SECOND / middle)
        self._steps.clear()
        return True


def _nearest(rate: float) -> Fraction:
    nearest = min(_USUAL, key=lambda one: abs(float(one) / rate - 1))
    return nearest if abs(float(nearest) / rate - 1) <= _NEAR else plausible(Fraction(round(rate * 1000), 1000))
