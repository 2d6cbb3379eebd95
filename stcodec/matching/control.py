"""Quantity that a search varies: the QP of each shot, or one crf where an encoder can't shift whole frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from stcodec.encoders.hdr import hdr_metadata
from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.matching.scan import Scan
from stcodec.matching.shots import FrameRange, Shot
from stcodec.pipeline.encode import Job

_SAME_INSTANT_SECONDS = 1e-6
_STEP_QP = 0.05
"""Finer than that the noise of an encode hides the difference."""


class Control(ABC):
    """Turns QP steps into encodes. QP is counted from the base crf."""

    name: Literal["shots", "file"]
    step_qp: float

    def __init__(self, job: Job, scan: Scan) -> None:
        self.job = job
        self.scan = scan
        assert job.options.crf is not None
        self.base_crf = job.options.crf

    @property
    @abstractmethod
    def units(self) -> list[list[Shot]]:
        """Shots that have one QP in common."""

    @abstractmethod
    def trial(self, qp: Mapping[int, float]) -> tuple[EncoderPlan, dict[FrameRange, float]]:
        """The plan, and the shift of each sample, that give units (by their place) those QPs."""

    @abstractmethod
    def final(self, qp: Sequence[float]) -> Job:
        """The job that gives all units their QPs."""


class ShotControl(Control):
    """Each shot has a shift of its own, added to the offsets of all its blocks, or to its CRF."""

    name = "shots"

    def __init__(self, job: Job, scan: Scan) -> None:
        super().__init__(job, scan)
        self.step_qp = 1.0 if job.plan.shifts_crf else _STEP_QP

    @property
    def units(self) -> list[list[Shot]]:
        return [[shot] for shot in self.scan.shots]

    def trial(self, qp: Mapping[int, float]) -> tuple[EncoderPlan, dict[FrameRange, float]]:
        return self.job.plan, {sample: qp[unit] for unit in qp for sample in self.scan.shots[unit].samples}

    def final(self, qp: Sequence[float]) -> Job:
        starts = np.array([self.scan.times[shot.frames.first] for shot in self.scan.shots])

        def shift(seconds: float) -> float:
            place = int(np.searchsorted(starts, seconds + _SAME_INSTANT_SECONDS, side="right")) - 1
            return qp[max(0, place)]

        def begins(seconds: float) -> bool:
            return self.job.plan.shifts_crf and bool(np.abs(starts - seconds).min() < _SAME_INSTANT_SECONDS)

        return replace(self.job, source=self.scan.source, shift=shift, begins=begins)


class FileControl(Control):
    """One crf for all."""

    name = "file"

    def __init__(self, job: Job, scan: Scan) -> None:
        super().__init__(job, scan)
        self.step_qp = 1.0 if job.plan.encoder.whole_crf else _STEP_QP

    @property
    def units(self) -> list[list[Shot]]:
        return [self.scan.shots]

    def trial(self, qp: Mapping[int, float]) -> tuple[EncoderPlan, dict[FrameRange, float]]:
        samples = [sample for shot in self.scan.shots for sample in shot.samples]
        return self.job_at(self.base_crf + qp[0]).plan, dict.fromkeys(samples, 0.0)

    def final(self, qp: Sequence[float]) -> Job:
        return replace(self.job_at(self.base_crf + qp[0]), source=self.scan.source)

    def job_at(self, crf: float) -> Job:
        """The job with another crf."""
        reader = self.job.reader
        options = replace(self.job.options, crf=crf)
        return replace(self.job, options=options, plan=make_plan(options, reader.info, hdr_metadata(reader.first_frame)))
