"""Tries encodes of parts of a video and measures them; knows what it has tried."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.round_trip import AsEncoded, Pair, RoundTrip
from stcodec.errors import VerifyError
from stcodec.matching.quality import PictureFormat, QualityMetric, Scorer
from stcodec.matching.reading import Reading, TriedFrame
from stcodec.matching.scan import Scan
from stcodec.matching.shots import FrameRange, Run, runs
from stcodec.media.planes import PlaneReader
from stcodec.media.seek import frames_from
from stcodec.pipeline.encode import Job
from stcodec.progress import Meter
from stcodec.types import Arrays, FloatArray, TimeArray

_FALLBACK_RATE = Fraction(25)

_Offsets = Callable[[TriedFrame], tuple[FloatArray | None, float, bool]]
"""A frame's offsets, what is added to them, and whether it must be a key frame."""


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredPart(Arrays):
    """A part, encoded."""

    values: TimeArray
    """[frames] as the metric pools them."""
    video_bytes: int
    """Of its frames."""


@dataclass
class Cost:
    """Encodes and frames that were spent."""

    encodes: int = 0
    """Runs of an encoder."""
    frames: int = 0
    """Frames that went through one."""


class TrialEncodes:
    """Encodes, decodes and measures; every result is per frame, as the metric pools it."""

    def __init__(self, job: Job, scan: Scan, quality: QualityMetric, meter: Meter) -> None:
        self.cost = Cost()
        self._job = job
        self._scan = scan
        self._quality = quality
        self._meter = meter
        self._reading = Reading(job, scan)
        video = job.reader.info
        pix_fmt = "yuv420p10le" if job.plan.bit_depth > 8 else "yuv420p"
        rate = video.frame_rate or _FALLBACK_RATE
        self._format = PictureFormat(video.width_px, video.height_px, pix_fmt, rate, video.display_height_px)
        self._known: dict[tuple[FrameRange, float, float], MeasuredPart] = {}

    def plain(self, plan: EncoderPlan, parts: Sequence[FrameRange]) -> tuple[TimeArray, int]:
        """Measure the plain encode of some parts, one after another; and its bytes of video."""
        found = self._encode("plain", plan, parts, lambda tried: (None, 0.0, False), "the quality to reach")
        return np.concatenate([found[part].values for part in parts]), sum(one.video_bytes for one in found.values())

    def guided(
        self,
        stage: str,
        plan: EncoderPlan,
        parts: Sequence[FrameRange],
        shift_qp: Mapping[FrameRange, float],
        what: str = "",
    ) -> dict[FrameRange, MeasuredPart]:
        """Measure each part, encoded with its offsets and a shift; parts that were tried so are looked up.

        stage, what: of the progress.
        """
        crf = float(plan.options["crf"])
        missing = [part for part in parts if (part, crf, shift_qp[part]) not in self._known]
        if missing:
            found = self._encode(stage, plan, missing, self._offsets(plan, missing, shift_qp), what)
            self._known |= {(part, crf, shift_qp[part]): one for part, one in found.items()}
        return {part: self._known[part, crf, shift_qp[part]] for part in parts}

    def finished(self, path: Path, parts: Sequence[FrameRange], later_seconds: float) -> TimeArray:
        """Measure a finished file, decoded; later_seconds: delay of its frames against the source's."""
        together = self._enter("compare", parts, "the file's quality")
        as_encoded = AsEncoded(self._job.plan)
        measured = []
        with closing(self._reading.runs([run.frames for run in together])) as readings:
            for run, tried in zip(together, readings, strict=True):
                from_seconds = self._scan.times[run.frames.first] + later_seconds
                with self._quality.scorer(self._format) as scorer, closing(frames_from(path, from_seconds)) as written:
                    pairing = _Pairing(self._format, scorer)
                    for one, there in zip(tried, islice(written, len(run.frames)), strict=True):
                        if abs(there.time - later_seconds - one.frame.time) > float(1 / self._format.rate):
                            raise VerifyError(f"the frame at {one.frame.time:.3f} s was not found in the file")
                        if run.measures(one.index):
                            pairing.expect(one)
                            pairing.push((as_encoded(one.frame), there))
                        self._meter.frame(one.frame.time, 0)
                    measured.append(scorer.finish())
        return np.concatenate(measured)

    def _enter(self, stage: str, parts: Sequence[FrameRange], what: str) -> list[Run]:
        together = runs(parts)
        self._meter.enter(stage, sum(len(run.frames) for run in together), what)
        return together

    def _offsets(self, plan: EncoderPlan, parts: Sequence[FrameRange], shift_qp: Mapping[FrameRange, float]) -> _Offsets:
        ends, shifts = [part.end for part in parts], [shift_qp[part] for part in parts]
        starts = {shot.frames.first for shot in self._scan.shots} if plan.shifts_crf else set()

        def offsets(tried: TriedFrame) -> tuple[FloatArray, float, bool]:
            # Frames of a lead are encoded like what they lead to.
            shift = shifts[bisect_right(ends, tried.index)]
            return self._reading.offsets(tried.blocks), shift, tried.index in starts

        return offsets

    def _encode(
        self, stage: str, plan: EncoderPlan, parts: Sequence[FrameRange], offsets: _Offsets, what: str
    ) -> dict[FrameRange, MeasuredPart]:
        together = self._enter(stage, parts, what)
        measured = dict[FrameRange, MeasuredPart]()
        with closing(self._reading.runs([run.frames for run in together])) as readings:
            for run, tried in zip(together, readings, strict=True):
                measured |= self._encode_run(plan, run, tried, offsets)
                self.cost.encodes += 1
                self.cost.frames += len(run.frames)
        return measured

    def _encode_run(
        self, plan: EncoderPlan, run: Run, tried: Iterator[TriedFrame], offsets: _Offsets
    ) -> dict[FrameRange, MeasuredPart]:
        trip, times = RoundTrip(plan), list[int]()
        with self._quality.scorer(self._format) as scorer:
            pairing = _Pairing(self._format, scorer)
            for one in tried:
                if run.measures(one.index):
                    pairing.expect(one)
                    times.append(one.frame.pts or 0)
                delta_qp, shift_qp, key = offsets(one)
                for pair in trip.send(one.frame, delta_qp, shift_qp, key=key):
                    pairing.push(pair)
                self._meter.frame(one.frame.time, trip.video_bytes)
            self._meter.now("the encoder's last frames")
            for pair in trip.flush():
                pairing.push(pair)
            measured, place = scorer.finish(), 0
        found = {}
        for part in run.parts:
            here = slice(place, place + len(part))
            found[part] = MeasuredPart(measured[here], sum(trip.sizes.get(pts, 0) for pts in times[here]))
            place += len(part)
        return found


class _Pairing:
    """Brings a frame, its decoded self and its density together."""

    def __init__(self, picture: PictureFormat, scorer: Scorer) -> None:
        self._scorer = scorer
        self._reference, self._distorted = PlaneReader(picture.pix_fmt), PlaneReader(picture.pix_fmt)
        self._densities: dict[int, FloatArray] = {}

    def expect(self, tried: TriedFrame) -> None:
        """Note that this frame is to be measured."""
        assert tried.frame.pts is not None
        self._densities[tried.frame.pts] = tried.density

    def push(self, pair: Pair) -> None:
        """A frame has come back."""
        original, decoded = pair
        assert original.pts is not None
        density = self._densities.pop(original.pts, None)
        if density is not None:
            self._scorer.push(self._reference(original), self._distorted(decoded), density)
