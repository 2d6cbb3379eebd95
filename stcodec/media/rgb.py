"""Decoded pictures in the colours that a display takes."""

from __future__ import annotations

from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from stcodec.orientation import to_display
from stcodec.types import VideoInfo

Rgb = NDArray[np.uint8] | NDArray[np.uint16]


class RgbReader:
    """Turns frames of one video into RGB [H, W, 3], in display orientation: uint8, or uint16 for more than 8 bits."""

    def __init__(self, video: VideoInfo) -> None:
        self._format = "rgb48le" if video.bit_depth > 8 else "rgb24"
        self._rotation_degrees = video.rotation_degrees
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Rgb:
        """The picture."""
        picture = self._scaler.reformat(frame, format=self._format, threads=1).to_ndarray()
        return cast("Rgb", to_display(picture, self._rotation_degrees))
