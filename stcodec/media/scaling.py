"""Frames in another size, and small RGB pictures of them, by swscale."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from stcodec.orientation import to_display
from stcodec.types import VideoInfo


class Scaler:
    """Makes frames of one size, averaged over areas where they shrink; their times stay."""

    def __init__(self, width_px: int, height_px: int, *, enlarges: bool = False) -> None:
        """enlarges: for frames that are made larger, as players make them (bicubic)."""
        self._size = width_px, height_px
        self._interpolation = Interpolation.BICUBIC if enlarges else Interpolation.AREA
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        pts, duration, time_base = frame.pts, frame.duration, frame.time_base
        scaled = self._scaler.reformat(frame, *self._size, interpolation=self._interpolation, threads=1)
        scaled.pts, scaled.duration = pts, duration
        if time_base is not None:  # those that a decoder gives at its end have none
            scaled.time_base = time_base
        return scaled


class Thumbnailer:
    """Makes thumbnails of one video: [h, w, 3] uint8 RGB in display orientation."""

    def __init__(self, video: VideoInfo, side_px: int, *, fast: bool = False) -> None:
        """side_px: the longest side; the aspect is kept as far as whole pixels allow, no side falls below 1.

        fast: point-sampled across many source pixels (for comparing frames), else averaged over them (for looking).
        """
        scale = min(1.0, side_px / max(video.width_px, video.height_px))
        self._width = max(1, round(video.width_px * scale))
        self._height = max(1, round(video.height_px * scale))
        self._interpolation = Interpolation.FAST_BILINEAR if fast else Interpolation.AREA
        self._degrees = video.rotation_degrees
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        small = self._scaler.reformat(
            frame, self._width, self._height, "rgb24", interpolation=self._interpolation, threads=1
        )
        return np.ascontiguousarray(to_display(small.to_ndarray(), self._degrees))
