"""Cuts, seen as they happen: nothing that comes later can be waited for."""

from __future__ import annotations

from collections import deque

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.media.scaling import Thumbnailer
from stcodec.types import VideoInfo

_SIDE_PX = 48
_WINDOW = 4
"""Frames before, whose changes a frame's change is compared with."""
_RATIO = 3.0
_LEAST_CHANGE = 12.0
"""Grey levels of 255: below this no change is a cut."""
_LEAST_SHOT_FRAMES = 6


class CutDetector:
    """Whether a frame begins a shot, by its change against the frame before: much, and much more than just before.

    A flash counts as a cut, its end doesn't; dissolves are none. `stcodec.media.shots` knows more, two frames late.
    """

    def __init__(self, video: VideoInfo) -> None:
        self._thumbnail = Thumbnailer(video, _SIDE_PX, fast=True)
        self._before: NDArray[np.int16] | None = None
        self._changes: deque[float] = deque(maxlen=_WINDOW)
        self._since_start = 0

    def __call__(self, frame: VideoFrame) -> bool:
        picture = self._thumbnail(frame).astype(np.int16)
        before, self._before = self._before, picture
        if before is None:
            return True
        change = float(np.abs(picture - before).mean())
        usual = sum(self._changes) / max(1, len(self._changes))
        self._changes.append(change)
        self._since_start += 1
        starts = change >= _LEAST_CHANGE and change >= _RATIO * usual and self._since_start >= _LEAST_SHOT_FRAMES
        if starts:
            self._since_start = 0
            self._changes.clear()
        return starts
