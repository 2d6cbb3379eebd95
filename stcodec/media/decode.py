"""Decoding a file: frames with times that can be trusted, and every other stream's packets on the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.format import Flags
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec import interrupts
from stcodec.errors import MediaError
from stcodec.media.paths import check_input, display_name, file_error, local_url
from stcodec.media.probe import is_cover, main_video, side_data, video_info
from stcodec.media.timeline import Timeline
from stcodec.media.timestamps import BestEffortPts
from stcodec.media.truncation import missing_bytes
from stcodec.types import VideoInfo

PacketSink = Callable[["Packet[Any]"], None]
_RESYNCING = ("matroska,webm",)
"""Demuxers of containers whose header says how long they last, and that go on behind what they can't read."""
_INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Demuxers that go to a time by an index, and give it the very times that reading from the start does."""
_REORDERED_SECONDS = 1
"""A picture comes no more than this before one that is shown earlier."""
_REORDERED = 8
"""Frames: the one that is cut off comes this far before the last shown, at most."""
_TEXT = ("tty", "bin", "xbin", "adf", "idf")
"""Demuxers that make a film of any file whose name ends like a text's."""


class VideoReader:
    """A video file, open for decoding. Opening decodes the first frame, so that what is open can be decoded.

    Frames may be read on one thread while another closes it, as an interrupt does: then reading raises MediaError.

    Raises MediaError for a path that is no file, no video, or a video of which nothing decodes.
    """

    def __init__(self, path: str | os.PathLike[str], *, export: str = "", keep_partial: bool = False) -> None:
        """export: side data the decoder shall export ("mvs", "venc_params"); keep_partial: go on after damage."""
        self.path = check_input(path)
        self.name = display_name(self.path)
        self.export = export
        self.keep_partial = keep_partial
        self.damaged_packets = 0
        self.corrupt_frames = 0
        self.frames_read = 0
        self._check_whole()
        self._using = threading.Lock()
        """Held while libav works: its memory must not go meanwhile."""
        self._is_closed = False
        self.container = self._open()
        self._timeline = Timeline(has_running_clock=Flags.ts_discont in Flags(self.container.format.flags))
        self._origin_seconds = Fraction(0)
        """What is added to all times so that the picture does not begin before 0."""
        try:
            self.stream = self._choose()
            self._index = self.stream.index
            # With frame threads libavcodec exports vectors and QPs of frames that are still being decoded.
            self.stream.thread_type = "SLICE" if export else "AUTO"
            if export:
                self.stream.codec_context.options = {"export_side_data": export}
            self._end_seconds = 0.0
            self._held_packets: list[Packet[Any]] = []
            self._sink: PacketSink | None = self._held_packets.append
            self._decoded = self._decode()
            self.first_frame = self._first_frame()
        except BaseException:
            self.close()
            raise
        self.info: VideoInfo = video_info(self.container, self.stream, self.first_frame)
        self._origin_seconds = self._find_origin()
        self.info = replace(self.info, start_seconds=self.info.start_seconds + float(self._origin_seconds))
        rate = self.info.frame_rate
        matrix = side_data(self.first_frame, "DISPLAYMATRIX")
        self.display_matrix = None if matrix is None else memoryview(matrix).cast("i").tolist()
        """The container's 3x3 display matrix, row by row in libavutil's fixed point; None if it has none."""
        self.cover_pictures = {
            packet.stream.index: bytes(packet) for packet in self._held_packets if is_cover(packet.stream)
        }
        """Cover art, encoded, by stream index; containers give it before the first frame."""
        frame_ticks = round(1 / rate / self.info.time_base) if rate else 1
        self._pts = BestEffortPts(frame_ticks, prefer_dts=self.container.format.name == "avi")
        self._last_corrupt = -_REORDERED
        self._promised_seconds = (
            (self.container.duration or 0) / av.time_base if self.container.format.name in _RESYNCING else 0.0
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it may be done again."""
        with self._using:
            self._is_closed = True
            self.container.close()

    def other_streams(self) -> list[Stream]:
        """Every stream but the one that is decoded."""
        return [stream for stream in self.container.streams if stream.index != self.stream.index]

    @property
    def is_mirrored(self) -> bool:
        """Whether the display matrix mirrors the picture, beside any turn."""
        matrix = self.display_matrix
        return matrix is not None and matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0

    @property
    def repaired_times(self) -> int:
        """Frames whose time had to be made up."""
        return self._pts.repaired

    def time_notes(self) -> list[str]:
        """What was done to the times of what was read so far, for people."""
        return self._timeline.notes()

    def frames(self, on_packet: PacketSink | None = None) -> Iterator[VideoFrame]:
        """All frames in presentation order; pts strictly increasing, in ticks of `info.time_base`.

        on_packet takes the packets of all other streams as they come by. Call once. Raises MediaError on damage and on
        a file that ends early, unless keep_partial was given.
        """
        self._sink = on_packet
        if on_packet is not None:
            for packet in self._held_packets:
                on_packet(self._placed(packet))
        self._held_packets.clear()
        yield self._timed(self.first_frame)
        for frame in self._decoded:
            yield self._timed(frame)
        self._check_end()

    def pass_by(self, on_packet: PacketSink) -> Iterator[None]:
        """Instead of `frames`: on_packet takes the packets of all other streams; stops at each of ours, which is dropped."""
        for packet in self._held_packets:
            on_packet(self._placed(packet))
        self._held_packets.clear()
        for packet in self._demux():
            if packet.stream_index == self._index:
                yield
            else:
                on_packet(self._placed(packet))

    def seek(self, seconds: float) -> Iterator[VideoFrame]:
        """Frames from the key frame before a time on, with the times that `frames` gives them; none if it can't be gone to.

        A container with an index is gone to at once. The times of others depend on all that was read before, so that they
        are read from the start, without decoding. Call on a reader of which no frame was taken.
        """
        self._sink = None
        seconds -= float(self._origin_seconds)
        if self.container.format.name in _INDEXED:
            try:
                self.container.seek(int(seconds / self.info.time_base), stream=self.stream)
            except (FFmpegError, OSError):
                return
            self._timeline = Timeline(has_running_clock=self._timeline.has_running_clock)  # it goes back on purpose
            frames = self._decode()
        else:
            frames = self._decode_from(seconds)
        for frame in frames:
            frame.time_base = self.info.time_base  # those that come out at the end have none
            if frame.pts is not None:
                frame.pts += round(self._origin_seconds / self.info.time_base)
            yield frame

    def _decode_from(self, seconds: float) -> Iterator[VideoFrame]:
        """Frames from the last key frame before a time on; packets before it are read, but not decoded."""
        wanted = seconds / self.info.time_base
        waiting: list[Packet[Any]] = []
        skips = False
        for packet in self._demux():
            if packet.stream_index != self._index:
                continue
            if packet.pts is not None and packet.is_keyframe and packet.pts <= wanted:
                waiting.clear()
                skips = True
            waiting.append(packet)
            if packet.pts is not None and packet.pts > wanted + _REORDERED_SECONDS / self.info.time_base:
                break
        if skips:
            self.stream.codec_context.flush_buffers()
        else:
            yield self.first_frame
        for packet in waiting:
            yield from self._decode_packet(packet)
        yield from self._decoded

    def _find_origin(self) -> Fraction:
        """Seconds to add so that nothing of the picture lies before 0, where players would not show it."""
        first = self.first_frame.pts
        start = Fraction(0) if first is None else first * self.info.time_base
        if self._timeline.has_running_clock and self.container.start_time is not None:
            start = min(start, Fraction(self.container.start_time, av.time_base))
        return max(-start, Fraction(0))

    def _placed(self, packet: Packet[Any]) -> Packet[Any]:
        """A packet of another stream at the time that the output gives it."""
        if self._origin_seconds and packet.time_base is not None:
            ticks = round(self._origin_seconds / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet

    def _check_whole(self) -> None:
        try:
            missing = missing_bytes(self.path)
        except OSError as error:
            raise file_error(self.name, "can't be read", error) from None
        if missing:
            self._damage(f"it is cut off, {missing} bytes are missing at its end")

    def _open(self) -> InputContainer:
        try:
            # pattern_type: "%d" in the name of a picture is no pattern for several.
            container = av.open(local_url(self.path), "r", options={"pattern_type": "none"}, metadata_errors="replace")
        except (FFmpegError, OSError) as error:
            raise file_error(self.name, "not a media file that can be opened", error) from None
        if container.format.name in _TEXT:
            container.close()
            raise MediaError(f"{self.name}: is a text, not a video")
        return container

    def _choose(self) -> VideoStream:
        stream = main_video(self.container)
        if stream is None:
            kinds = ", ".join(sorted({one.type for one in self.container.streams})) or "nothing"
            raise MediaError(f"{self.name}: has no video that can be decoded (it holds {kinds})")
        return stream

    def _first_frame(self) -> VideoFrame:
        frame = next(self._decoded, None)
        if frame is None:
            raise MediaError(f"{self.name}: no frame of its {self.stream.codec_context.name} video could be decoded")
        return frame

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._demux():
            if packet.stream_index == self._index:
                yield from self._decode_packet(packet)
            elif self._sink is not None:
                self._sink(self._placed(packet))
        yield from self._decode_packet(None)

    def _demux(self) -> Iterator[Packet[Any]]:
        """All packets; the empty ones with which PyAV marks the end of each stream are left out."""
        try:
            packets = self.container.demux()
            while (packet := self._next(packets)) is not None:
                if packet.size and self._timeline(packet):
                    if packet.pts is not None and packet.time_base is not None:
                        end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                        self._end_seconds = max(self._end_seconds, end)
                    yield packet
        except (FFmpegError, OSError) as error:
            self._damage(f"reading stopped ({_reason(error)})")

    def _next(self, packets: Iterator[Packet[Any]]) -> Packet[Any] | None:
        interrupts.check()
        with self._using:
            self._check_open()
            return next(packets, None)

    def _check_open(self) -> None:
        if self._is_closed:
            raise MediaError(f"{self.name}: was closed while it was read")

    def _decode_packet(self, packet: Packet[Any] | None) -> list[VideoFrame]:
        try:
            with self._using:
                self._check_open()
                return self.stream.decode(packet)
        except FFmpegError as error:
            self._damage(f"a packet of the video can't be decoded ({_reason(error)})")
            return []

    def _damage(self, what: str) -> None:
        self.damaged_packets += 1
        if not self.keep_partial:
            raise MediaError(
                f"{self.name}: damaged after {self.frames_read} frames: {what}; --keep-partial keeps what can be decoded"
                if self.frames_read
                else f"{self.name}: damaged: {what}; --keep-partial keeps what can be decoded"
            )

    def _timed(self, frame: VideoFrame) -> VideoFrame:
        origin = round(self._origin_seconds / self.info.time_base)
        frame.pts = self._pts(frame.pts, frame.dts) + origin
        frame.time_base = self.info.time_base
        self.frames_read += 1
        if frame.is_corrupt:
            self.corrupt_frames += 1
            self._last_corrupt = self.frames_read
        return frame

    def _check_end(self) -> None:
        if self.frames_read - self._last_corrupt < _REORDERED:
            self._damage("it ends in the middle of a frame")
        # Behind damage that hides where the next packet begins the demuxer finds nothing, and says nothing.
        promised = self._promised_seconds
        if promised - self._end_seconds > max(1.0, 0.05 * promised):
            self._damage(f"nothing can be read after {self._end_seconds:.2f} s of the {promised:.2f} s that it promises")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
