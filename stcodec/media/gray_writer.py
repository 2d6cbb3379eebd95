"""Writes maps as a gray video of a source's size and frames: what encoders that take maps as a second video read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from stcodec.media.paths import file_error, local_url
from stcodec.types import FloatArray, VideoInfo


class GrayVideoWriter:
    """8-bit gray FFV1, a picture a frame. Raises MediaError if the file can't be written."""

    def __init__(self, path: Path, video: VideoInfo, name: str) -> None:
        """name: what messages call the file."""
        self._name = name
        self._video = video
        try:
            self._container: OutputContainer = av.open(local_url(path), "w")
            stream = self._container.add_stream("ffv1", rate=video.frame_rate or Fraction(25))
        except (FFmpegError, OSError, ValueError) as error:
            raise file_error(name, "can't be written", error) from None
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = video.width_px, video.height_px, "gray"
        stream.codec_context.color_range = ColorRange.JPEG
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except (FFmpegError, OSError) as failure:
            if error is None:
                raise file_error(self._name, "can't be written", failure) from None

    def write(self, saliency: FloatArray) -> None:
        """A map [h, w] in coded orientation, values in [0, 1], for the next frame."""
        pixels = np.rint(255 * np.clip(saliency, 0, 1)).astype(np.uint8)
        small = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="gray")
        try:
            self._container.mux(self._stream.encode(small.reformat(self._video.width_px, self._video.height_px, "gray")))
        except (FFmpegError, OSError) as error:
            raise file_error(self._name, "can't be written", error) from None
