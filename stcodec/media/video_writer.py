"""Pictures as a video, with the audio and everything else of the video that they were made of."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from stcodec.media.decode import VideoReader
from stcodec.media.mux import Muxer
from stcodec.media.paths import file_error
from stcodec.orientation import to_coded

_OPTIONS = {"crf": "20", "preset": "veryfast"}
_BT709 = 1
_LIMITED_RANGE = 1


class VideoWriter:
    """Writes RGB pictures as H.264, at the times of the frames they were made of; other streams are copied.

    Pictures come in display orientation and are shown so: the video keeps the input's rotation. Raises MediaError.
    """

    def __init__(self, path: Path, name: str, reader: VideoReader, width_px: int, height_px: int) -> None:
        """width_px, height_px: of the pictures, even; name: the file's, in messages."""
        self._reader = reader
        self._name = name
        self._degrees = reader.info.rotation_degrees
        self._scaler = VideoReformatter()
        self._muxer = Muxer(path, "libx264", reader.info.frame_rate, shown_name=name)
        context = self._muxer.video.codec_context
        turned = self._degrees in (90, 270)
        context.width, context.height = (height_px, width_px) if turned else (width_px, height_px)
        context.pix_fmt = "yuv420p"
        context.time_base = reader.info.time_base
        context.color_range = _LIMITED_RANGE
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        if reader.info.sample_aspect_ratio:
            context.sample_aspect_ratio = reader.info.sample_aspect_ratio
        context.options = dict(_OPTIONS)
        self._muxer.copy_from(reader)

    @property
    def messages(self) -> list[str]:
        """Parts of the input that are not in the result."""
        return self._muxer.messages

    def __enter__(self) -> Self:
        self._muxer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._encode(None)
        finally:
            self._muxer.__exit__(kind, error, trace)

    def write(self, frame: VideoFrame, picture: NDArray[np.uint8]) -> None:
        """Add a picture [h, w, 3] at the time of a frame."""
        turned = np.ascontiguousarray(to_coded(picture, self._degrees))
        coded = self._scaler.reformat(
            VideoFrame.from_ndarray(turned, format="rgb24"), format="yuv420p", dst_colorspace=Colorspace.ITU709
        )
        coded.pts, coded.time_base = frame.pts, self._reader.info.time_base
        self._encode(coded)

    def copy(self, packet: Packet[Any]) -> None:
        """Add a packet of another stream of the input."""
        self._muxer.write_copy(packet)

    def _encode(self, frame: VideoFrame | None) -> None:
        try:
            packets = self._muxer.video.encode(frame)
        except (FFmpegError, OSError) as error:
            raise file_error(self._name, "the video can't be encoded", error) from None
        write = self._muxer.end_video if frame is None else self._muxer.write_video
        write(packets)
