"""Frames made fit to encode: deinterlaced, upright, and of one size and format."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from stcodec.media.filters import FilterChain
from stcodec.orientation import to_display
from stcodec.stream.plans import PIX_FMT

_YADIF = "yadif=mode=send_frame:deint=interlaced"


class Deinterlacer:
    """Filter that passes progressive frames on; from the first interlaced one each goes through yadif, a frame late."""

    def __init__(self) -> None:
        self._chain: FilterChain | None = None
        self._shape: tuple[int, int, str] | None = None

    def __call__(self, frame: VideoFrame) -> list[VideoFrame]:
        shape = (frame.width, frame.height, frame.format.name)
        if self._chain is not None and shape != self._shape:
            self._chain = None  # what is still in there is lost: a frame, where the size changes
        if self._chain is None:
            if not frame.interlaced_frame:
                return [frame]
            self._chain, self._shape = FilterChain(_YADIF, frame, None, None), shape
        return list(self._chain(frame))


_BLACK = 16, 128, 128


class FrameFitter:
    """Scaler of frames to one size, aspect kept, black bars beside; a frame that fits is passed on."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._width = width_px
        self._height = height_px
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame, rotation_degrees: int = 0) -> VideoFrame:
        """rotation_degrees: clockwise turn that makes it upright."""
        if rotation_degrees:
            frame = _turned(self._scaled(frame, frame.width // 2 * 2, frame.height // 2 * 2), rotation_degrees)
        scale = min(self._width / frame.width, self._height / frame.height)
        width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        # A column less than even, and shapes that differ by rounding, are no reason for black edges.
        width = self._width if self._width - width <= 2 else width
        height = self._height if self._height - height <= 2 else height
        scaled = self._scaled(frame, width, height)
        return scaled if (width, height) == (self._width, self._height) else self._framed(scaled)

    def _scaled(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        if (frame.width, frame.height, frame.format.name) == (width, height, PIX_FMT):
            return frame
        return self._scaler.reformat(frame, width, height, PIX_FMT, interpolation=Interpolation.AREA, threads=1)

    def _framed(self, frame: VideoFrame) -> VideoFrame:
        canvas = _like(frame, self._width, self._height)
        top, left = (self._height - frame.height) // 4 * 2, (self._width - frame.width) // 4 * 2
        for index, (source, target) in enumerate(zip(_arrays(frame), _arrays(canvas), strict=True)):
            shift = 0 if index == 0 else 1
            target[:] = _BLACK[index]
            rows, cols = source.shape
            target[top >> shift : (top >> shift) + rows, left >> shift : (left >> shift) + cols] = source
        return canvas


def copied(frame: VideoFrame) -> VideoFrame:
    """Copy of a frame."""
    copy = _like(frame, frame.width, frame.height)
    for source, target in zip(_arrays(frame), _arrays(copy), strict=True):
        target[:] = source
    return copy


def _turned(frame: VideoFrame, rotation_degrees: int) -> VideoFrame:
    """Turned clockwise."""
    sides = (frame.width, frame.height) if rotation_degrees == 180 else (frame.height, frame.width)
    turned = _like(frame, *sides)
    for source, target in zip(_arrays(frame), _arrays(turned), strict=True):
        target[:] = to_display(source, rotation_degrees)
    return turned


def _like(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    made = VideoFrame(width, height, PIX_FMT)
    made.color_range, made.colorspace = frame.color_range, frame.colorspace
    made.color_primaries, made.color_trc = frame.color_primaries, frame.color_trc
    return made


def _arrays(frame: VideoFrame) -> list[NDArray[np.uint8]]:
    """The planes, without the padding of their lines; writing to them writes to the frame."""

    def view(plane: VideoPlane) -> NDArray[np.uint8]:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return lines[: plane.height, : plane.width]

    return [view(plane) for plane in frame.planes]


def small_rgb(frame: VideoFrame, side_px: int) -> NDArray[np.uint8]:
    """[h, w, 3] RGB, the longest side so long at most. Only reads the planes, which an encoder may be reading too."""
    scale = min(1.0, side_px / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    picture = copied(frame).reformat(width, height, "rgb24", interpolation=Interpolation.AREA, threads=1)
    return np.ascontiguousarray(picture.to_ndarray())
