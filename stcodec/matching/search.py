"""The search itself: rounds of encodes of what has not yet the quality that it shall have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stcodec.errors import TargetError
from stcodec.matching.control import Control
from stcodec.matching.options import MOST_ENCODES, MatchOptions
from stcodec.matching.secant import Secant
from stcodec.matching.shots import Shot
from stcodec.matching.trial_encodes import TrialEncodes
from stcodec.types import Arrays, TimeArray

_SHARE_OF_TOLERANCE = 0.5
"""A shot that is so near on its samples is near enough: the file adds its own noise."""


@dataclass(frozen=True, eq=False, repr=False)
class Wanted(Arrays):
    """The qualities to reach."""

    units: list[float]
    """By unit of the control."""
    plain: TimeArray | None = None
    """Measurements of the plain encode on the frames of all samples, in order; None if a value is wanted."""


class Search:
    """Finds the QP of each unit of a control."""

    def __init__(self, trials: TrialEncodes, control: Control, goal: MatchOptions) -> None:
        self._trials = trials
        self.control = control
        self._goal = goal
        self._limits = goal.limits_qp(control.job.plan.encoder, control.base_crf)
        self.units = control.units
        self.secants: list[Secant] = []

    def wanted(self, plain: TimeArray | None) -> Wanted:
        """The quality each unit shall reach; plain: measured of all samples in order."""
        if plain is None:
            assert self._goal.value is not None
            return Wanted([self._goal.value] * len(self.units))
        ends = np.cumsum([sum(map(len, shot.samples)) for shot in self._shots()])
        by_shot = dict(zip(map(id, self._shots()), np.split(plain, ends[:-1]), strict=True))
        return Wanted([self._pooled(unit, [by_shot[id(shot)] for shot in unit]) for unit in self.units], plain)

    def run(self, wanted: Wanted, most: int = MOST_ENCODES, near: float | None = None, slope: float | None = None) -> None:
        """Try until every unit is near enough, or as often as allowed."""
        quality = self._goal.quality
        low, high = self._limits
        self.secants = [
            Secant(
                0.0,
                low,
                high,
                slope or quality.slope,
                (near or self._goal.near) * _SHARE_OF_TOLERANCE,
                most,
                self.control.step_qp,
            )
            for _ in self.units
        ]
        for number in range(1, most + 1):
            asked = {unit: qp for unit, secant in enumerate(self.secants) if (qp := secant.next()) is not None}
            if not asked:
                break
            self._round(number, most, asked, wanted)

    def best(self) -> list[float]:
        """The QP of each unit. Raises TargetError if what is wanted is out of reach."""
        for unit, secant in enumerate(self.secants):
            qp = secant.best()
            if qp <= secant.low and secant.expected(qp) < -self._goal.near:
                raise TargetError(self._out_of_reach(unit, secant))
        return [secant.best() for secant in self.secants]

    def tries(self, unit: int) -> int:
        """Encodes of a unit."""
        return len(self.secants[unit].points)

    def _round(self, number: int, most: int, asked: dict[int, float], wanted: Wanted) -> None:
        plan, shift = self.control.trial(asked)
        parts = sorted(shift, key=lambda part: part.first)
        measured = self._trials.guided(f"search {number}", plan, parts, shift, f"trial {number} of at most {most}")
        for unit, qp in asked.items():
            values = [np.concatenate([measured[sample].values for sample in shot.samples]) for shot in self.units[unit]]
            self.secants[unit].add(qp, self._pooled(self.units[unit], values) - wanted.units[unit])

    def _pooled(self, shots: Sequence[Shot], measured: Sequence[TimeArray]) -> float:
        """The quality of shots; each counts by its length, however much of it was tried."""
        weights = [
            np.full(len(values), len(shot.frames) / len(values)) for shot, values in zip(shots, measured, strict=True)
        ]
        return self._goal.quality.pool(np.concatenate(measured), np.concatenate(weights))

    def _shots(self) -> list[Shot]:
        return [shot for unit in self.units for shot in unit]

    def _out_of_reach(self, unit: int, secant: Secant) -> str:
        quality, times, shots = self._goal.quality, self.control.scan.times, self.units[unit]
        best = max(secant.points, key=lambda qp: secant.points[qp])
        start, end = times[shots[0].frames.first], times[shots[-1].frames.end - 1]
        lowest = self.control.base_crf + secant.low
        return (
            f"{self._goal.text} can't be reached: from {start:.2f} to {end:.2f} s the quality stays "
            f"{-secant.points[best]:.3g} {quality.unit} short of it at the lowest QP that is tried (as of crf {lowest:g}): "
            "nothing was encoded; ask for less, or use a slower preset"
        )
