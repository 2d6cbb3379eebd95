"""Muxers over PyAV whose streams come from tracks, that is from a description and a header, without an encoder."""

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

LEAD = round(1 / TICK)
"""Added to all times: the first frames' decoding times are negative where frames are reordered, and MP4 can't say that."""


class ByteSink(Protocol):
    """File object that a muxer writes into."""

    def write(self, content: bytes) -> int: ...


def open_muxer(
    sink: ByteSink | io.BytesIO,
    format_name: str,
    tracks: Sequence[Track],
    options: Mapping[str, str],
    block_bytes: int = 32768,
) -> OutputContainer:
    """Open a muxer (libavformat's name) over a sink, with a stream for each track and times in TICKs.

    Every packet goes through to the sink at once, in blocks of so many bytes at most, and none waits long for a packet of
    another track.
    """
    settings = {"flush_packets": "1", "max_interleave_delta": "200000", **options}
    container: OutputContainer = av.open(sink, "w", format=format_name, container_options=settings, buffer_size=block_bytes)
    for track in tracks:
        stream = container.add_stream_from_template(_described(track).streams[0], opaque=True)
        stream.time_base = TICK
        encoder = encoder_of(track.codec)
        if encoder is not None and encoder.mp4_tag and format_name == "mp4":
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
    encoder = encoder_of(track.codec)  # all audio is AAC
    codec_id = "A_AAC" if encoder is None else encoder.matroska_id
    entry += _element(0x86, codec_id.encode()) + _element(0x63A2, track.extradata)
    if track.kind == "video":
        entry += _element(0xE0, _number(0xB0, track.width_px) + _number(0xBA, track.height_px))
        if track.frame_rate:
            entry += _number(0x23E383, round(Fraction(1_000_000_000) / track.frame_rate))
    else:
        audio = _element(0xB5, struct.pack(">d", track.sample_rate_hz)) + _number(0x9F, track.channels)
        entry += _element(0xE1, audio)
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


EXACT_TIMES = {"use_editlist": "0", "avoid_negative_ts": "disabled"}
"""Options of the MP4 muxer with which the times in fragments are those of the packets, not counted from the first."""
_OPTIONS = {**EXACT_TIMES, "movflags": "+frag_custom+empty_moov+default_base_moof+frag_discont+skip_trailer"}


def head(tracks: Sequence[Track]) -> bytes:
    """The initialisation segment: ftyp and moov."""
    sink = io.BytesIO()
    open_muxer(sink, "mp4", tracks, _OPTIONS).start_encoding()
    return sink.getvalue()


def fragment(tracks: Sequence[Track], packets: Sequence[LivePacket], place: int, number: int) -> bytes:
    """Packets of the track at that place, as a moof and its mdat. number: of the fragment in its stream, from 1 on.

    A muxer of its own for each: one that lives on gives out a fragment only when it has the packet after it.
    """
    sink = io.BytesIO()
    container = open_muxer(sink, "mp4", tracks, {**_OPTIONS, "fragment_index": str(number)})
    container.start_encoding()
    begin = sink.tell()
    for packet in packets:
        container.mux_one(as_packet(packet, container.streams[place]))
    container.close()
    return sink.getvalue()[begin:]
