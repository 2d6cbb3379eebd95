"""Frames from the middle of a file, with the times that `VideoReader.frames` gives them."""

from __future__ import annotations

import os
from collections.abc import Generator

from av.video.frame import VideoFrame

from stcodec.media.decode import PastEndError, VideoReader
from stcodec.view import WHOLE, View


def frames_from(
    path: str | os.PathLike[str], seconds: float, *, export: str = "", keep_partial: bool = True, view: View = WHOLE
) -> Generator[VideoFrame, None, None]:
    """The frames of a video from a time on; none if the video ends before. Close it to close the file.

    It seeks where the container's times can be trusted, and reads from the start where they can't. Damage is passed over,
    or without keep_partial raises MediaError.
    """
    try:
        reader = VideoReader(path, export=export, keep_partial=keep_partial, view=view, from_seconds=seconds)
    except PastEndError:
        return
    with reader:
        yield from reader.frames()


def frames_of(reader: VideoReader, seconds: float) -> Generator[VideoFrame, None, None]:
    """The frames of a reader's video from a time on, in its view, read once more; none if the video ends before."""
    return frames_from(reader.path, seconds, keep_partial=reader.keep_partial, view=reader.view)
