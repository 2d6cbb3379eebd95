"""Recognition of videos by their content."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import av

from stcodec.errors import MediaError
from stcodec.media.open_input import open_input
from stcodec.media.playlists import playlist_format
from stcodec.media.probe import main_video

_CONTAINERS = (
    "asf", "avi", "dv", "flv", "gif", "gxf", "h264", "hevc", "ivf", "live_flv", "m4v", "matroska", "mov", "mpeg", "mpegts",
    "mpegvideo", "mxf", "nsv", "nut", "ogg", "rm", "wtv", "yuv4mpegpipe",
)  # fmt: skip
"""As libavformat calls them. Others are no videos (stills, audio, text), or name other files (playlists): not opened."""


@lru_cache(maxsize=100_000)
def holds_video(path: Path, size_bytes: int, mtime_ns: int) -> bool:
    """Whether a file holds moving pictures in a usual container. Its size and time are given so that a change is noticed."""
    try:
        if playlist_format(path):
            return False
        with open_input(path, options={"format_whitelist": ",".join(_CONTAINERS)}) as container:
            return main_video(container) is not None
    except (av.FFmpegError, MediaError, OSError, ValueError):
        return False
