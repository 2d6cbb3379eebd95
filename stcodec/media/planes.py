"""Decoded pictures as raw planes, as they are in the file: nothing is scaled from limited to full range."""

from __future__ import annotations

from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from stcodec.types import VideoInfo

Plane = NDArray[np.uint8] | NDArray[np.uint16]

_FULL_RANGE = 2
_GRAY_CHROMA = 0.5
"""Of the range: no colour."""


def common_format(one: VideoInfo, other: VideoInfo) -> str:
    """The format that two videos are compared in: 4:2:0 (metrics look at luma), with the deeper one's bits, 10 at most."""
    return "yuv420p10le" if max(one.bit_depth, other.bit_depth) > 8 else "yuv420p"


def is_full_range(video: VideoInfo) -> bool:
    """Whether luma spans 0 to 255 (of 8 bits). Untagged gray does, as in swscale; other untagged video does not."""
    if video.pix_fmt.startswith("gray") and video.colour.range == 0:
        return True
    return video.colour.range == _FULL_RANGE or video.pix_fmt.startswith("yuvj")


class PlaneReader:
    """Turns frames of one video into planes of a format: luma [H, W] and two of chroma; uint8, or uint16 for 10 bits."""

    def __init__(self, pix_fmt: str) -> None:
        self._pix_fmt = pix_fmt
        self._depth = 10 if pix_fmt.endswith("10le") else 8
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> list[Plane]:
        """The planes; as long as no conversion was needed they share the frame's memory."""
        if frame.format.name.startswith("gray") and frame.format.components[0].bits in (8, self._depth):
            return self._with_no_colour(frame)
        own = frame.format.name.replace("yuvj", "yuv")
        if own != self._pix_fmt:
            # Its own range on both sides: what is compared are the samples in the files. RGB turns limited, as in an encode.
            has_luma = not frame.format.is_rgb and own != "pal8"
            colours = {"src_color_range": frame.color_range, "dst_color_range": frame.color_range} if has_luma else {}
            frame = self._scaler.reformat(frame, format=self._pix_fmt, threads=1, **colours)
        return [_samples(plane, self._depth) for plane in frame.planes]

    def _with_no_colour(self, frame: VideoFrame) -> list[Plane]:
        bits = frame.format.components[0].bits
        luma = _samples(frame.planes[0], bits)
        if bits < self._depth:
            luma = np.left_shift(luma, self._depth - bits, dtype=np.uint16)
        chroma = np.full((-(-frame.height // 2), -(-frame.width // 2)), int(_GRAY_CHROMA * 2**self._depth), luma.dtype)
        return [luma, chroma, chroma]


def _samples(plane: VideoPlane, depth: int) -> Plane:
    """[height, width] of a plane, without a copy and without its padding."""
    data = cast("bytes", plane)
    rows: Plane = np.frombuffer(data, np.uint8) if depth == 8 else np.frombuffer(data, np.uint16)
    return rows.reshape(plane.height, -1)[:, : plane.width]
