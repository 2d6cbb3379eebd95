"""The finished file against what was wanted: as a whole, shot by shot, and in its worst frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stcodec.encoders.plan import EncoderPlan
from stcodec.matching.options import MatchOptions
from stcodec.matching.scan import Scan
from stcodec.matching.shots import Shot, all_samples, compared_parts
from stcodec.matching.trial_encodes import TrialEncodes
from stcodec.media.packets import shown_times
from stcodec.metrics.fidelity import pool
from stcodec.types import BoolArray, TimeArray


@dataclass(frozen=True)
class Quality:
    """Quality of some frames, wanted and reached, in the metric's unit."""

    wanted: float
    reached: float

    @property
    def difference(self) -> float:
        """Positive = better than wanted."""
        return self.reached - self.wanted


@dataclass(frozen=True)
class Compared:
    """Comparison of a finished file with what was wanted."""

    whole: Quality
    shots: list[Quality | None]
    """None for a shot of which no frame was compared."""
    percentile_5: float
    """The quality that 95 % of the frames reach."""
    plain_percentile_5: float | None
    """The same of the plain encode; None if a value was wanted."""
    frames: int
    """Compared."""


class Reference:
    """Standard that a finished file is compared with, the plain encode or a value, and the frames for that."""

    def __init__(self, trials: TrialEncodes, scan: Scan, goal: MatchOptions) -> None:
        self._trials = trials
        self._scan = scan
        self._goal = goal
        samples = all_samples(scan.shots)
        if goal.verify == "full" or sum(map(len, samples)) == len(scan.times):
            self._parts = [shot.frames for shot in scan.shots]
        else:
            self._parts = compared_parts(scan.times, scan.shots)
        self._is_whole = sum(map(len, self._parts)) == len(scan.times)
        self._plain: TimeArray | None = None
        self.plain_bytes: int | None = None
        """Of the plain encode's video, if it was encoded whole."""

    def encode_plain(self, plan: EncoderPlan) -> TimeArray:
        """Measure the plain encode of all samples; for a video that is tried whole this is the comparison too."""
        samples = all_samples(self._scan.shots)
        measured, size = self._trials.plain(plan, samples)
        if samples == self._parts:
            self._plain, self.plain_bytes = measured, size if self._is_whole else None
        return measured

    def compare(self, path: Path, plan: EncoderPlan | None) -> Compared:
        """Measure a finished file; plan: the plain encode's, None if a value is wanted.

        Raises VerifyError or MediaError if the file can't be read as it should.
        """
        if plan is not None and self._plain is None:
            self._plain, size = self._trials.plain(plan, self._parts)
            self.plain_bytes = size if self._is_whole else None
        shown = shown_times(path)
        later = float(min(shown.pts) * shown.time_base) - self._scan.times[0]
        reached = self._trials.finished(path, self._parts, later)
        plain, quality, shots = self._plain, self._goal.quality, self._scan.shots
        return Compared(
            self._quality([shot for shot in shots if self._inside(shot).any()], reached),
            [self._quality([shot], reached) if self._inside(shot).any() else None for shot in shots],
            pool(quality.of_frames(reached).tolist()).percentile_5,
            None if plain is None else pool(quality.of_frames(plain).tolist()).percentile_5,
            len(reached),
        )

    def _inside(self, shot: Shot) -> BoolArray:
        """Mask of those frames compared that are in a shot."""
        index = np.concatenate([np.arange(part.first, part.end) for part in self._parts])
        return np.asarray((index >= shot.frames.first) & (index < shot.frames.end))

    def _quality(self, shots: Sequence[Shot], reached: TimeArray) -> Quality:
        weights = np.zeros(len(reached))
        for shot in shots:
            inside = self._inside(shot)
            weights[inside] = len(shot.frames) / inside.sum()
        pooled = self._goal.quality.pool
        wanted = self._goal.value if self._plain is None else pooled(self._plain, weights)
        assert wanted is not None
        return Quality(wanted, pooled(reached, weights))
