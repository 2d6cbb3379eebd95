"""Streams of the input that are carried over as they are, or as nearly as the output's container allows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from stcodec.errors import OptionsError
from stcodec.media.probe import is_cover, stream_codec

_TEXT = {"srt", "subrip", "ass", "ssa", "mov_text", "webvtt", "text"}
_TARGETS = {"mp4": "mov_text", "mov": "mov_text", "ipod": "mov_text", "matroska": "subrip", "webm": "webvtt"}


class SubtitleConverter:
    """Rewrites one stream of text subtitles; what is said and when stays, styles may not.

    Raises ValueError if the subtitles are pictures or the container has no format of its own for text.
    """

    def __init__(self, container: OutputContainer, source: Stream) -> None:
        codec = source.codec_context.name if source.codec_context is not None else "unknown"
        target = _TARGETS.get(container.format.name)
        if codec not in _TEXT or target is None or not isinstance(source, SubtitleStream):
            raise ValueError("it can't be converted to a format that it holds")
        self._decoder = source.codec_context
        self._source = source
        stream = container.add_stream(target)
        assert isinstance(stream, SubtitleStream)
        self.stream = stream
        self.codec = target
        # The encoder wants the style header; a decoder has it once it is open.
        self._decoder.open(strict=False)
        stream.codec_context.subtitle_header = self._decoder.subtitle_header
        assert source.time_base is not None
        stream.codec_context.time_base = source.time_base
        stream.time_base = source.time_base

    def convert(self, packet: Packet[Any]) -> Packet[Any] | None:
        """The packet rewritten; None if it says nothing or can't be read."""
        try:
            found = self._decoder.decode2(packet)
            if found is None:
                return None
            rewritten = self.stream.codec_context.encode_subtitle(found)
        except (FFmpegError, ValueError):
            return None
        rewritten.time_base = packet.time_base
        rewritten.pts, rewritten.dts, rewritten.duration = packet.pts, packet.dts, packet.duration
        rewritten.stream = self.stream
        rewritten.is_keyframe = True
        return rewritten


_STALE_TAGS = {
    "encoder", "duration", "bps", "number_of_frames", "number_of_bytes", "_statistics_tags", "_statistics_writing_app",
    "_statistics_writing_date_utc", "rotate", "major_brand", "minor_version", "compatible_brands", "vendor_id",
}  # fmt: skip
"""Tags that describe the old bitstream or the old container, not the work; they would be false in the result."""
_COVER_TYPES = {"png": "image/png", "mjpeg": "image/jpeg", "bmp": "image/bmp", "gif": "image/gif", "webp": "image/webp"}
_TIMECODE_KEEPERS = ("mp4", "mov", "ipod")
_PICTURE_SUBTITLES = {"dvbsub", "dvb_subtitle", "dvb_teletext", "libzvbi_teletextdec", "pgssub", "hdmv_pgs_subtitle"}
"""Subtitles that mpegts has a place for; it takes text too, as private data that no player shows."""
_QUICKTIME_LANGUAGES = {
    "deu": "ger", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb", "mkd": "mac",
    "fre": "fra", "rum": "ron", "cze": "ces", "slo": "slk", "hye": "arm", "kat": "geo", "bod": "tib", "mya": "bur",
    "msa": "may", "cym": "wel", "eus": "baq",
}  # fmt: skip
"""Names of ffmpeg's mov muxer for languages (isom.c, mov_mdhd_language_map) that it drops under their usual code."""
_TS_AUDIO = {"aac", "aac_latm", "mp2", "mp3", "mp3float", "ac3", "eac3", "dca", "opus", "libopus", "s302m"}
"""Audio that MPEG-TS has a stream type for; its muxer takes any other as private data, without a word."""
_MARKS = {
    "mov": Disposition.default,
    "mpegts": Disposition.default | Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.descriptions,
}
"""The dispositions that containers keep which don't keep all."""
_REFUSALS = (FFmpegError, ValueError, OSError, TypeError)


class StreamCopies:
    """The streams of one input, declared in one output."""

    def __init__(self, container: OutputContainer, name: str) -> None:
        """name: the output's, for messages."""
        self._container = container
        self._name = name
        self._copies: dict[int, Stream | SubtitleConverter] = {}
        self._undated: dict[int, list[Packet[Any]]] = {}
        self.messages: list[str] = []

    def declare(self, stream: Stream, cover: bytes | None) -> None:
        """Add a copy of a stream, or say why there is none; cover: the picture, if the stream is cover art.

        Raises OptionsError for audio that the container can't hold: a video without its audio is not what was asked for.
        """
        if self._comes_back_by_itself(stream):
            return
        try:
            self._copies[stream.index] = self._copy(stream)
        except _REFUSALS as error:
            self._replace(stream, cover, error)

    def ready(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """The packets that can be written now, bound for their copy: none, the packet, or earlier ones with it."""
        copy = self._copies.get(packet.stream.index)
        if copy is None:
            return []
        if packet.dts is None and is_cover(packet.stream):
            packet.pts = packet.dts = 0  # demuxers give pictures no time, muxers ask for one
        dated = self._dated(packet)
        if isinstance(copy, SubtitleConverter):
            return [converted for one in dated if (converted := copy.convert(one)) is not None]
        for one in dated:
            one.stream = copy
        return dated

    def _dated(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """Matroska's demuxer lacks the first dts of videos with B-frames: they are counted back from the first it knows."""
        if packet.dts is None:
            if packet.stream.type == "video":
                self._undated.setdefault(packet.stream.index, []).append(packet)
                return []
            packet.dts = packet.pts
        if packet.dts is None:
            return []
        early = self._undated.pop(packet.stream.index, [])
        for steps, one in enumerate(reversed(early), 1):
            one.dts = packet.dts - steps * (packet.duration or 1)
        return [*early, packet]

    def drop(self, stream: Stream, reason: str) -> str:
        """Stop copying a stream; the message that says so."""
        self._copies.pop(stream.index, None)
        return f"{_called(stream)} is incomplete: {self._container.format.name} took no more of it ({reason})"

    def _comes_back_by_itself(self, stream: Stream) -> bool:
        """Chapter titles and time codes stand in mov's tracks too; the muxer makes those anew from chapters and tags."""
        is_mov = self._container.format.name in _TIMECODE_KEEPERS
        return stream.discard == Discard.all or (stream.type == "data" and "timecode" in stream.metadata and is_mov)

    def _copy(self, stream: Stream) -> Stream:
        container = self._container.format.name
        if stream.type == "data" and container in ("matroska", "webm"):  # takes the header, loses the packets
            raise ValueError("timed data has no place in it")
        if stream.type == "audio" and container == "mpegts" and stream_codec(stream) not in _TS_AUDIO:
            raise ValueError("it would become data that nobody can play")
        if stream.type == "audio" and container == "mp4" and stream_codec(stream).startswith("pcm_"):
            raise ValueError("its muxer takes the header and fails on the packets")
        if stream.type in ("audio", "data"):
            _try_header(container, stream)
        if stream.type == "data" and container == "mpegts" and "timecode" in stream.metadata:
            raise ValueError("a time code has no place in it")
        if stream.type == "attachment" and container != "matroska":
            raise ValueError("attachments have no place in it")
        if is_cover(stream) and container != "mp4":  # Matroska would make a second video of it; it takes an attachment
            raise ValueError("cover art has no place in it")
        if stream.type == "subtitle" and container == "mpegts" and stream_codec(stream) not in _PICTURE_SUBTITLES:
            raise ValueError("text has no place in it")
        if stream.codec_context is None:
            return self._described(self._container.add_stream_from_template(stream), stream)
        # opaque: the packets are copied, so no encoder of that codec is needed.
        return self._described(self._container.add_stream_from_template(stream, opaque=True), stream)

    def _replace(self, stream: Stream, cover: bytes | None, error: Exception) -> None:
        container = self._container.format.name
        if stream.type == "audio":
            raise OptionsError(f"{self._name}: {container} can't hold the input's {_called(stream)}: write to .mkv instead")
        if stream.type == "subtitle":
            try:
                converter = SubtitleConverter(self._container, stream)
            except _REFUSALS as failure:
                error = failure
            else:
                self._described(converter.stream, stream)
                self._copies[stream.index] = converter
                self.messages.append(f"{_called(stream)} is converted to {converter.codec} for {container}")
                return
        if is_cover(stream) and cover is not None and "matroska" in container and stream_codec(stream) in _COVER_TYPES:
            codec = stream_codec(stream)
            ending = "jpg" if codec == "mjpeg" else codec
            name = stream.metadata.get("filename", f"cover.{ending}")
            self._container.add_attachment(name, _COVER_TYPES[codec], cover)
            return
        self.messages.append(f"{_called(stream)} is dropped: {container} can't hold it ({error})")

    def _described(self, copy: Stream, stream: Stream) -> Stream:
        copy.metadata.update(stream_tags(stream.metadata))
        container = self._container.format.name
        language = stream.metadata.get("language", "")
        if container == "mov" and language in _QUICKTIME_LANGUAGES:
            copy.metadata["language"] = _QUICKTIME_LANGUAGES[language]
        copy.disposition = stream.disposition
        lost = stream.disposition & ~_MARKS.get(container, stream.disposition)
        if lost:
            marks = ", ".join(str(one.name) for one in Disposition if one & lost)
            self.messages.append(f"{_called(stream)} loses its mark {marks}: {container} has no place for it")
        return copy


def kept_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that are still true of the result."""
    return {key: value for key, value in tags.items() if key.lower().split("-")[0] not in _STALE_TAGS}


def stream_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of a stream: mov's "name" is what the muxers know as "title"."""
    return {"title" if key.lower() == "name" else key: value for key, value in kept_tags(tags).items()}


def _called(stream: Stream) -> str:
    return f"{stream.type} stream {stream.index} ({stream_codec(stream)})"


def _try_header(container_format: str, stream: Stream) -> None:
    """Raise if a container refuses a stream when its header is written: some muxers say so only then."""
    with av.open(io.BytesIO(), "w", format=container_format) as trial:
        if stream.codec_context is None:
            trial.add_stream("mpeg4", rate=Fraction(25))  # mov wants something timed beside data
            trial.add_stream_from_template(stream)
        else:
            trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
