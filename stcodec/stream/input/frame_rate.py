"""The frame rate that a source has in truth."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from stcodec.stream.input.timeline import TICKS_PER_SECOND

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
    """The rate that a container says, or 30 where that can't be one of frames."""
    return rate if rate is not None and 1 <= rate <= 240 else _FALLBACK


class FrameRateWatch:
    """Tells when a source's frames come at another rate than they did: rate control reckons by it."""

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate
        self._steps: deque[int] = deque(maxlen=_SEEN)

    @property
    def length(self) -> int:
        """How long a frame lasts, ticks."""
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
