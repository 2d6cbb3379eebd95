"""A search along QP for the place where a quality is what it shall be."""

from __future__ import annotations

from dataclasses import dataclass, field

_LONGEST_JUMP = 8.0
"""QP steps beyond what was measured: farther than that a straight line says little."""
_INNER_SHARE = 0.1
"""Of a bracket: a guess keeps so far from its ends, so that it becomes smaller in any case."""
_STEEPER = 4.0
"""A slope is believed if it is within this factor of the expected one."""
_NOISE = 3.0
"""Times the tolerance: how far two points must differ for their slope to count as much as the expected one."""
_BETWEEN = 3.0
"""Multiple of the tolerance that is near enough once the slope is known: a straight line does the rest."""


@dataclass
class Secant:
    """Finds where a difference of quality, which falls with QP, is zero: by straight lines through what was measured.

    Every point is asked for once. The difference is positive where the quality is better than it need be.
    """

    start: float
    """QP steps: where to measure first."""
    low: float
    high: float
    slope: float
    """Expected loss of quality for each step, > 0."""
    tolerance: float
    """A measured difference as small as this ends the search."""
    most: int
    """Points measured at most."""
    step: float = 0.05
    """Resolution, QP steps."""
    points: dict[float, float] = field(default_factory=dict)
    """Differences by QP."""

    def add(self, qp: float, difference: float) -> None:
        """Add what was measured at a point."""
        self.points[self.limited(qp)] = difference

    def next(self) -> float | None:
        """Next place to measure; None if enough is known, or if more can't be known."""
        if not self.points:
            return self.limited(self.start)
        between = _BETWEEN if len(self.points) > 1 else 1.0
        if len(self.points) >= self.most or abs(self.points[self._nearest()]) <= between * self.tolerance:
            return None
        guess = self.limited(self._crossing(_INNER_SHARE))
        return None if guess in self.points else guess

    def best(self) -> float:
        """Place where the difference is expected to be zero, or as near to that as the range allows."""
        return self.limited(self._crossing(0.0))

    def expected(self, qp: float) -> float:
        """The difference that is expected at a place."""
        nearest = min(self.points, key=lambda known: abs(known - qp))
        return self.points[nearest] - self.local_slope() * (qp - nearest)

    def local_slope(self) -> float:
        """Loss of quality for each step about the best place: as measured if points lie far enough apart, as expected
        if noise would decide."""
        nearby = sorted(self.points, key=lambda qp: abs(self.points[qp]))[:2]
        if len(nearby) < 2:
            return self.slope
        apart = nearby[1] - nearby[0]
        measured = (self.points[nearby[0]] - self.points[nearby[1]]) / apart
        trusted = apart**2 / (apart**2 + (_NOISE * self.tolerance / self.slope) ** 2)
        slope = self.slope + trusted * (measured - self.slope)
        return min(max(slope, self.slope / _STEEPER), self.slope * _STEEPER)

    def limited(self, qp: float) -> float:
        """The nearest place that can be tried."""
        return round(round(min(max(qp, self.low), self.high) / self.step) * self.step, 6)

    def _crossing(self, inner_share: float) -> float:
        """Place where the line through the two points around zero, or nearest to it, crosses zero."""
        better = max((qp for qp, difference in self.points.items() if difference >= 0), default=None)
        worse = min((qp for qp, difference in self.points.items() if difference < 0), default=None)
        if better is not None and worse is not None and better < worse:
            above, below = self.points[better], -self.points[worse]
            share = min(max(above / (above + below), inner_share), 1 - inner_share)
            return better + share * (worse - better)
        nearest = self._nearest()
        jump = self.points[nearest] / self.local_slope()
        return nearest + min(max(jump, -_LONGEST_JUMP), _LONGEST_JUMP)

    def _nearest(self) -> float:
        return min(self.points, key=lambda qp: abs(self.points[qp]))
