"""One open file: its packets on one clock, and the frames of its video with times that can be trusted."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.format import Flags
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec import interrupts
from stcodec.errors import OUT_OF_RESOURCES, MediaError
from stcodec.media.limits import limits
from stcodec.media.open_input import open_input
from stcodec.media.paths import check_input, display_name, file_error
from stcodec.media.probe import main_video
from stcodec.media.timeline import Timeline, has_running_clock, origin_of
from stcodec.media.timestamps import BestEffortPts
from stcodec.media.truncation import missing_bytes
from stcodec.media.unreadable import why_unreadable

PacketSink = Callable[["Packet[Any]"], None]
_RESYNCING = ("matroska,webm",)
"""Demuxers of containers whose header says how long they last, and that go on behind what they can't read."""
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Demuxers that go to a time by an index, and give it the very times that reading from the start does."""
_REORDERED_SECONDS = 1
"""A picture comes no more than this before one that is shown earlier."""
_STEP_SECONDS = 0.1
"""Audio's priming lies before 0, and is shorter."""
_WITHOUT_INDEX = ("flv", "mpegts", "mpeg")
"""Demuxers of containers that hold packets to the end of the file."""
_LEFT_BYTES, _LEFT_SHARE = 100_000, 0.05
"""More than this behind the last packet is more than a trailer."""
_UNDATED_BYTES = 1 << 28
"""Of frames at the beginning without a time that are waited with until one has one."""
_REORDERED = 8
"""Frames: the one that is cut off comes this far before the last shown, at most."""
_TEXT = ("tty", "bin", "xbin", "adf", "idf")
"""Demuxers that make a video of any file whose name ends like a text's."""
_UNALIGNED = 1
"""AV_CODEC_FLAG_UNALIGNED: without it decoders crop on the left to what suits their memory, not to what is asked for."""


class FileDecoder:
    """A video file, open for decoding. `go_to` once or never, then `frames` or `packets` once.

    Frames may be read on one thread while another closes it, as an interrupt does: then reading raises MediaError.
    """

    def __init__(self, path: str | os.PathLike[str], sink: PacketSink, *, export: str, keep_partial: bool) -> None:
        """sink: takes the packets of all streams but the video as they come by, to be given to `place`.

        export, keep_partial: as `VideoReader`.

        Raises MediaError for a path that is no file or no video.
        """
        self.path = check_input(path)
        self.name = display_name(self.path)
        self._sink = sink
        self._keep_partial = keep_partial
        self.damaged_packets = 0
        self.corrupt_frames = 0
        self.frames_read = 0
        self._check_readable()
        self._check_whole()
        self._using = threading.Lock()
        """Held while libav works: its memory must not go meanwhile."""
        self._stream: VideoStream | None = None
        self.container = self._open()
        try:
            self._stream = self._choose()
            self._index = self._stream.index
            context = self.stream.codec_context
            # With frame threads libavcodec exports vectors and QPs of frames that are still being decoded.
            self.stream.thread_type = "SLICE" if export else "AUTO"
            context.flags |= _UNALIGNED
            context.options = limits().decoder_options | ({"export_side_data": export} if export else {})
        except BaseException:
            self.close()
            raise
        self.time_base = self.stream.time_base or Fraction(1, 1000)
        self.timeline = Timeline(has_running_clock=has_running_clock(self.container))
        self.origin_seconds = origin_of(self.container, self.stream)
        """Added to all times."""
        rate = self.stream.average_rate or self.stream.guessed_rate or self.stream.base_rate
        self._frame_ticks = max(1, round(1 / rate / self.time_base)) if rate else 1
        self.pts = BestEffortPts(self._frame_ticks, prefer_dts=self.container.format.name == "avi")
        self._is_sought = False
        self._waiting: list[Packet[Any]] = []
        self._end_seconds = 0.0
        self._end_bytes = 0
        self._last_corrupt = -_REORDERED

    def close(self) -> None:
        """Close the file; it may be done again. The decoder goes too, with all pictures that it keeps for the next ones."""
        with self._using:
            self.container.close()
            self._stream = None

    @property
    def stream(self) -> VideoStream:
        """The stream of the video. Raises MediaError once the file is closed."""
        if self._stream is None:
            raise self._closed()
        return self._stream

    def go_to(self, seconds: float) -> bool:
        """Have `frames` begin with the key frame before a time; False if it can't be gone to.

        A container with an index is gone to at once. The times of others depend on all that was read before, so that they
        are read from the start, without decoding.
        """
        if (self.container.start_time or 0) / av.time_base < -_STEP_SECONDS and not self.timeline.has_running_clock:
            return False  # how far before 0 the picture begins is only known when its first frame is
        self._is_sought = True
        wanted = (seconds - float(self.origin_seconds)) / self.time_base
        if self.container.format.name in _INDEXED:
            try:
                self.container.seek(int(wanted), stream=self.stream)
            except (FFmpegError, OSError):
                return False
            return True
        for packet in self._demux():
            if packet.stream_index != self._index:
                self._sink(packet)
                continue
            if packet.pts is not None and packet.is_keyframe and packet.pts <= wanted:
                self._waiting.clear()
            self._waiting.append(packet)
            if packet.pts is not None and packet.pts > wanted + _REORDERED_SECONDS / self.time_base:
                break
        return True

    def frames(self) -> Iterator[VideoFrame]:
        """Frames in presentation order; pts strictly increasing, in ticks of `time_base`.

        Raises MediaError on damage, unless it is kept; `check_end` tells whether the file ended early.
        """
        for frame in self._decoded() if self._is_sought else self._with_dated_beginning(self._decoded()):
            if self._time(frame):
                yield frame

    def _with_dated_beginning(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        """The frames; those of the beginning that have no time are counted back from the first that has one."""
        lead = deque[VideoFrame]()
        room = 0 if Flags.no_timestamps in Flags(self.container.format.flags) else _UNDATED_BYTES
        for frame in frames:
            time = frame.pts if frame.pts is not None else frame.dts
            if time is None and room > 0:
                lead.append(frame)
                room -= sum(plane.buffer_size for plane in frame.planes)
                continue
            for before, one in zip(range(len(lead), 0, -1), lead, strict=True):
                one.pts = None if time is None else time - before * self._frame_ticks
            lead.append(frame)
            break
        while lead:  # none is held once it has been given
            yield lead.popleft()
        yield from frames

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._waiting:
            yield from self._decode(packet)
        for packet in self._demux():
            if packet.stream_index == self._index:
                yield from self._decode(packet)
            else:
                self._sink(packet)
        yield from self._decode(None)

    def packets(self) -> Iterator[float]:
        """Instead of `frames`: the times of the video's packets, which are dropped; the others go to the sink."""
        for packet in self._demux():
            if packet.stream_index == self._index:
                yield float((packet.dts or 0) * self.time_base + self.origin_seconds)
            else:
                self._sink(packet)

    def check_end(self) -> None:
        """Raise MediaError, unless damage is kept, if the video that was read to its end ended early."""
        if self.frames_read - self._last_corrupt < _REORDERED:
            self._damage("it ends in the middle of a frame")
        # Behind damage that hides where the next packet begins the demuxer finds nothing, and says nothing.
        is_resyncing = self.container.format.name in _RESYNCING
        promised = (self.container.duration or 0) / av.time_base if is_resyncing else 0.0
        if promised - self._end_seconds > max(1.0, 0.05 * promised):
            self._damage(f"nothing can be read after {self._end_seconds:.2f} s of the {promised:.2f} s that it promises")

    def notes(self) -> list[str]:
        """Messages on repaired times, and on what was left unread in a file that was read to its end."""
        size = self.path.stat().st_size
        left = size - self._end_bytes
        if self.container.format.name not in _WITHOUT_INDEX or left < max(_LEFT_BYTES, _LEFT_SHARE * size):
            return self.timeline.notes()
        said = f"the last {left / 1e6:.1f} MB of the file are left out: libav finds no more of the video in them"
        return [*self.timeline.notes(), said]

    def _check_readable(self) -> None:
        try:
            reason = why_unreadable(self.path)
        except OSError as error:
            raise file_error(self.name, "can't be read", error) from None
        if reason is not None:
            raise MediaError(f"{self.name}: {reason}", path=self.path)

    def _check_whole(self) -> None:
        try:
            missing = missing_bytes(self.path)
        except OSError as error:
            raise file_error(self.name, "can't be read", error) from None
        if missing:
            self._damage(f"it is cut off, {missing} bytes are missing at its end")

    def _open(self) -> InputContainer:
        container = open_input(self.path)
        if container.format.name in _TEXT:
            container.close()
            raise MediaError(f"{self.name}: is a text, not a video")
        return container

    def _choose(self) -> VideoStream:
        stream = main_video(self.container)
        if stream is None:
            if any(one.codec_context is None for one in self.container.streams if one.type == "video"):
                raise MediaError(f"{self.name}: the format of its video is not supported by the ffmpeg here", path=self.path)
            kinds = ", ".join(sorted({one.type for one in self.container.streams})) or "nothing"
            raise MediaError(f"{self.name}: has no video that can be decoded (it holds {kinds})")
        return stream

    def place(self, packet: Packet[Any]) -> None:
        """Give a packet of another stream the time that belongs to the frames; when the first of them is there."""
        if self.origin_seconds and packet.time_base is not None:
            ticks = round(self.origin_seconds / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _demux(self) -> Iterator[Packet[Any]]:
        """All packets; the empty ones with which PyAV marks the end of each stream are left out."""
        try:
            packets = self.container.demux()
            while (packet := self._next(packets)) is not None:
                if packet.size and self.timeline(packet):
                    if packet.pts is not None and packet.time_base is not None:
                        end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                        self._end_seconds = max(self._end_seconds, end)
                    self._end_bytes = max(self._end_bytes, (packet.pos or 0) + packet.size)
                    yield packet
        except (FFmpegError, OSError) as error:
            self._damage(f"reading stopped ({_reason(error)})", error)

    def _next(self, packets: Iterator[Packet[Any]]) -> Packet[Any] | None:
        interrupts.check()
        with self._using:
            if self._stream is None:
                raise self._closed()
            return next(packets, None)

    def _closed(self) -> MediaError:
        return MediaError(f"{self.name}: was closed while it was read")

    def _decode(self, packet: Packet[Any] | None) -> Iterator[VideoFrame]:
        try:
            with self._using:
                frames = self.stream.decode(packet)
        except FFmpegError as error:
            self._damage(f"a packet of the video can't be decoded ({_reason(error)})", error)
            return
        yield from frames

    def _time(self, frame: VideoFrame) -> bool:
        """Give a frame its time; False if it has none and nothing can tell."""
        if not self._is_sought:
            pts = self.pts(frame.pts, frame.dts)
            if not self.frames_read:
                self.origin_seconds = max(self.origin_seconds, -pts * self.time_base)
        elif frame.pts is None:
            return False
        else:
            pts = frame.pts
        frame.pts = pts + round(self.origin_seconds / self.time_base)
        frame.time_base = self.time_base  # those that come out at the end have none
        self.frames_read += 1
        if frame.is_corrupt:
            self.corrupt_frames += 1
            self._last_corrupt = self.frames_read
        return True

    def _damage(self, what: str, error: FFmpegError | OSError | None = None) -> None:
        if error is not None and error.errno in OUT_OF_RESOURCES:
            lacking = f"can't be decoded: no memory, threads or file descriptors are left ({_reason(error)})"
            raise MediaError(f"{self.name}: {lacking}", path=self.path, errno=error.errno)
        self.damaged_packets += 1
        if not self._keep_partial:
            raise MediaError(
                f"{self.name}: damaged after {self.frames_read} frames: {what}; --keep-partial keeps what can be decoded"
                if self.frames_read
                else f"{self.name}: damaged: {what}; --keep-partial keeps what can be decoded"
            )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
