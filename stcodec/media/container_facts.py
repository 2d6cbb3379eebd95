"""Facts that a container holds of a picture and PyAV does not show: its cropping, and Dolby Vision's profile.

libavformat keeps it as "coded side data" of the stream. The file's header is read once more through libavformat's public
functions; of its structures only the members that stand at the beginning are looked at, whose places have been the same
since ffmpeg 7.1 (avformat.h, codec_par.h). What does not look as it should counts as nothing said.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stcodec.media.libav import StreamHead, libav
from stcodec.media.paths import local_url

_MOST_ENTRIES = 64


class _Format(ctypes.Structure):
    """The beginning of AVFormatContext."""

    _fields_ = (
        ("av_class", ctypes.c_void_p),
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p),
        ("private", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("nb_streams", ctypes.c_uint),
        ("streams", ctypes.POINTER(ctypes.POINTER(StreamHead))),
    )


@dataclass(frozen=True)
class Crop:
    """Pixels of the decoded picture that are not to be shown, at each edge."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __bool__(self) -> bool:
        return any((self.top, self.bottom, self.left, self.right))


@dataclass(frozen=True)
class ContainerFacts:
    """Facts that a container holds of one video stream."""

    crop: Crop = Crop()
    """Matroska's PixelCrop, MP4's clap."""
    dolby_vision_profile: int | None = None
    """5 has no picture of its own that another decoder could show; None without Dolby Vision."""


def container_facts(path: str | os.PathLike[str], index: int) -> ContainerFacts:
    """The facts of the stream with an index; those of a stream about which nothing is said if it can't be read."""
    with _opened(path) as streams:
        said = streams.get(index, {})
    crop, vision = said.get("Frame Cropping", b""), said.get("DOVI configuration record", b"")
    return ContainerFacts(
        Crop(*(int.from_bytes(crop[at : at + 4], "little") for at in (0, 4, 8, 12))) if len(crop) >= 16 else Crop(),
        vision[2] if len(vision) >= 3 else None,  # AVDOVIDecoderConfigurationRecord: version (2), profile
    )


def data_names(path: str | os.PathLike[str]) -> dict[int, str]:
    """Formats of the streams that are neither picture nor audio nor subtitles, as the container names them, by index.

    The four characters of its sample entry ("gpmd", "mebx"), or libavcodec's name where it has none.
    """
    formats, codecs = libav("avformat"), libav("avcodec")
    context = ctypes.c_void_p()
    if formats is None or codecs is None:
        return {}
    codecs.avcodec_get_name.restype = ctypes.c_char_p
    if formats.avformat_open_input(ctypes.byref(context), os.fsencode(local_url(path)), None, None) < 0:
        return {}
    try:
        return {
            index: _four_characters(one.codec_tag) or codecs.avcodec_get_name(one.codec_id).decode()
            for index, one in _streams(context)
            if one.codec_type not in (0, 1, 3)  # AVMEDIA_TYPE_VIDEO, AUDIO, SUBTITLE
        }
    finally:
        formats.avformat_close_input(ctypes.byref(context))


def _four_characters(tag: int) -> str:
    text = int(tag).to_bytes(4, "little")
    return text.decode("ascii") if all(32 < byte < 127 for byte in text) else ""


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Mapping[int, Mapping[str, bytes]]]:
    """Side data by libavcodec's name of its kind, by stream."""
    formats, codecs = libav("avformat"), libav("avcodec")
    context = ctypes.c_void_p()
    if formats is None or codecs is None:
        yield {}
        return
    codecs.av_packet_side_data_name.restype = ctypes.c_char_p
    if formats.avformat_open_input(ctypes.byref(context), os.fsencode(local_url(path)), None, None) < 0:
        yield {}
        return
    try:
        yield {index: dict(_entries(stream, codecs)) for index, stream in _streams(context)}
    finally:
        formats.avformat_close_input(ctypes.byref(context))


def _streams(context: ctypes.c_void_p) -> Iterator[tuple[int, Any]]:
    opened = ctypes.cast(context, ctypes.POINTER(_Format)).contents
    for index in range(opened.nb_streams):
        stream = opened.streams[index].contents
        if stream.index == index and stream.parameters:
            yield index, stream.parameters.contents


def _entries(parameters: Any, codecs: ctypes.CDLL) -> Iterator[tuple[str, bytes]]:
    if 0 < parameters.nb_side_data <= _MOST_ENTRIES:
        for index in range(parameters.nb_side_data):
            entry = parameters.side_data[index]
            name = codecs.av_packet_side_data_name(entry.type)
            if name and entry.data:
                yield name.decode(), ctypes.string_at(entry.data, entry.size)
