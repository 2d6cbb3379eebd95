"""Decoding a file: frames with times that can be trusted, and every other stream's packets on the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.paths import check_input, display_name, file_error, local_url
from stcodec.media.probe import is_cover, main_video, video_info
from stcodec.media.side_data import side_data
from stcodec.media.timestamps import BestEffortPts
from stcodec.media.truncation import missing_bytes
from stcodec.types import VideoInfo

PacketSink = Callable[["Packet[Any]"], None]
_RESYNCING = ("matroska,webm",)
"""Demuxers of containers whose header says how long they last, and that go on behind what they can't read."""
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

    def frames(self, on_packet: PacketSink | None = None) -> Iterator[VideoFrame]:
        """All frames in presentation order; pts strictly increasing, in ticks of `info.time_base`.

        on_packet takes the packets of all other streams as they come by. Call once. Raises MediaError on damage and on
        a file that ends early, unless keep_partial was given.
        """
        self._sink = on_packet
        if on_packet is not None:
            for packet in self._held_packets:
                on_packet(packet)
        self._held_packets.clear()
        yield self._timed(self.first_frame)
        for frame in self._decoded:
            yield self._timed(frame)
        self._check_end()

    def pass_by(self, on_packet: PacketSink) -> Iterator[None]:
        """Instead of `frames`: on_packet takes the packets of all other streams; stops at each of ours, which is dropped."""
        for packet in self._held_packets:
            on_packet(packet)
        self._held_packets.clear()
        for packet in self._demux():
            if packet.stream_index == self._index:
                yield
            else:
                on_packet(packet)

    def seek(self, seconds: float) -> Iterator[VideoFrame]:
        """Frames from the key frame before a time on, with the container's own times; none if it can't be gone to."""
        self._sink = None
        try:
            self.container.seek(int(seconds / self.info.time_base), stream=self.stream)
        except (FFmpegError, OSError):
            return
        for frame in self._decode():
            frame.time_base = self.info.time_base  # those that come out at the end have none
            yield frame

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
                self._sink(packet)
        yield from self._decode_packet(None)

    def _demux(self) -> Iterator[Packet[Any]]:
        """All packets; the empty ones with which PyAV marks the end of each stream are left out."""
        try:
            packets = self.container.demux()
            while (packet := self._next(packets)) is not None:
                if packet.size:
                    if packet.pts is not None and packet.time_base is not None:
                        end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                        self._end_seconds = max(self._end_seconds, end)
                    yield packet
        except (FFmpegError, OSError) as error:
            self._damage(f"reading stopped ({_reason(error)})")

    def _next(self, packets: Iterator[Packet[Any]]) -> Packet[Any] | None:
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
        frame.pts = self._pts(frame.pts, frame.dts)
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
