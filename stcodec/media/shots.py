"""Detection of scene cuts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.media.scaling import Thumbnailer
from stcodec.types import VideoInfo

_SIDE_PX = 48
_WINDOW = 2
"""Frames on either side that a frame's change is compared with; also the delay of the answer."""
_RATIO = 3.0
_LEAST_CHANGE = 10.0
"""Grey levels of 255: below this no change is a cut."""
_LEAST_SHOT_FRAMES = 5


class ShotDetector:
    """Marks the first frame of each shot, `_WINDOW` frames late.

    The change of a frame is its mean absolute difference to the one before, on thumbnails. As in PySceneDetect's
    adaptive detector it must stand out from its neighbours by a ratio, so that fast camera motion is no cut; and all frames
    about it must differ across it, so that a flash of up to `_WINDOW` frames is none, unless the video ends with it.
    A cut less than `_LEAST_SHOT_FRAMES` after a shot's start is not marked, nor are dissolves and fades.
    """

    def __init__(self) -> None:
        self._pictures: deque[NDArray[np.int16]] = deque(maxlen=2 * _WINDOW + 2)
        self._changes: deque[float] = deque(maxlen=2 * _WINDOW + 1)
        self._taken = 0
        self._answered = 0
        self._last_start = 0

    def push(self, picture: NDArray[np.uint8]) -> bool | None:
        """Take a frame's thumbnail; the answer for the frame `_WINDOW` before it, None at the start."""
        signed = picture.astype(np.int16)
        change = float(np.abs(signed - self._pictures[-1]).mean()) if self._pictures else 0.0
        self._pictures.append(signed)
        self._changes.append(change)
        self._taken += 1
        return self._answer() if self._taken > _WINDOW else None

    def flush(self) -> Iterator[bool]:
        """The answers for the last frames."""
        while self._answered < self._taken:
            yield self._answer()

    def _answer(self) -> bool:
        frame = self._answered
        self._answered += 1
        starts = frame == 0 or (self._is_cut(self._taken - 1 - frame) and frame - self._last_start >= _LEAST_SHOT_FRAMES)
        if starts:
            self._last_start = frame
        return starts

    def _is_cut(self, back: int) -> bool:
        """Whether a cut lies before the frame that is `back` frames before the newest."""
        place = len(self._changes) - 1 - back
        change = self._changes[place]
        others = [other for index, other in enumerate(self._changes) if index != place and abs(index - place) <= _WINDOW]
        if change < _LEAST_CHANGE or change < _RATIO * (sum(others) / max(1, len(others))):
            return False
        pictures = list(self._pictures)
        here = len(pictures) - 1 - back
        before, after = pictures[max(0, here - 1 - _WINDOW) : here], pictures[here:]
        return all(float(np.abs(late - early).mean()) > change / 2 for early in before for late in after)


def mark_shots(frames: Iterable[VideoFrame], video: VideoInfo) -> Iterator[tuple[VideoFrame, bool]]:
    """Each frame with whether it begins a shot; two frames late."""
    detector = ShotDetector()
    thumbnail = Thumbnailer(video, _SIDE_PX, fast=True)
    waiting: deque[VideoFrame] = deque()
    for frame in frames:
        waiting.append(frame)
        starts = detector.push(thumbnail(frame))
        if starts is not None:
            yield waiting.popleft(), starts
    for starts in detector.flush():
        yield waiting.popleft(), starts
