"""Frames in, the instants that a source of attention sees out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from av.video.frame import VideoFrame

from stcodec.media.decode import VideoReader
from stcodec.media.scaling import Thumbnailer
from stcodec.media.shots import mark_shots
from stcodec.media.vectors import VectorField
from stcodec.types import Clip, ClipSpec, VideoInfo

ShotMarker = Callable[[Iterable[VideoFrame], VideoInfo], Iterator[tuple[VideoFrame, bool]]]
"""Finds shots: each frame of a video with whether it begins one."""


class ClipMaker:
    """Turns frames into clips of one instant each: the first frame of every shot, then `maps_per_second`."""

    def __init__(self, video: VideoInfo, spec: ClipSpec) -> None:
        self._video = video
        self._spec = spec
        self._thumbnail = Thumbnailer(video, spec.thumbnail_side_px) if spec.thumbnail_side_px else None
        self._vectors = VectorField(video) if spec.motion_vectors else None
        # Half a frame early is nearer than half a frame late.
        self._slack_seconds = float(0.5 / video.frame_rate) if video.frame_rate else 0.0
        self._due_seconds = -np.inf

    def push(self, frame: VideoFrame, shot_starts: bool) -> Clip | None:
        """Take the next frame; a clip with T = 1 if it is an instant that the source must see, else None."""
        if self._vectors is not None:
            if shot_starts:
                self._vectors.restart()
            self._vectors.add(frame)
        if not shot_starts and frame.time < self._due_seconds - self._slack_seconds:
            return None
        self._due_seconds = self._next_due(frame.time, shot_starts)
        return Clip(
            video=self._video,
            pts_seconds=np.array([frame.time]),
            shot_starts=np.array([shot_starts]),
            thumbnails=None if self._thumbnail is None else self._thumbnail(frame)[None],
            motion_vectors=None if self._vectors is None else self._vectors.take()[None],
        )

    def _next_due(self, now: float, shot_starts: bool) -> float:
        if self._spec.maps_per_second <= 0:
            return float(np.inf)
        interval = 1 / self._spec.maps_per_second
        # Counted from the last due time, not from the frame taken, so that the mean rate is the one asked for.
        drifting = shot_starts or now - self._due_seconds > interval
        return (now if drifting else self._due_seconds) + interval


def instants(
    frames: Iterable[VideoFrame], video: VideoInfo, spec: ClipSpec, mark: ShotMarker | None = None
) -> Iterator[tuple[VideoFrame, bool, Clip | None]]:
    """Each frame, whether it begins a shot, and a clip of one instant if it is one that must be seen, else None.

    mark: finds shots; None = `mark_shots` if the spec asks for them, else the video is one shot.
    """
    maker = ClipMaker(video, spec)
    mark = mark or (mark_shots if spec.shots else _one_shot)
    for index, (frame, starts) in enumerate(mark(frames, video)):
        yield frame, starts, maker.push(frame, starts if spec.shots else index == 0)


def _one_shot(frames: Iterable[VideoFrame], video: VideoInfo) -> Iterator[tuple[VideoFrame, bool]]:
    yield from ((frame, index == 0) for index, frame in enumerate(frames))


def export_for(spec: ClipSpec) -> str:
    """Side data that the decoder must export (`VideoReader(export=...)`) for a source with this spec."""
    return "mvs" if spec.motion_vectors else ""


def read_clip(path: str | os.PathLike[str], spec: ClipSpec) -> Clip:
    """A whole video as one clip. Memory grows with the length of the video: for training and measuring."""
    with VideoReader(path, export=export_for(spec)) as reader:
        seen = instants(reader.frames(), reader.info, spec, mark_shots)
        clips = [clip for _, _, clip in seen if clip is not None]
    return join(clips)


def join(clips: list[Clip]) -> Clip:
    """Successive clips of one video as one."""
    first = clips[0]

    def stacked(name: str) -> np.ndarray | None:
        return None if getattr(first, name) is None else np.concatenate([getattr(clip, name) for clip in clips])

    return Clip(
        first.video,
        np.concatenate([clip.pts_seconds for clip in clips]),
        np.concatenate([clip.shot_starts for clip in clips]),
        stacked("thumbnails"),
        stacked("motion_vectors"),
    )
