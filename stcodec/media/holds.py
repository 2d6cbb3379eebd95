"""Limits of containers, where their muxers don't report them in time, or accept and write what nobody can play."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Stream

from stcodec.media.libav import copy_parameters
from stcodec.media.probe import is_cover, stream_codec
from stcodec.media.subtitles import PICTURE_SUBTITLES

REFUSALS = (FFmpegError, ValueError, OSError, TypeError)
"""What PyAV raises for a stream that a muxer does not take."""
_TS_AUDIO = frozenset(("aac", "aac_latm", "mp2", "mp3", "mp3float", "ac3", "eac3", "dts", "opus", "libopus", "s302m"))
"""Audio that MPEG-TS has a stream type for; its muxer takes any other as private data, without a word, and
marks TrueHD so that nobody finds it."""
_TS_SUBTITLES = frozenset(("dvbsub", "dvb_subtitle", "dvb_teletext", "libzvbi_teletextdec"))
"""Subtitles that MPEG-TS has a place for; it takes text too, as private data that no player shows."""
_DATA: Mapping[str, frozenset[str]] = {
    "mp4": frozenset(("gpmd",)),
    "mov": frozenset(("gpmd",)),
    "mpegts": frozenset(("klv", "timed_id3")),
}
"""Timed data that comes through as it was, by the name of its codec or its sample entry; any other is written broken."""
_FAIL_ON_PACKETS = {
    "mp4": ("pcm_",),
    "mov": ("adpcm_", "aac_latm"),
    "matroska": ("aac_latm",),
}
"""Audio of which muxers take the header, and fail on the packets or on the end: beginnings of libavcodec's names."""


def refusal(container_format: str, stream: Stream, data_name: str = "") -> str | None:
    """Reason why a container (ffmpeg's name) can't hold a stream as it is; None if it can.

    data_name: of timed data, its codec or sample entry.
    """
    codec = stream_codec(stream)
    if stream.type == "data":
        return None if data_name in _DATA.get(container_format, ()) else "it has no place for such data"
    if stream.type == "attachment":
        return None if container_format == "matroska" else "it has no place for attachments"
    if is_cover(stream):  # Matroska would make a second video of it; it takes an attachment
        return None if container_format == "mp4" else "it has no place for cover art"
    if stream.codec_context is None:
        return "its format is unknown here"
    if stream.type == "audio":
        if container_format == "mpegts" and codec not in _TS_AUDIO:
            return "it would become data that nobody can play"
        if codec.startswith(_FAIL_ON_PACKETS.get(container_format, ())):
            return "it can't be written"
    if stream.type == "subtitle":
        if container_format == "mpegts" and codec not in _TS_SUBTITLES:
            return "it has no place for them"
        if container_format in ("mp4", "mov") and codec in PICTURE_SUBTITLES:
            return "it has no place for pictures"
    return _refused_header(container_format, stream)


def declare_copy(container: OutputContainer, stream: Stream) -> Stream:
    """A stream of an output for the packets of an input's, as they are. Raises one of REFUSALS.

    Matroska has names of its own for some audio, and takes what Windows has a number for by that, as ffmpeg does; PyAV only
    asks for the names.
    """
    if stream.codec_context is None:
        return container.add_stream_from_template(stream)
    try:  # opaque: the packets are copied, so no encoder of that codec is needed
        return container.add_stream_from_template(stream, opaque=True)
    except ValueError:
        if container.format.name != "matroska" or stream.type != "audio":
            raise
        copy = container.add_data_stream()
        if not copy_parameters(stream, copy):
            raise
        copy.time_base = stream.time_base
        return copy


def takes_audio_of(container_format: str, encoder: str) -> bool:
    """Whether a container can hold what one of libavcodec's encoders of audio makes."""
    try:
        with av.open(io.BytesIO(), "w", format=container_format) as trial:
            trial.add_stream(encoder, rate=48000)
            trial.start_encoding()
    except REFUSALS:
        return False
    return True


def lost_tags(container_format: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of a file that a container (ffmpeg's name) has no place for, found by writing them and reading them back."""
    written = io.BytesIO()
    try:
        with av.open(written, "w", format=container_format) as trial:
            trial.add_stream("mpeg4", rate=Fraction(25), width=64, height=64)
            trial.metadata.update(tags)
            trial.start_encoding()
        written.seek(0)
        with av.open(written, "r", metadata_errors="replace") as back:
            found = {key.lower(): value for key, value in back.metadata.items()}
    except REFUSALS:
        return {}
    # What should be a number and is none, libavformat writes as 0.
    return {key: value for key, value in tags.items() if found.get(key.lower()) in (None, "0") and value != "0"}


def _refused_header(container_format: str, stream: Stream) -> str | None:
    """Reason why a muxer refuses a stream when the header is written: some do only then."""
    try:
        with av.open(io.BytesIO(), "w", format=container_format) as trial:
            if stream.type != "audio" and container_format != "webm":
                trial.add_stream("mpeg4", rate=Fraction(25), width=64, height=64)  # mov wants something timed beside others
            declare_copy(trial, stream)
            trial.start_encoding()
    except REFUSALS:
        return "it has no place for that format"
    return None
