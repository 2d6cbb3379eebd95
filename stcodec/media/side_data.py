"""Side data of decoded frames, as bytes."""

from __future__ import annotations

from typing import cast

from av.video.frame import VideoFrame


def side_data(frame: VideoFrame, name: str) -> bytes | None:
    """A frame's side data by libavutil's name ("DISPLAYMATRIX"); None if it carries none."""
    entry = frame.side_data.get(name)
    return None if entry is None else bytes(cast("bytes", entry))  # PyAV's stubs leave out that it is a buffer
