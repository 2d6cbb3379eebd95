"""The one way in which files are opened to be read: they can't name other files, nor ask for more than the limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from io import BytesIO
from types import MappingProxyType
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.format import ContainerFormat

from stcodec.errors import MediaError
from stcodec.media.limits import Limits, limits
from stcodec.media.paths import display_name, file_error, local_url
from stcodec.media.playlists import check_playlist, playlist_format
from stcodec.media.probe import main_video

_NAMING_OTHERS = frozenset(
    {"hls", "concat", "concatf", "dash", "imf", "webm_dash_manifest", "avisynth", "vapoursynth"}  # lists of files
    | {"sdp", "rtp", "rtsp", "sap"}  # descriptions of what comes by a network
    | {"vobsub", "mlv", "dvdvideo"}  # which go on in files beside them
    | {"lavfi", "alsa", "fbdev", "iec61883", "jack", "kmsgrab", "openal", "oss", "pulse", "sndio"}
    | {
        "v4l2",
        "video4linux2",
        "video4linux2,v4l2",
        "x11grab",
        "xcbgrab",
        "libdc1394",
        "decklink",
        "avfoundation",
        "dshow",
        "gdigrab",
        "vfwcap",
    }
)
"""Demuxers that open more than the one file, as libavformat calls them; devices, too."""


@cache
def demuxers() -> str:
    """Demuxers that read one file and nothing else, as libavformat's `format_whitelist`."""
    names = {one for name in av.formats_available for one in (name, *name.split(","))}
    return ",".join(sorted(name for name in names - _NAMING_OTHERS if _is_input(name)))


def _is_input(name: str) -> bool:
    with suppress(ValueError):
        return ContainerFormat(name).is_input
    return False


def open_input(
    source: str | os.PathLike[str] | bytes,
    *,
    name: str | None = None,
    what: str = "not a media file that can be opened",
    options: Mapping[str, str] = MappingProxyType({}),
    allow_playlists: bool = False,
    is_live: bool = False,
) -> InputContainer:
    """Open a file, or the content of one, to be read.

    name: of the file, in messages; what: what it is not when it can't be opened; options: libav's; allow_playlists: it is
    a playlist of our own; is_live: a playlist may have no end. Raises MediaError.
    """
    allowed = limits()
    shown = display_name(source) if name is None and not isinstance(source, bytes) else display_name(name or "")
    playlist = None if isinstance(source, bytes) else playlist_format(source)
    if playlist and not (allow_playlists or allowed.allow_playlists):
        raise MediaError(f"{shown}: names other files ({playlist}): --allow-playlists opens them", path=shown)
    if playlist and not isinstance(source, bytes):
        check_playlist(source, may_grow=is_live)
    settings = {
        # pattern_type: "%d" in the name of a picture is no pattern for several.
        **{"pattern_type": "none", "format_whitelist": demuxers(), "protocol_whitelist": "file"},
        **allowed.decoder_options,
        **options,
    }
    if playlist:
        settings["format_whitelist"] += f",{playlist}"
        settings |= {"safe": "0"} if playlist == "concat" else {}  # who allows playlists allows absolute paths
    place: str | BinaryIO = BytesIO(source) if isinstance(source, bytes) else local_url(source)
    try:
        container = av.open(place, "r", format=playlist, options=settings, metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise file_error(name if isinstance(source, bytes) else source, what, error) from None
    try:
        check_limits(container, shown, allowed)
    except BaseException:
        container.close()
        raise
    return container


def check_limits(container: InputContainer, shown: str, allowed: Limits) -> None:
    """Raise MediaError for a file that asks for more than the limits allow. shown: its name."""

    def refuse(what: str, most: str, flag: str) -> None:
        raise MediaError(f"{shown}: {what}: at most {most} allowed; {flag} allows more")

    if len(container.streams) > allowed.max_streams:
        refuse(f"has {len(container.streams)} streams", f"{allowed.max_streams} are", "--max-streams")
    if (count := _count(container.chapters)) > allowed.max_chapters:
        refuse(f"has {count} chapters", f"{allowed.max_chapters} are", "--max-chapters")
    for stream in container.streams.video:
        context = stream.codec_context
        if context is None:
            continue
        if context.width * context.height > allowed.max_pixels:
            size = f"{context.width}x{context.height}"
            refuse(f"has frames of {size} px", f"{allowed.max_pixels} px are", f"--max-pixels {size}")
    video = main_video(container)  # of another, which may be a single picture, the rate means nothing
    if video is not None and (video.average_rate or 0) > allowed.max_fps:
        refuse(f"has {float(video.average_rate or 0):g} frames a second", f"{allowed.max_fps} are", "--max-fps")


def _count(chapters: Callable[[], list[Any]]) -> int:
    try:
        return len(chapters())
    except UnicodeError:  # titles in another code: they are copied, or not, when it comes to that
        return 0
