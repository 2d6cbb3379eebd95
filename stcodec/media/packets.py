"""Times and kinds of a file's packets, without decoding them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from stcodec.errors import MediaError
from stcodec.media.open_input import open_input
from stcodec.media.paths import display_name
from stcodec.media.probe import main_video
from stcodec.media.timeline import origin_of


@dataclass(frozen=True, eq=False)
class ShownTimes:
    """Times at which a player shows the frames of a video."""

    pts: array[int]
    """Of each frame, in file order, in ticks, as `VideoReader` counts; without those that an edit list hides."""
    keys: array[int]
    """Of those that decoding can begin at."""
    end: int
    """When the last is over, in ticks."""
    time_base: Fraction


def shown_times(path: Path, *, allow_playlists: bool = False) -> ShownTimes:
    """The presentation times of the video's packets. allow_playlists: of a playlist of our own. Raises MediaError."""
    times, keys, end = array("q"), array("q"), 0
    with open_input(path, allow_playlists=allow_playlists) as container:
        stream = main_video(container)
        if stream is None or stream.time_base is None:
            raise MediaError(f"{display_name(path)}: has no video", path=path)
        origin = round(origin_of(container, stream) / stream.time_base)
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_discard:
                time = packet.pts + origin
                times.append(time)
                if packet.is_keyframe:
                    keys.append(time)
                end = max(end, time + (packet.duration or 0))
        if stream.duration is not None:  # MP4 keeps lengths in decoding order: the last shown may have another's
            end = max(end, (stream.start_time or 0) + origin + stream.duration)
        return ShownTimes(times, keys, end, stream.time_base)


def video_bytes(path: Path) -> int:
    """The size of the video's packets, nothing else of the file. Raises MediaError."""
    with open_input(path) as container:
        stream = main_video(container)
        if stream is None:
            raise MediaError(f"{display_name(path)}: has no video", path=path)
        return sum(packet.size for packet in container.demux(stream))


def library_versions() -> dict[str, str]:
    """PyAV and the ffmpeg libraries inside it, by name."""
    libraries = {name: ".".join(map(str, number)) for name, number in av.library_versions.items()}
    return {"av": av.__version__, "ffmpeg": str(av.ffmpeg_version_info), **libraries}
