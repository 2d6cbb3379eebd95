"""The frames that are tried, each with its offsets and with the density that its error is weighted by."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from stcodec.attention.center import center_density
from stcodec.errors import MediaError
from stcodec.matching.scan import Scan
from stcodec.matching.shots import FrameRange
from stcodec.media.maps import MapReader
from stcodec.media.seek import frames_of
from stcodec.orientation import to_coded
from stcodec.pipeline.encode import Job
from stcodec.qp import MapTimeline, QpLaw
from stcodec.types import Arrays, FloatArray, SaliencyTrack

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MAP_SHARE = 0.5
"""Of the guiding map in the density; the rest is the centre prior. A map alone would judge itself."""


@dataclass(frozen=True, eq=False, repr=False)
class TriedFrame(Arrays):
    """A frame on its way to the encoder."""

    index: int
    """In the video."""
    frame: VideoFrame
    blocks: FloatArray
    """[rows, cols] saliency on the encoder's blocks."""
    density: FloatArray
    """[h, w] in coded orientation, > 0, any scale."""


def gaze_density(saliency: FloatArray, degrees: int) -> FloatArray:
    """[h, w] that errors are weighted by, in coded orientation: a map [h, w] as displayed, blended with the centre prior.

    Both parts sum to their shares. degrees: by which the frame is turned for display.
    """
    total = float(saliency.sum())
    own = saliency / total if total > 0 else np.full_like(saliency, 1 / saliency.size)
    blend = MAP_SHARE * own + (1 - MAP_SHARE) * center_density(*saliency.shape)
    return np.asarray(to_coded(blend, degrees), np.float32)


class MapStream:
    """Saliency and density of each frame, asked for in order of time: exactly those that the final encode takes."""

    def __init__(self, job: Job, scan: Scan, law: QpLaw) -> None:
        video = job.reader.info
        degrees = video.rotation_degrees
        holds = scan.source.spec.maps_per_second <= 0
        self._video, self._source = video, scan.source.name
        self._blocks = MapTimeline(holds=holds, reduce=lambda saliency: law.blocks(to_coded(saliency, degrees)))
        self._density = MapTimeline(holds=holds, reduce=lambda saliency: gaze_density(saliency, degrees))
        maps = (saliency for _, saliency in MapReader(scan.maps).maps())
        self._maps = zip(scan.map_times, scan.map_starts, maps, strict=True)

    def at(self, seconds: float) -> tuple[FloatArray, FloatArray]:
        """Saliency on the blocks, and the density, at a time."""
        while (blocks := self._blocks.at(seconds)) is None or (density := self._density.at(seconds)) is None:
            following = next(self._maps, None)
            for timeline in (self._blocks, self._density):
                timeline.end() if following is None else timeline.push(self._track(*following))
        return blocks, density

    def _track(self, seconds: float, starts: bool, saliency: FloatArray) -> SaliencyTrack:
        video = self._video
        sides = video.display_width_px, video.display_height_px
        return SaliencyTrack(saliency[None], np.array([seconds]), np.array([starts]), *sides, self._source)


class Reading:
    """Reads parts of a video, again and again."""

    def __init__(self, job: Job, scan: Scan) -> None:
        self._job = job
        self._scan = scan
        self._law = QpLaw(job.plan.grid, job.options.policy)
        self._in_order = job.reader.reads_from_start
        self.offsets: Callable[[FloatArray], FloatArray] = self._law.offsets
        """Offsets of blocks, QP steps, by their saliency."""

    def runs(self, parts: Sequence[FrameRange]) -> Generator[Iterator[TriedFrame], None, None]:
        """The frames of each part; take all of one before the next. Close it to close the file.

        Raises MediaError if a part can't be read again.
        """
        stream = MapStream(self._job, self._scan, self._law)
        for part, frames in self._parts(parts):
            yield self._tried(part, frames, stream)

    def _tried(self, part: FrameRange, frames: Iterator[VideoFrame], stream: MapStream) -> Iterator[TriedFrame]:
        index = part.first
        for frame in islice(frames, len(part)):
            yield TriedFrame(index, frame, *stream.at(frame.time))
            index += 1
        if index != part.end:
            seconds = self._scan.times[index]
            raise MediaError(f"{self._job.reader.name}: the frame at {seconds:.3f} s can't be read a second time")

    def _parts(self, parts: Sequence[FrameRange]) -> Iterator[tuple[FrameRange, Iterator[VideoFrame]]]:
        if self._in_order:
            with self._job.reopened().reader as reader:
                frames, place = reader.frames(), 0
                for part in parts:
                    yield part, islice(frames, part.first - place, None)
                    place = part.end
            return
        for part in parts:
            with closing(frames_of(self._job.reader, self._scan.times[part.first])) as frames:
                yield part, frames
