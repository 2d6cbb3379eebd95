"""Frames made smaller."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter


class Scaler:
    """Makes frames of one size, averaged over areas where they shrink; their times stay."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._size = width_px, height_px
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        times = frame.pts, frame.time_base
        scaled = self._scaler.reformat(frame, *self._size, interpolation=Interpolation.AREA, threads=1)
        scaled.pts, scaled.time_base = times
        return scaled
