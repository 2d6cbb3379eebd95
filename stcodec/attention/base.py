"""The one interface of all sources of attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stcodec.errors import AttentionError
from stcodec.types import BoolArray, Clip, ClipSpec, FloatArray, SaliencyTrack, TimeArray, VideoInfo


class AttentionSession(ABC):
    """A source at work on one video: clips go in, in order, and maps come out, possibly some clips later."""

    @abstractmethod
    def attend(self, clip: Clip) -> SaliencyTrack:
        """Take the next run of instants; return the maps that are known by now (perhaps none, T = 0).

        Over a whole video every instant that went in comes out exactly once, in order.
        """

    def finish(self) -> SaliencyTrack | None:
        """The maps still owed after the last clip; None if there are none."""
        return None


class AttentionSource(ABC):
    """Something that says where viewers look."""

    name: str
    """As the user writes it: "motion", "map:FILE"."""
    spec: ClipSpec
    """Input that the source needs."""
    lookahead_seconds: float = 0.0
    """Seconds past t that clips must reach before the map at t comes out."""

    @abstractmethod
    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises AttentionError if the source does not fit it."""

    def attend(self, clip: Clip) -> SaliencyTrack:
        """All maps of a clip that is a whole video."""
        session = self.open(clip.video)
        parts = [session.attend(clip), session.finish()]
        return concatenate([part for part in parts if part is not None])


def track(
    video: VideoInfo,
    source: str,
    pts: TimeArray,
    shot_starts: BoolArray,
    maps: FloatArray,
    looked_at: BoolArray | None = None,
    confidence: FloatArray | None = None,
) -> SaliencyTrack:
    """A SaliencyTrack for a video; maps [T, h, w] are clipped to [0, 1]. NaN is an error, never a silent uniform map."""
    if not np.isfinite(maps).all():
        raise AttentionError(f"{source}: the map at {pts[0]:.3f} s or after has values that are not finite")
    return SaliencyTrack(
        np.clip(maps, 0, 1).astype(np.float32, copy=False),
        pts,
        shot_starts,
        video.display_width_px,
        video.display_height_px,
        source,
        looked_at,
        confidence,
    )


class PromptSession(AttentionSession):
    """A session that answers each clip at once, with maps [T, h, w] that a function makes of it."""

    def __init__(self, video: VideoInfo, source: str, maps: Callable[[Clip], FloatArray]) -> None:
        self._video = video
        self._source = source
        self._maps = maps

    def attend(self, clip: Clip) -> SaliencyTrack:
        return track(self._video, self._source, clip.pts_seconds, clip.shot_starts, self._maps(clip))


class TimedMap(NamedTuple):
    """A saliency map [h, w] at a time."""

    pts_seconds: float
    starts_shot: bool
    saliency: FloatArray
    looked_at: bool = True
    confidence: float | None = None
    """Expected NSS; None = not known."""


def track_of(video: VideoInfo, source: str, maps: Sequence[TimedMap]) -> SaliencyTrack:
    """Maps of one shape, in order, as a track; see `track`."""
    return track(
        video,
        source,
        np.array([one.pts_seconds for one in maps], np.float64),
        np.array([one.starts_shot for one in maps], np.bool_),
        np.stack([one.saliency for one in maps]) if maps else np.empty((0, 1, 1), np.float32),
        np.array([one.looked_at for one in maps], np.bool_),
        _known([one.confidence for one in maps]),
    )


def timed_maps(found: SaliencyTrack) -> list[TimedMap]:
    """The maps of a track, one by one."""
    times, starts, looks = found.pts_seconds.tolist(), found.shot_starts.tolist(), found.looks.tolist()
    confidence = [None] * len(found) if found.confidence is None else found.confidence.tolist()
    return [TimedMap(*one) for one in zip(times, starts, found.saliency, looks, confidence, strict=True)]


def _known(values: Sequence[float | None]) -> FloatArray | None:
    """[T] float32; None if any is not known."""
    known = [one for one in values if one is not None]
    return np.array(known, np.float32) if len(known) == len(values) else None


def concatenate(tracks: Sequence[SaliencyTrack]) -> SaliencyTrack:
    """Tracks of one video, one after another in time, as one."""
    filled = [one for one in tracks if len(one)] or list(tracks[:1])
    return SaliencyTrack(
        np.concatenate([one.saliency for one in filled]),
        np.concatenate([one.pts_seconds for one in filled]),
        np.concatenate([one.shot_starts for one in filled]),
        filled[0].frame_width_px,
        filled[0].frame_height_px,
        filled[0].source,
        np.concatenate([one.looks for one in filled]),
        _known([one.confidence for part in filled for one in timed_maps(part)]),
    )
