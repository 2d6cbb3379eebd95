"""Streams of the input that are carried over as they are, or as nearly as the output's container allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from stcodec.errors import OptionsError
from stcodec.keep import KeepOptions
from stcodec.media.audio import ENCODERS, AudioEncoder
from stcodec.media.holds import REFUSALS, declare_copy, refusal, takes_audio_of
from stcodec.media.probe import is_cover, stream_codec
from stcodec.media.subtitles import SubtitleConverter
from stcodec.media.tags import QUICKTIME_LANGUAGES, stream_tags
from stcodec.media.tracks import chosen_tracks

_COVER_TYPES = {"png": "image/png", "mjpeg": "image/jpeg", "bmp": "image/bmp", "gif": "image/gif", "webp": "image/webp"}
QUICKTIME = ("mp4", "mov")
"""ffmpeg's names of the containers that are QuickTime's and its heir's."""
_MARKS = {
    "mov": Disposition.default,
    "mpegts": Disposition.default | Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.descriptions,
}
"""The dispositions that containers keep which don't keep all."""
_ENDLESS_SECONDS = 4_294_967
"""libavcodec's end of subtitles that have none, 2^32 - 1 ms: the file would last as long."""
_TITLES = {"aac": "AAC", "opus": "Opus"}
_SPELLINGS = {"aac": ("aac", "aac_fixed", "libfdk_aac"), "opus": ("opus", "libopus")}


class StreamCopies:
    """The streams of one input, declared in one output."""

    def __init__(self, container: OutputContainer, name: str, keep: KeepOptions) -> None:
        """name: the output's, for messages."""
        self._container = container
        self._format = container.format.name
        self._name = name
        self._keep = keep
        self._copies: dict[int, Stream | SubtitleConverter | AudioEncoder] = {}
        self._undated: dict[int, list[Packet[Any]]] = {}
        self._last_dts: dict[int, int] = {}
        """Of each stream of the output, in its ticks."""
        self.messages: list[str] = []

    def declare(self, streams: Sequence[Stream], covers: Mapping[int, bytes], data_names: Mapping[int, str]) -> None:
        """Add a copy of each stream, or say why there is none.

        covers: pictures of cover art, data_names: of timed data, by stream index. Raises OptionsError for audio that can
        neither be held nor encoded, and for tracks that there are not.
        """
        audio = [stream for stream in streams if stream.type == "audio"]
        chosen = {audio[place].index for place in chosen_tracks(self._keep.audio_tracks, [one.language for one in audio])}
        for stream in streams:
            if stream.discard == Discard.all:
                continue
            if stream.type == "audio":
                if self._keep.audio != "none" and stream.index in chosen:
                    self._declare_audio(stream)
            elif stream.type == "subtitle":
                if self._keep.subtitles != "none":
                    self._declare_subtitles(stream)
            else:
                self._declare_other(stream, covers.get(stream.index), data_names.get(stream.index, ""))
        if audio and self._keep.audio != "none" and not any(index in self._copies for index in chosen):
            raise OptionsError(
                f"{self._name}: {self._format} can't hold the input's audio, and it can't be decoded here: "
                "--audio none leaves it out"
            )

    def ready(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """The packets that can be written now, bound for their copy: none, the packet, or earlier ones with it."""
        copy = self._copies.get(packet.stream.index)
        if copy is None:
            return []
        if packet.dts is None and is_cover(packet.stream):
            packet.pts = packet.dts = 0  # demuxers give pictures no time, muxers ask for one
        dated = self._dated(packet)
        if not isinstance(copy, Stream):
            return [self._in_order(converted) for one in dated for converted in copy.convert(one)]
        for one in dated:
            one.stream = copy
        return [self._in_order(one) for one in dated]

    def finish(self) -> list[Packet[Any]]:
        """The packets still to come when all was read; `messages` says what could not be decoded."""
        made: list[Packet[Any]] = []
        for index, copy in self._copies.items():
            if isinstance(copy, Stream):
                continue
            made += map(self._in_order, copy.finish())
            if isinstance(copy, SubtitleConverter) and copy.overlaps and self._format in QUICKTIME:
                self.messages.append(
                    f"{copy.overlaps} cues of subtitle stream {index} overlap those before: {self._format} shows one at a "
                    "time, so that some come late or end early"
                )
            if isinstance(copy, AudioEncoder) and copy.lost_packets:
                lost = f"{copy.lost_packets} packets of audio stream {index} could not be decoded"
                self.messages.append(f"{lost}: there is silence in their place")
        return made

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

    def _in_order(self, packet: Packet[Any]) -> Packet[Any]:
        """The packet, later by the least that the muxer asks for if it is not behind the one before.

        TrueHD has several packets in one of Matroska's milliseconds; broadcasts' subtitles step back by a tick.
        """
        self._container.start_encoding()  # now the muxer has chosen its clocks
        stream = packet.stream
        if packet.dts is None or packet.time_base is None or stream.time_base is None:
            return packet
        ticks = packet.time_base / stream.time_base
        packet.dts = _rounded(packet.dts * ticks)
        packet.pts = None if packet.pts is None else _rounded(packet.pts * ticks)
        packet.duration = _rounded((packet.duration or 0) * ticks)
        packet.time_base = stream.time_base
        if packet.duration * packet.time_base > _ENDLESS_SECONDS:
            packet.duration = 0
        takes_equal = stream.type in ("subtitle", "data") or Flags.ts_nonstrict in Flags(self._container.format.flags)
        least = self._last_dts.get(stream.index, packet.dts - 1) + (0 if takes_equal else 1)
        if packet.dts < least:
            packet.dts = least
            packet.pts = None if packet.pts is None else max(packet.pts, least)
        self._last_dts[stream.index] = packet.dts
        return packet

    def drop(self, stream: Stream, reason: str) -> str:
        """Stop copying a stream; the message that says so."""
        self._copies.pop(stream.index, None)
        return f"{_called(stream)} is incomplete: {self._format} took no more of it ({reason})"

    # --- kinds of streams

    def _declare_audio(self, stream: Stream) -> None:
        wanted = self._keep.audio
        why = refusal(self._format, stream)
        is_as_wanted = wanted == "copy" or (
            stream_codec(stream) in _SPELLINGS[wanted] and self._keep.audio_bitrate_kbps is None
        )
        if why is None and is_as_wanted:
            self._copy(stream)
            return
        codec = wanted if wanted in _SPELLINGS else "opus" if self._format == "webm" else "aac"
        if wanted in _SPELLINGS and not takes_audio_of(self._format, ENCODERS[codec]):
            raise OptionsError(f"{self._name}: {self._format} can't hold {_TITLES[codec]}: choose another --audio")
        try:
            assert isinstance(stream, AudioStream)
            encoder = AudioEncoder(self._container, stream, codec, self._keep.audio_bitrate_kbps)
        except REFUSALS:
            self.messages.append(f"{_called(stream)} is dropped: it can't be decoded here")
            return
        self._described(encoder.stream, stream)
        self._copies[stream.index] = encoder
        reason = f": {self._format} can't hold it ({why})" if wanted == "copy" else ""
        self.messages.append(f"{_called(stream)} is encoded to {_TITLES[codec]}{reason}")

    def _declare_subtitles(self, stream: Stream) -> None:
        why = refusal(self._format, stream)
        if why is None and self._keep.subtitles == "copy":
            self._copy(stream)
            return
        try:
            converter = SubtitleConverter(self._container, stream)
        except REFUSALS as failure:
            reason = f"{self._format} can't hold it" if why is not None else "only text was asked for"
            self.messages.append(f"{_called(stream)} is dropped: {reason} ({failure})")
            return
        self._described(converter.stream, stream)
        self._copies[stream.index] = converter
        if stream_codec(stream) not in (converter.codec, {"subrip": "srt"}.get(converter.codec)):
            self.messages.append(f"{_called(stream)} is converted to {converter.codec} for {self._format}")

    def _declare_other(self, stream: Stream, cover: bytes | None, data_name: str) -> None:
        if stream.type == "data" and "timecode" in stream.metadata and self._format in QUICKTIME:
            return  # the muxer makes such a track anew from the tag
        why = refusal(self._format, stream, data_name)
        if is_cover(stream) and self._keep.fragmented and self._format in QUICKTIME:
            why = "fragments have no place for cover art"  # its muxer would make a track of it that nobody can read
        if why is None:
            self._copy(stream)
        elif is_cover(stream) and cover is not None and "matroska" in self._format and stream_codec(stream) in _COVER_TYPES:
            codec = stream_codec(stream)
            name = stream.metadata.get("filename", f"cover.{'jpg' if codec == 'mjpeg' else codec}")
            self._container.add_attachment(name, _COVER_TYPES[codec], cover)
        else:
            self.messages.append(f"{_called(stream, data_name)} is dropped: {self._format} can't hold it ({why})")

    def _copy(self, stream: Stream) -> None:
        try:
            copy = declare_copy(self._container, stream)
        except REFUSALS as error:
            self.messages.append(f"{_called(stream)} is dropped: {self._format} can't hold it ({error})")
            return
        if self._format in QUICKTIME and stream_codec(stream) == "hevc":
            copy.codec_context.codec_tag = "hvc1"
        self._copies[stream.index] = self._described(copy, stream)

    def _described(self, copy: Stream, stream: Stream) -> Stream:
        copy.metadata.update(stream_tags(stream.metadata, strip_location=self._keep.strip_location))
        language = stream.metadata.get("language", "")
        if self._format == "mov" and language in QUICKTIME_LANGUAGES:
            copy.metadata["language"] = QUICKTIME_LANGUAGES[language]
        copy.disposition = stream.disposition
        lost = stream.disposition & ~_MARKS.get(self._format, stream.disposition)
        if lost:
            marks = ", ".join(str(one.name) for one in Disposition if one & lost)
            self.messages.append(f"{_called(stream)} loses its mark {marks}: {self._format} has no place for it")
        return copy


def _rounded(ticks: Fraction) -> int:
    """The number rounded as libavformat does: halves away from zero."""
    whole = int(abs(ticks) + Fraction(1, 2))
    return whole if ticks >= 0 else -whole


def _called(stream: Stream, name: str = "") -> str:
    return f"{stream.type} stream {stream.index} ({name or stream_codec(stream)})"
