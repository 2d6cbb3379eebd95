"""CRFs of shots that together have a quality for the fewest bits, where blocks have no offsets.

Against a plain encode, the quality of each shot by itself leaves no choice then: its CRF would be the plain one. That of all
together does: bits go to the shots in which they buy most of it (Shoham and Gersho, "Efficient bit allocation for an
arbitrary set of quantizers", IEEE TASSP 36(9), 1988).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray

from stcodec.matching.control import Control
from stcodec.matching.options import MatchOptions
from stcodec.matching.trial_encodes import TrialEncodes
from stcodec.types import TimeArray

_REACH_CRF = 6.0
"""Steps either side of the plain encode's CRF; the ends are tried."""
_LEAST = 1e-9
"""Of what has a logarithm."""


class Allocation:
    """Search for the CRF of each shot, each encoded at three: the plain encode's, and the ends of the range."""

    def __init__(self, trials: TrialEncodes, control: Control, goal: MatchOptions, plain: TimeArray) -> None:
        """Encode the samples of all shots; plain: measured of the plain encode on all their frames, in order."""
        self.control = control
        self._pool = goal.quality.pool
        shots = control.scan.shots
        self._frames = np.array([len(shot.frames) for shot in shots], np.float64)
        low, high = goal.limits_qp(control.job.plan.encoder, control.base_crf)
        self.tried = sorted({max(low, -_REACH_CRF), 0.0, min(high, _REACH_CRF)})
        if len(shots) == 1:  # there is no other to take bits from, or to give them to
            self.tried = []
            return
        self._steps = np.arange(self.tried[0], self.tried[-1] + 1)
        measured = np.array([self._measured(trials, step) for step in self.tried])
        logs = np.log(np.maximum(measured.reshape(len(self.tried), -1), _LEAST))
        curves = polynomial.polyval(self._steps, polynomial.polyfit(self.tried, logs, len(self.tried) - 1))
        self._values, self._bytes = np.exp(curves).reshape(2, len(shots), -1)
        """[shots, steps] what the metric pools, and bytes."""
        counts = [sum(map(len, shot.samples)) for shot in shots]
        self._wanted = self._pool(plain, np.repeat(self._frames / counts, counts))

    def _measured(self, trials: TrialEncodes, step: float) -> list[list[float]]:
        """[2, shots] what the metric pools, on average, and bytes of all frames."""
        plan, shift = self.control.trial(dict.fromkeys(range(len(self._frames)), step))
        parts = sorted(shift, key=lambda part: part.first)
        found = trials.guided(f"crf {self.control.base_crf + step:g}", plan, parts, shift)
        values, sizes = list[float](), list[float]()
        for shot in self.control.scan.shots:
            samples = [found[sample] for sample in shot.samples]
            frames = sum(len(sample.values) for sample in samples)
            values.append(sum(float(sample.values.sum()) for sample in samples) / frames)
            sizes.append(sum(sample.video_bytes for sample in samples) / frames * len(shot.frames))
        return [values, sizes]

    def best(self) -> list[float]:
        """The step of each shot: up from the lowest, first where most bits are saved for what is lost."""
        if not self.tried:
            return [0.0]
        places = np.zeros(len(self._frames), np.int64)
        dearest = [self._next(shot, 0) for shot in range(len(places)) if len(self._steps) > 1]
        heapify(dearest)
        while dearest:
            gain, shot = heappop(dearest)
            if gain >= 0:  # curves through three points may rise again
                break
            places[shot] += 1
            if self._pooled(places) < self._wanted - _LEAST:
                places[shot] -= 1
            elif places[shot] + 1 < len(self._steps):
                heappush(dearest, self._next(shot, int(places[shot])))
        return [float(step) for step in self._steps[places]]

    def tries(self, unit: int) -> int:
        """Encodes of a shot."""
        return len(self.tried)

    def after(self, missed: float) -> list[float]:
        """The steps after a file whose quality was so much better than wanted."""
        if self.tried:
            self._wanted -= missed
        return self.best()

    def _next(self, shot: int, place: int) -> tuple[float, int]:
        """Bits saved by the next step of a shot for what it loses, negative; and the shot."""
        saved = self._bytes[shot, place] - self._bytes[shot, place + 1]
        lost = abs(self._values[shot, place + 1] - self._values[shot, place]) * self._frames[shot]
        return -float(saved) / max(float(lost), _LEAST), shot

    def _pooled(self, places: NDArray[np.int64]) -> float:
        return self._pool(self._values[np.arange(len(places)), places], self._frames)
