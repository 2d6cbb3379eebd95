"""Targets that take one byte stream: MPEG-TS over a network or in a file, MP4 on stdout, recordings."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from av.error import FFmpegError

from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.muxers import EXACT_TIMES, as_packet, fragment, head, open_muxer
from stcodec.stream.output.sender import ReaderGoneError, chosen_tracks
from stcodec.stream.output.sinks import (
    DATAGRAM_BYTES,
    FileSink,
    Sink,
    StdoutSink,
    TcpListener,
    TcpSink,
    UdpSink,
    connect_tcp,
)
from stcodec.stream.packet import LivePacket, Track, Tracks

TS_OPTIONS = {
    "pes_payload_size": "0",  # else audio waits until there is more of it
    "omit_video_pes_length": "0",  # a reader knows that a picture is whole before the next one comes
    "mpegts_flags": "+initial_discontinuity",
    "max_delay": "100000",  # microseconds between a clock and what is shown by it, for readers that keep to it
}
_GOP_BY_GOP = {**EXACT_TIMES, "movflags": "+frag_keyframe+empty_moov+default_base_moof+frag_discont"}


class FormatWriter(Protocol):
    """Writer of packets in some format."""

    def write(self, packet: LivePacket, place: int) -> None:
        """Write a packet of the track at that place among the chosen."""

    def end(self) -> None:
        """Write what belongs to the end."""


class MuxedWriter:
    """A muxer of libavformat."""

    def __init__(
        self, sink: Sink, tracks: Sequence[Track], format_name: str, options: Mapping[str, str], block_bytes: int = 32768
    ) -> None:
        self._container = open_muxer(sink, format_name, tracks, options, block_bytes)
        self._container.start_encoding()

    def write(self, packet: LivePacket, place: int) -> None:
        """Mux a packet."""
        self._container.mux_one(as_packet(packet, self._container.streams[place]))

    def end(self) -> None:
        """Write the trailer."""
        self._container.close()


class FragmentWriter:
    """MP4, each packet a fragment that goes out at once; libavformat's own would wait for the packet after it."""

    def __init__(self, sink: Sink, tracks: Sequence[Track]) -> None:
        self._sink = sink
        self._tracks = tracks
        self._number = 0
        sink.write(head(tracks))

    def write(self, packet: LivePacket, place: int) -> None:
        """Write a fragment."""
        self._number += 1
        self._sink.write(fragment(self._tracks, [packet], place, self._number))

    def end(self) -> None:
        """Write nothing: it may end after any fragment."""


class ByteSender:
    """Sender of one video track and the audio as one byte stream."""

    def __init__(
        self, open_sink: Callable[[], Sink], begin: Callable[[Sink, Sequence[Track]], FormatWriter], rendition: str | None
    ) -> None:
        self.bytes = 0
        self._is_open = False
        self._open_sink = open_sink
        self._begin_writer = begin
        self._rendition = rendition
        self._sink: Sink | None = None
        self._writer: FormatWriter | None = None
        self._places: dict[int, int] = {}

    @property
    def is_connected(self) -> bool:
        """Whether the sink takes what is written."""
        return self._is_open

    def open(self, tracks: Tracks) -> None:
        """Open the sink and write the head."""
        self._sink = self._open_sink()
        self._begin(tracks)
        self._is_open = True

    def write(self, packet: LivePacket) -> None:
        """Write a packet, if it is of a track that goes here."""
        place = self._places.get(packet.track)
        if place is not None and self._writer is not None:
            self._writer.write(packet, place)
            self.bytes += len(packet.data) if self.is_connected else 0

    def change(self, tracks: Tracks) -> None:
        """Write a new header into the same byte stream: readers of such formats accept it."""
        self._end()
        self._begin(tracks)

    def close(self) -> None:
        """Write the end."""
        try:
            self._end()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the writer and the sink, whatever happens."""
        with contextlib.suppress(OSError, FFmpegError, ReaderGoneError):
            self._end()
        if self._sink is not None:
            with contextlib.suppress(OSError):
                self._sink.close()
        self._sink, self._is_open = None, False

    def interrupt(self) -> None:
        """Wait no longer."""
        if self._sink is not None:
            self._sink.interrupt()

    def _begin(self, tracks: Tracks) -> None:
        assert self._sink is not None
        chosen = chosen_tracks(tracks, self._rendition)
        self._places = {track: place for place, track in enumerate(chosen)}
        self._writer = self._begin_writer(self._sink, [tracks[index] for index in chosen])

    def _end(self) -> None:
        body, self._writer = self._writer, None
        if body is not None:
            body.end()


def ts_writer(sink: Sink, tracks: Sequence[Track], block_bytes: int = 32768) -> FormatWriter:
    """MPEG-TS."""
    return MuxedWriter(sink, tracks, "mpegts", TS_OPTIONS, block_bytes)


class _FileParts:
    """Opens a file, and when it has to be begun again files with numbers: talk.mkv, talk.2.mkv, ..."""

    def __init__(self, path: Path, *, keeps: bool) -> None:
        """keeps: what is there already is not replaced."""
        self._path = path
        self._keeps = keeps
        self._made: Path | None = None

    def __call__(self) -> FileSink:
        if self._made is None and not self._keeps:
            self._made = self._path
            return FileSink(self._path)
        self._made = _unused(self._path, 1 if self._made is None else 2)
        return FileSink(self._made, "xb")


def _unused(path: Path, part: int = 1) -> Path:
    """The first of talk.mkv, talk.2.mkv, ..., from that part on, which is not there."""
    while os.path.lexists(found := path if part == 1 else path.with_suffix(f".{part}{path.suffix}")):
        part += 1
    return found


class RecordingSender(ByteSender):
    """A file beside the stream, that can be played whenever it breaks off; what it can't go on with begins a new file."""

    def __init__(self, target: TargetAddress) -> None:
        path = target.path
        format_name, options = ("matroska", {}) if path.suffix.lower() == ".mkv" else ("mp4", _GOP_BY_GOP)
        parts = _FileParts(path, keeps=target.is_record)
        super().__init__(parts, lambda sink, tracks: MuxedWriter(sink, tracks, format_name, options), target.rendition)

    def change(self, tracks: Tracks) -> None:
        """End this file and begin the next."""
        self.close()
        self.open(tracks)


class _TsFile:
    """Opens a file of MPEG-TS; what comes after a fault is added to it."""

    def __init__(self, path: Path, *, keeps: bool) -> None:
        """keeps: what is there already is not replaced; a file with the next number is begun."""
        self._path = path
        self._keeps = keeps
        self._mode = "wb"

    def __call__(self) -> FileSink:
        if self._mode == "wb" and self._keeps:
            self._path = _unused(self._path)
        sink = FileSink(self._path, self._mode)
        self._mode = "ab"
        return sink


class ListeningSender(ByteSender):
    """MPEG-TS for whoever connects to a port, one reader at a time."""

    def __init__(self, address: tuple[str, int], rendition: str | None) -> None:
        super().__init__(self._accept, ts_writer, rendition)
        self._address = address
        self._listener: TcpListener | None = None

    def close(self) -> None:
        """End the stream and give the port back."""
        super().close()
        if self._listener is not None:
            self._listener.close()

    def interrupt(self) -> None:
        """Wait no longer."""
        super().interrupt()
        if self._listener is not None:
            self._listener.interrupt()

    def _accept(self) -> TcpSink:
        if self._listener is None:
            self._listener = TcpListener(self._address)
        return self._listener.accept()


def byte_sender(target: TargetAddress) -> ByteSender:
    """The sender for a target that takes one byte stream."""
    if target.kind == "pipe":
        return ByteSender(lambda: StdoutSink(sys.stdout.fileno()), FragmentWriter, target.rendition)
    if target.kind == "file":
        return RecordingSender(target)
    address = target.network
    if address is None:
        return ByteSender(_TsFile(target.path, keeps=target.is_record), ts_writer, target.rendition)
    assert address.port is not None
    place, options = (address.host or "127.0.0.1", address.port), address.options
    if address.scheme == "udp":
        ttl = int(options["ttl"]) if "ttl" in options else None
        body = functools.partial(ts_writer, block_bytes=DATAGRAM_BYTES)
        return ByteSender(lambda: UdpSink(place, ttl, options.get("localaddr")), body, target.rendition)
    if address.listens({}):
        return ListeningSender(place, target.rendition)
    return ByteSender(lambda: connect_tcp(place), ts_writer, target.rendition)
