"""Tracks as streams of a PyAV container, from their description and header alone: no encoder, no file they come from."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from stcodec.encoders.table import encoder_of
from stcodec.stream.packet import TICK, LivePacket, Track

_CODEC_IDS = {
    "h264": "V_MPEG4/ISO/AVC",
    "hevc": "V_MPEGH/ISO/HEVC",
    "vp8": "V_VP8",
    "vp9": "V_VP9",
    "av1": "V_AV1",
    "aac": "A_AAC",
    "mp3": "A_MPEG/L3",
    "ac3": "A_AC3",
    "eac3": "A_EAC3",
    "opus": "A_OPUS",
    "flac": "A_FLAC",
}
"""Matroska's names of the codecs (RFC 9559 and the Matroska codec registry)."""

LEAD = round(1 / TICK)
"""Added to all times: the first frames' decoding times are negative where frames are reordered, and MP4 can't say that."""


class ByteSink(Protocol):
    """What a container writes into."""

    def write(self, content: bytes) -> int: ...


def open_muxer(
    sink: ByteSink | io.BytesIO, form: str, tracks: Sequence[Track], options: Mapping[str, str], block_bytes: int = 32768
) -> OutputContainer:
    """A container in a form (libavformat's name) over a sink, with a stream for each track and times in TICKs.

    Every packet goes through to the sink at once, in blocks of so many bytes at most, and none waits long for a packet of
    another track.
    """
    settings = {"flush_packets": "1", "max_interleave_delta": "200000", **options}
    container: OutputContainer = av.open(sink, "w", format=form, container_options=settings, buffer_size=block_bytes)
    for track in tracks:
        stream = container.add_stream_from_template(_described(track).streams[0], opaque=True)
        stream.time_base = TICK
        encoder = encoder_of(track.codec)
        if encoder is not None and encoder.mp4_tag and form == "mp4":
            stream.codec_context.codec_tag = encoder.mp4_tag
    return container


@functools.lru_cache(maxsize=64)
def _described(track: Track) -> InputContainer:
    """PyAV copies a stream's parameters from another stream only: one is read from a head that is made for it."""
    return av.open(io.BytesIO(_matroska_head(track)), "r", format="matroska")


def as_packet(packet: LivePacket, stream: Stream) -> Packet[Any]:
    """The packet, addressed to a stream of a container, a LEAD later."""
    made: Packet[Any] = Packet(packet.data)
    made.pts, made.dts, made.duration, made.time_base = packet.pts + LEAD, packet.dts + LEAD, packet.duration, TICK
    made.is_keyframe = packet.is_key
    made.stream = stream
    return made


def _matroska_head(track: Track) -> bytes:
    """The start of a Matroska file (RFC 9559): a segment of unknown size with this one track, and no packet."""
    entry = _number(0xD7, 1) + _number(0x73C5, 1) + _number(0x83, 1 if track.kind == "video" else 2)
    entry += _element(0x86, _CODEC_IDS[track.codec].encode()) + _element(0x63A2, track.extradata)
    if track.kind == "video":
        entry += _element(0xE0, _number(0xB0, track.width_px) + _number(0xBA, track.height_px))
        if track.frame_rate:
            entry += _number(0x23E383, round(Fraction(1_000_000_000) / track.frame_rate))
    else:
        sound = _element(0xB5, struct.pack(">d", track.sample_rate_hz)) + _number(0x9F, track.channels)
        entry += _element(0xE1, sound)
    head = _element(0x1A45DFA3, _element(0x4282, b"matroska") + _number(0x4287, 4) + _number(0x4285, 2))
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000))
    tracks = _element(0x1654AE6B, _element(0xAE, entry))
    cluster = _element(0x1F43B675, _number(0xE7, 0))  # libavformat goes on reading until there is one
    return head + bytes.fromhex("18538067 01FFFFFFFFFFFFFF") + info + tracks + cluster


def _element(name: int, content: bytes) -> bytes:
    # A size of eight bytes begins with a bit in the seventh place from the left of the first byte: 0x01.
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _number(name: int, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))
