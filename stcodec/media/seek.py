"""Frames from the middle of a file, with the times that `VideoReader.frames` gives them."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

from av.video.frame import VideoFrame

from stcodec.media.decode import VideoReader

_STEPS_BACK_SECONDS = (0.0, 10.0)
"""A seek may land late: where the index is missing, or on an open GOP, whose first frames can't be decoded."""
_WITHOUT_CLOCK = ("avi", "h264", "hevc", "m4v", "mjpeg", "obu", "ivf", "image2", "rawvideo")
"""Demuxers whose times are counted or repaired: only reading from the start gives the same ones again."""

_ROUNDING_SECONDS = 0.0015
"""Matroska keeps milliseconds."""


def frames_from(
    path: str | os.PathLike[str], seconds: float, *, export: str = "", keep_partial: bool = True
) -> Generator[VideoFrame, None, None]:
    """The frames of a video from a time on; none if the video ends before. Close it to close the file.

    It seeks where the container's times can be trusted, and reads from the start where they can't. Damage is passed over,
    or without keep_partial raises MediaError.
    """
    for back in _STEPS_BACK_SECONDS:
        with VideoReader(path, export=export, keep_partial=keep_partial) as reader:
            if reads_from_start(reader):
                break
            frames = (frame for frame in reader.seek(seconds - back) if frame.pts is not None)
            first = _first(frames, seconds, _near_seconds(reader))
            if first is not None:
                yield first
                yield from frames
                return
    with VideoReader(path, export=export, keep_partial=keep_partial) as reader:
        near = _near_seconds(reader)
        yield from (frame for frame in reader.frames() if frame.time >= seconds - near)


def reads_from_start(reader: VideoReader) -> bool:
    """True if `frames_from` can't seek in such a file: several parts of it are better read in one go."""
    return reader.container.format.name in _WITHOUT_CLOCK


def _first(frames: Iterator[VideoFrame], seconds: float, near: float) -> VideoFrame | None:
    """The first frame from a time on; None if frames before it may be missing, because the seek went too far."""
    seen_before = False
    for frame in frames:
        if frame.time >= seconds - near:
            return frame if seen_before or frame.time <= seconds + near else None
        seen_before = True
    return None


def _near_seconds(reader: VideoReader) -> float:
    """Distance that two times of one frame may have: containers round them."""
    video = reader.info
    rounding = max(_ROUNDING_SECONDS, float(video.time_base) / 2)
    return min(rounding, float(0.5 / video.frame_rate)) if video.frame_rate else rounding
