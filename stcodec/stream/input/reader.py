"""Reader of the source, on a thread of its own: opens, decodes, and reopens it when it is lost."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec import interrupts
from stcodec.errors import MediaError, StcodecError
from stcodec.media.limits import limits
from stcodec.media.probe import video_info
from stcodec.stream.input.frames import Deinterlacer
from stcodec.stream.input.sources import SourceAddress, by_time, choose_streams, open_source, reason
from stcodec.stream.observe.snapshot import SourceCondition
from stcodec.stream.options import StreamOptions
from stcodec.types import VideoInfo

_DEPTH = 32
"""Frames and packets that wait between the thread and the director: enough for a burst, few enough to be small."""
_FIRST_BACKOFF_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 5.0


@dataclass(frozen=True)
class FrameIn:
    """A decoded picture."""

    frame: VideoFrame
    arrived: float
    """`time.monotonic()` when the packet that completed it came in."""


@dataclass(frozen=True)
class AudioIn:
    """An encoded packet of audio."""

    packet: Packet[Any]
    stream: AudioStream
    arrived: float


@dataclass(frozen=True)
class SourceOpened:
    """The source was opened (again); the items that follow are from it."""

    video: VideoInfo
    audio: AudioStream | None


@dataclass(frozen=True)
class SourceEnded:
    """End of the source; the reader's condition says why."""


Arrival = FrameIn | AudioIn | SourceOpened | SourceEnded


class _DecodedSource:
    """An open source, proven by decoding its first frame."""

    def __init__(
        self, address: SourceAddress, options: StreamOptions, export: str, counts: Reader, stopping: Callable[[], bool]
    ) -> None:
        self._counts = counts
        self._stopping = stopping
        self._is_file = address.is_paced
        self._deinterlace = Deinterlacer()
        self._source = open_source(address, dict(options.input_options), options.stall_seconds, stopping)
        self.container: InputContainer = self._source.container
        try:
            self.stream: VideoStream
            self.stream, audio = choose_streams(self.container, address)
            self.audio = None if options.audio == "none" else audio
            # Frame threads would keep several pictures back, and export vectors of some still being decoded.
            self.stream.thread_type = "SLICE"
            exported = {"export_side_data": export} if export else {}
            self.stream.codec_context.options = limits().decoder_options | exported
            self._items = self._demux()
            self._held: list[FrameIn | AudioIn] = []
            first = self._first(address)
        except BaseException:
            self.close()
            raise
        self.video = video_info(self.container, self.stream, first)

    def items(self) -> Iterator[FrameIn | AudioIn]:
        """Frames and audio in order. Raises FFmpegError or OSError when the source is lost."""
        yield from self._held
        self._held.clear()
        yield from self._items

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _first(self, address: SourceAddress) -> VideoFrame:
        try:
            for item in self._items:
                self._held.append(item)
                if isinstance(item, FrameIn):
                    self._held.insert(0, self._held.pop())
                    return item.frame
        except (FFmpegError, OSError) as error:
            raise MediaError(f"{address.shown}: nothing could be read ({reason(address, error)})") from None
        raise MediaError(f"{address.shown}: no frame of its {self.stream.codec_context.name} video could be decoded")

    def _demux(self) -> Iterator[FrameIn | AudioIn]:
        wanted = [self.stream] if self.audio is None else [self.stream, self.audio]
        packets = self.container.demux(wanted)
        # A live source is taken as it comes: what waits for the other stream would be late.
        for packet in by_time(packets) if self._is_file and self.audio is not None else packets:
            if self._stopping():
                return
            arrived = time.monotonic()
            if packet.is_corrupt:
                self._counts.damaged += 1
            if packet.stream.index == self.stream.index:
                yield from self._decode(packet, arrived)
            elif packet.size:
                assert self.audio is not None
                yield AudioIn(packet, self.audio, arrived)

    def _decode(self, packet: Packet[Any], arrived: float) -> Iterator[FrameIn]:
        try:
            frames = self.stream.decode(packet if packet.size else None)
        except FFmpegError:
            self._counts.damaged += 1
            return
        for frame in frames:
            if frame.is_corrupt:
                self._counts.damaged += 1
            frame.time_base = self.stream.time_base
            for whole in self._deinterlace(frame):
                yield FrameIn(whole, arrived)


class Reader:
    """Thread that reads the source and reopens it when it is lost, with growing pauses."""

    def __init__(self, address: SourceAddress, options: StreamOptions, export: str) -> None:
        """Open the source and begin to read. Raises MediaError in one line."""
        self.address = address
        self.condition: SourceCondition = "connecting"
        self.message = ""
        self.reconnects = 0
        self.damaged = 0
        """Packets and frames that came in broken."""
        self._options = options
        self._export = export
        self._stop = threading.Event()
        self._queue: queue.Queue[Arrival] = queue.Queue(_DEPTH)
        self._first: queue.Queue[_DecodedSource | StcodecError] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self._thread.start()
        first = self._wait_for_first()
        self.video, self.audio = first.video, first.audio

    def stop(self) -> None:
        """End soon; a read that hangs in the network is left to end by itself."""
        self._stop.set()
        self._thread.join(0.3)

    def take(self, timeout_seconds: float) -> Arrival | None:
        """Take the next item; None after the timeout."""
        try:
            return self._queue.get(timeout=max(0.0, timeout_seconds)) if timeout_seconds > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None

    def is_silent(self) -> bool:
        """Whether nothing waits to be taken."""
        return self._queue.empty()

    def _open(self) -> _DecodedSource:
        return _DecodedSource(self.address, self._options, self._export, self, self._stop.is_set)

    def _wait_for_first(self) -> _DecodedSource:
        """Wait in steps, so that Ctrl-C works: libav can't be interrupted, and a source may take long."""
        try:
            while True:
                interrupts.check()
                with contextlib.suppress(queue.Empty):
                    first = self._first.get(timeout=0.1)
                    if isinstance(first, StcodecError):
                        raise first
                    return first
        except BaseException:
            self.stop()
            raise

    def _run(self) -> None:
        try:
            current: _DecodedSource | None = self._open()
        except StcodecError as error:
            self._first.put(error)
            return
        except Exception as error:  # a fault of ours, too, is told to who waits; it may say the address
            self._first.put(MediaError(f"{self.address.shown}: can't be opened ({reason(self.address, error)})"))
            return
        assert current is not None
        self._first.put(current)
        try:
            while current is not None and not self._stop.is_set():
                self._put(SourceOpened(current.video, current.audio))
                self._pass_on(current)
                current = self._next()
        except Exception as error:  # a fault of ours, too, is an end with a reason, and not a silence
            if not self._stop.is_set():
                self.condition, self.message = "failed", reason(self.address, error)
                self._put(SourceEnded())
        self.condition = "ended" if not self.message else self.condition

    def _pass_on(self, current: _DecodedSource) -> None:
        self.condition, self.message = "open", ""
        try:
            for item in current.items():
                self._put(item)
                if self._stop.is_set():
                    return
        except (FFmpegError, OSError) as error:
            self.message = reason(self.address, error)
        finally:
            current.close()

    def _next(self) -> _DecodedSource | None:
        """Reopen the source; None at its end."""
        if self._stop.is_set():
            return None
        if self.address.kind == "file" and self._options.loops:
            return self._open()
        if self.address.ends and (not self.message or self.address.kind in ("file", "pipe")):
            self.condition = "failed" if self.message else "ended"
            self._put(SourceEnded())
            return None
        return self._again()

    def _again(self) -> _DecodedSource | None:
        lost, backoff = time.monotonic(), _FIRST_BACKOFF_SECONDS
        self.condition, self.message = "retrying", self.message or "it ended"
        while not self._stop.wait(backoff):
            try:
                found = self._open()
            except MediaError as error:
                self.message = str(error)
            else:
                self.reconnects += 1
                return found
            limit = self._options.give_up_seconds
            if limit is not None and time.monotonic() - lost > limit:
                self.condition, self.message = "failed", f"it stayed away for {limit:g} s: {self.message}"
                self._put(SourceEnded())
                return None
            backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
        return None

    def _put(self, item: Arrival) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue
