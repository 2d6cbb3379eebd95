"""Trial encodes of parts of a video for `--ladder auto`: its quality where viewers look, by size and bitrate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stcodec.batch.ladder import SEGMENT_SECONDS, own_lines, placed_options
from stcodec.batch.ladder_choice import LadderTrial
from stcodec.batch.quality import WeightedErrors
from stcodec.encoders.round_trip import Pair, RoundTrip
from stcodec.matching.reading import Reading, TriedFrame
from stcodec.matching.scan import Scan, scan
from stcodec.matching.shots import FrameRange
from stcodec.media.scaling import Scaler
from stcodec.pipeline.encode import Job, rendition
from stcodec.progress import Meter
from stcodec.types import FloatArray, VideoInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_LINES = (4320, 2160, 1440, 1080, 720, 540, 432, 360, 288, 216, 144)
_MOST_SIZES = 6
_CRFS = (20.0, 28.0, 36.0)
"""Quality falls almost straight with the logarithm of the bitrate between them."""
_SECONDS_A_SAMPLE, _MOST_SAMPLES = 60.0, 3
"""A sample is one segment of the package, so that its key frame costs as much as there."""
_MEASURED_EVERY = 3


def measure_trials(job: Job, folder: Path) -> list[LadderTrial]:
    """Encode samples of a job's video in several sizes and qualities. Raises what `stcodec.encode` raises.

    folder: for the maps, which the source makes in one look at the whole video. Pictures are compared in the video's own
    size, as a player shows them.
    """
    seen = scan(job, folder, Meter(None, job.reader.info))
    samples = _samples(seen)
    options = placed_options(job.options, job.reader.info)
    trials: list[LadderTrial] = []
    for lines in sizes_of(job.reader.info):
        jobs = [rendition(job, replace(options, crf=crf), lines) for crf in _CRFS]
        trials += _try(jobs, seen, samples, lines)
    return trials


def sizes_of(video: VideoInfo) -> list[int]:
    """The sizes that are tried, in lines: the video's own and the usual ones below it."""
    own = own_lines(video)
    return [own, *(lines for lines in _LINES if lines < own)][:_MOST_SIZES]


def _samples(seen: Scan) -> list[FrameRange]:
    """Segments that begin with shots, evenly over the video."""
    times = np.asarray(seen.times)
    length = float(times[-1] - times[0])
    count = min(_MOST_SAMPLES, max(1, int(length / _SECONDS_A_SAMPLE)))
    starts = np.array([shot.frames.first for shot in seen.shots])
    chosen: list[FrameRange] = []
    for place in range(count):
        wanted = times[0] + length * (place + 0.5) / count - SEGMENT_SECONDS / 2
        first = int(starts[np.abs(times[starts] - wanted).argmin()])
        if not chosen or first >= chosen[-1].end:
            chosen.append(FrameRange(first, max(first + 1, int(np.searchsorted(times, times[first] + SEGMENT_SECONDS)))))
    return chosen


def _try(jobs: Sequence[Job], seen: Scan, samples: Sequence[FrameRange], lines: int) -> list[LadderTrial]:
    """Some qualities of one size, side by side."""
    video, reading = jobs[0].reader.info, Reading(jobs[0], seen)
    tries = [_TrialEncode(job, video) for job in jobs]
    with closing(reading.runs(samples)) as runs:
        for run in runs:
            for one in tries:
                one.begin()
            for number, tried in enumerate(run):
                offsets = reading.offsets(tried.blocks)
                for one in tries:
                    one.send(tried, offsets, is_measured=number % _MEASURED_EVERY == 0)
            for one in tries:
                one.end()
    seconds = sum(len(part) for part in samples) / float(video.frame_rate or 25)
    return [LadderTrial(lines, one.video_bytes * 8 / 1000 / seconds, one.errors.psnr_db) for one in tries]


class _TrialEncode:
    """One size and quality: encodes samples, decodes, enlarges, measures."""

    def __init__(self, job: Job, video: VideoInfo) -> None:
        self.video_bytes = 0
        self._job = job
        self._enlarge = Scaler(video.width_px, video.height_px, enlarges=True)
        self.errors = WeightedErrors(video)

    def begin(self) -> None:
        """Begin a sample."""
        self._trip = RoundTrip(self._job.plan)
        self._waiting: dict[int, tuple[VideoFrame, FloatArray]] = {}

    def send(self, tried: TriedFrame, offsets: FloatArray, *, is_measured: bool) -> None:
        """Encode the next frame of the sample."""
        frame, resize = tried.frame, self._job.resize
        assert frame.pts is not None
        if is_measured:
            self._waiting[frame.pts] = frame, tried.density
        self._measure(self._trip.send(frame if resize is None else resize(frame), offsets))

    def end(self) -> None:
        """End the sample."""
        self._measure(self._trip.flush())
        self.video_bytes += self._trip.video_bytes

    def _measure(self, pairs: Iterable[Pair]) -> None:
        for sent, decoded in pairs:
            assert sent.pts is not None
            original, density = self._waiting.pop(sent.pts, (None, None))
            if original is not None and density is not None:
                self.errors.add(original, self._enlarge(decoded), density)
