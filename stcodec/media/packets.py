"""What a file's packets say, without decoding them."""

from __future__ import annotations

from array import array
from fractions import Fraction
from pathlib import Path

import av

from stcodec.errors import MediaError
from stcodec.media.paths import display_name, local_url
from stcodec.media.probe import main_video


def video_times(path: Path) -> tuple[array[int], Fraction]:
    """The presentation times of the video's packets, in file order, and seconds per tick. Raises MediaError."""
    times = array("q")
    with av.open(local_url(path)) as container:
        stream = main_video(container)
        if stream is None or stream.time_base is None:
            raise MediaError(f"{display_name(path)}: has no video")
        times.extend(packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None)
        return times, stream.time_base


def video_bytes(path: Path) -> int:
    """The size of the video's packets, nothing else of the file. Raises MediaError."""
    with av.open(local_url(path)) as container:
        stream = main_video(container)
        if stream is None:
            raise MediaError(f"{display_name(path)}: has no video")
        return sum(packet.size for packet in container.demux(stream))


def library_versions() -> dict[str, str]:
    """PyAV and the ffmpeg libraries inside it, by name."""
    libraries = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    return {"av": av.__version__, "ffmpeg": str(av.ffmpeg_version_info), **libraries}
