"""The luma of a decoded picture of any pixel format, in [0, 1]."""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

from stcodec.types import FloatArray

_REC601 = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B (ITU-R BT.601), those of JPEG and PNG viewers."""


class LumaReader:
    """Turns frames into luma; keeps its scaler from frame to frame."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> FloatArray:
        """[h, w] float32 in [0, 1], exact for 8- and 16-bit gray.

        Untagged gray is full range, untagged YUV limited, as in swscale. RGB, palettes and gray with transparency are
        seen over black: a mask drawn white on transparent means what it shows.
        """
        form = frame.format
        # pal8 and gray with alpha lose up to a level in swscale's way to gray.
        if form.is_rgb or form.name == "pal8" or len(form.components) == 2:
            return self._over_black(frame)
        gray = self._array(frame, "gray16le") / np.float32(65535)
        if form.name.startswith("gray") and frame.color_range == ColorRange.MPEG:
            # swscale takes gray as full range whatever the tag says.
            gray = (gray * 255 - 16) / 219
        luma: FloatArray = np.clip(gray, 0, 1).astype(np.float32, copy=False)
        return luma

    def _over_black(self, frame: VideoFrame) -> FloatArray:
        # From 8 to 16 bits swscale shifts instead of scaling, so white would turn 0.996: each depth stays its own.
        deep = frame.format.components[0].bits > 8
        rgba = self._array(frame, "rgba64le" if deep else "rgba") / np.float32(65535 if deep else 255)
        return np.clip(rgba[..., :3] @ _REC601 * rgba[..., 3], 0, 1).astype(np.float32, copy=False)

    def _array(self, frame: VideoFrame, form: str) -> FloatArray:
        pixels: FloatArray = self._scaler.reformat(frame, format=form, threads=1).to_ndarray().astype(np.float32)
        return pixels
