"""One pass over a video: its source of attention at work, and every map measured beside the video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stcodec.attention.base import AttentionSource
from stcodec.diagnose.content import THUMBNAIL_SIDE_PX, Content, ContentWatch
from stcodec.diagnose.map_files import GridFile
from stcodec.diagnose.series import MapWatch, Series
from stcodec.errors import AttentionError
from stcodec.media.clips import ShotMarker, export_for
from stcodec.media.decode import VideoReader
from stcodec.media.scaling import Thumbnailer
from stcodec.media.shots import mark_shots
from stcodec.pipeline.attend import attend
from stcodec.progress import Meter
from stcodec.types import ClipSpec, SaliencyTrack, VideoInfo
from stcodec.view import WHOLE, View

LEAST_RATE = ClipSpec(maps_per_second=5.0)
"""Least rate of maps that are measured, whatever the source wants. It sees what it would see without."""


@dataclass
class Attended:
    """A video's maps and their measures."""

    source: str
    video: VideoInfo
    series: Series
    maps: GridFile
    """Each instant's map as the source gave it, on the grid of the measures."""
    looked_at: list[bool] = field(default_factory=list)
    """Of each instant; see `SaliencyTrack.looked_at`."""
    confidence: list[float] = field(default_factory=list)
    """Of each instant; empty if the source can't tell. See `SaliencyTrack.confidence`."""
    frames: int = 0
    notes: list[str] = field(default_factory=list)
    """What was done to the video's times and pictures, and what of it can't be right."""

    def tracks(self) -> Iterator[SaliencyTrack]:
        """The maps again, one by one."""
        size = self.video.display_width_px, self.video.display_height_px
        for index, seconds in enumerate(self.series.seconds):
            times, starts = np.array([seconds], np.float64), self.series.starts[index : index + 1]
            yield SaliencyTrack(self.maps[index][None], times, starts, *size, self.source)


def measure(
    path: Path,
    source: AttentionSource,
    spec: ClipSpec,
    maps: GridFile,
    meter: Meter,
    keep_partial: bool,
    mark: ShotMarker = mark_shots,
    view: View = WHOLE,
) -> Attended:
    """Run a source over a video and measure its maps. spec: at least the source's and `LEAST_RATE`.

    mark: says of each frame whether it begins a shot.

    Memory grows by some hundred bytes an instant; the maps go to the file. Raises MediaError and AttentionError.
    """
    with VideoReader(path, export=export_for(source.spec), keep_partial=keep_partial, view=view) as reader:
        meter.now("making the first maps")
        run = _MapMeter(source, reader.info, maps)
        thumbnail = Thumbnailer(reader.info, THUMBNAIL_SIDE_PX)
        found: list[SaliencyTrack] = []
        for frame, starts, is_shown in attend(reader.frames(), reader.info, source, found.append, spec=spec, mark=mark):
            meter.frame(frame.time, 0)
            if is_shown:
                run.expect(frame.time, starts, thumbnail(frame))
            run.take(found)
        run.take(found)
        return run.done(reader.frames_read, reader.notes())


class _MapMeter:
    """Brings maps, which may come late, together with what the video did at their time."""

    def __init__(self, source: AttentionSource, video: VideoInfo, maps: GridFile) -> None:
        self._content = ContentWatch(video)
        self._watch = MapWatch(self._content.shape)
        self._waiting: deque[tuple[float, bool, Content]] = deque()
        self._attended = Attended(source.name, video, self._watch.series, maps)

    def expect(self, seconds: float, starts_shot: bool, thumbnail: np.ndarray) -> None:
        content = self._content.see(seconds, starts_shot, thumbnail)
        self._waiting.append((seconds, starts_shot, content))

    def take(self, tracks: list[SaliencyTrack]) -> None:
        """Measure the maps of some tracks, and empty the list."""
        maps = [saliency for track in tracks for saliency in track.saliency]
        self._attended.looked_at += [is_look for track in tracks for is_look in track.looks.tolist()]
        self._attended.confidence += [one for track in tracks if track.confidence is not None for one in track.confidence]
        tracks.clear()
        for saliency in maps:
            if not self._waiting:
                raise AttentionError(f"{self._attended.source} gave more maps than it was asked for")
            seconds, starts, content = self._waiting.popleft()
            self._attended.maps.append(self._watch.see(seconds, starts, saliency, content))

    def done(self, frames: int, notes: list[str]) -> Attended:
        if self._waiting:
            raise AttentionError(f"{self._attended.source} gave no map for the instant at {self._waiting[0][0]:.3f} s")
        self._attended.frames, self._attended.notes = frames, notes
        if self._attended.confidence:
            self._attended.series.add("confidence", np.array(self._attended.confidence, np.float32))
        return self._attended
