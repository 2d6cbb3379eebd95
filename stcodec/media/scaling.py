"""Frames in another size."""

from __future__ import annotations

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter


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
