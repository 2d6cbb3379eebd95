"""The one loop in which a source of attention sees a video: decode, find shots, show instants, take maps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stcodec.attention.base import AttentionSource
from stcodec.errors import MediaError
from stcodec.media.clips import ShotMarker, instants
from stcodec.orientation import to_coded
from stcodec.qp import MapTimeline
from stcodec.types import ClipSpec, FloatArray, SaliencyTrack, VideoInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass
class AttentionCounts:
    """Counts of what a source gave for a video."""

    maps: int = 0
    looks: int = 0
    """Pictures that the source looked at; see `SaliencyTrack.looked_at`."""
    shots: int = 0
    sure_maps: int = 0
    """Maps whose confidence is known; see `SaliencyTrack.confidence`."""
    confidence_sum: float = 0.0
    """Over those."""
    confidence_lowest: float = math.inf

    def take(self, track: SaliencyTrack) -> None:
        """Count the maps of a track; shots are not counted."""
        self.maps += len(track)
        self.looks += int(track.looks.sum())
        if track.confidence is not None and len(track):
            self.sure_maps += len(track)
            self.confidence_sum += float(track.confidence.sum())
            self.confidence_lowest = min(self.confidence_lowest, float(track.confidence.min()))

    def add(self, other: AttentionCounts) -> None:
        """Go on with the counts of the part of a video that follows."""
        for name in ("maps", "looks", "shots", "sure_maps", "confidence_sum"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.confidence_lowest = min(self.confidence_lowest, other.confidence_lowest)

    def confidence(self) -> tuple[float | None, float | None]:
        """Mean and lowest confidence; None if it is not known of every map."""
        if not self.maps or self.sure_maps < self.maps:
            return None, None
        return self.confidence_sum / self.sure_maps, self.confidence_lowest


def attend(
    frames: Iterable[VideoFrame],
    video: VideoInfo,
    source: AttentionSource,
    take: Callable[[SaliencyTrack], None],
    *,
    spec: ClipSpec | None = None,
    mark: ShotMarker | None = None,
) -> Iterator[tuple[VideoFrame, bool, bool]]:
    """Each frame, whether it begins a shot, and whether the source is shown it. Raises AttentionError and MediaError.

    take: receives the maps in order, some frames later, the last of them after the last frame.
    spec: what is shown; None = what the source asks for.
    mark: finds shots; None = `mark_shots`, if they make a difference to the source.
    """
    session = source.open(video)
    for frame, starts, clip in instants(frames, video, spec or source.spec, mark):
        if clip is not None:
            # On this very thread: whatever is decoded meanwhile would have to wait, in memory.
            take(session.attend(clip))
        yield frame, starts, clip is not None
    rest = session.finish()
    if rest is not None:
        take(rest)


def frames_with_maps(
    frames: Iterable[VideoFrame],
    video: VideoInfo,
    source: AttentionSource,
    reduce: Callable[[FloatArray], FloatArray] = lambda saliency: saliency,
    counts: AttentionCounts | None = None,
) -> Iterator[tuple[VideoFrame, FloatArray]]:
    """Each frame with its saliency in coded orientation, [h, w] or as reduced; frames wait until theirs is known.

    reduce: a linear function of a map in coded orientation, as `QpLaw.blocks` is, which makes it [rows, cols].
    Raises AttentionError and MediaError.
    """
    counts = counts or AttentionCounts()
    degrees = video.rotation_degrees
    holds = source.spec.maps_per_second <= 0
    timeline = MapTimeline(holds=holds, reduce=lambda saliency: reduce(to_coded(saliency, degrees)))
    waiting: deque[VideoFrame] = deque()

    def take(track: SaliencyTrack) -> None:
        counts.take(track)
        timeline.push(track)

    def ready() -> Iterator[tuple[VideoFrame, FloatArray]]:
        while waiting and (saliency := timeline.at(waiting[0].time)) is not None:
            yield waiting.popleft(), saliency

    for frame, starts, _ in attend(frames, video, source, take):
        counts.shots += starts
        waiting.append(frame)
        yield from ready()
    timeline.end()
    yield from ready()
    if waiting:
        raise MediaError(f"{source.name} gave no map for the frame at {waiting[0].time:.3f} s")
