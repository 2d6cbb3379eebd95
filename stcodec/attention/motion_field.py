"""Motion between two instants: fields of velocity, and the change of the picture beside them.

Everything is measured on grey thumbnails of at most `SIDE_PX` and handed on at the resolution of the maps.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stcodec.attention.global_motion import GlobalMotion
from stcodec.types import FloatArray

GrayImage = NDArray[np.uint8]

SIDE_PX = 160
"""Longest side of the thumbnails that are looked at; larger ones, made for another source, are reduced."""
MIN_COVERAGE = 0.5
"""Share of the blocks that must have a motion vector; below it (intra-coded pictures) the thumbnails serve."""
_MIN_FLOW_SIDE_PX, _MIN_FLOW_LENGTH_PX = 8, 16  # DIS refuses less
_STILL_LEVELS = 4.0  # pictures that differ by less, in the mean, are not searched for a pan
_BETTER_GUESS = 0.87  # a guess must bring the difference of the pictures down to this share
_MIN_CELL_COVER = 0.25
_WINDOW_PX = 5


def gray_thumbnail(rgb: NDArray[np.uint8]) -> GrayImage:
    """[h, w, 3] RGB as luma [h', w'], its longest side reduced to `SIDE_PX`."""
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    longest = max(gray.shape)
    if longest > SIDE_PX:
        height, width = (max(1, round(side * SIDE_PX / longest)) for side in gray.shape)
        gray = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(gray, dtype=np.uint8)


class DenseFlow:
    """Optical flow between thumbnails: DIS (Kroeger et al., ECCV 2016), started from the likeliest pan.

    DIS alone loses displacements over a tenth of the frame, which fast pans reach between two instants.
    """

    def __init__(self) -> None:
        # Quicker presets leave a zoom over a still scene looking like motion.
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def velocity(
        self, now: GrayImage, before: GrayImage, seconds: float, camera: GlobalMotion | None, shape: tuple[int, int]
    ) -> FloatArray:
        """[*shape, 2] velocities in frame widths per second between two thumbnails `seconds` apart.

        camera: the camera's motion in the last step, a good guess for this one. NaN if the thumbnails are too small.
        """
        height, width = now.shape
        if min(height, width) < _MIN_FLOW_SIDE_PX or max(height, width) < _MIN_FLOW_LENGTH_PX:
            return np.full((*shape, 2), np.nan, np.float32)
        flow = self._flow.calc(now, before, _first_guess(now, before, seconds, camera))  # from now back to before
        return resized(np.asarray(flow, np.float32) * np.float32(-1 / (seconds * width)), shape)


def _first_guess(now: GrayImage, before: GrayImage, seconds: float, camera: GlobalMotion | None) -> FloatArray:
    """The flow of a pan, by phase correlation or as last time; 0 unless that explains the picture much better."""
    height, width = now.shape
    none = np.zeros((height, width, 2), np.float32)
    if cv2.norm(now, before, cv2.NORM_L1) < _STILL_LEVELS * now.size:
        return none
    (x, y), _ = cv2.phaseCorrelate(now.astype(np.float32), before.astype(np.float32), _window(height, width))
    guesses = [none + np.array([x, y], np.float32)]
    if camera is not None:
        guesses.append(camera.velocity(height, width) * np.float32(-seconds * width))
    current, previous = now.astype(np.float32), before.astype(np.float32)
    errors = [float(np.abs(current - _moved(previous, guess)).mean()) for guess in guesses]
    best = int(np.argmin(errors))
    return guesses[best] if errors[best] < _BETTER_GUESS * float(np.abs(current - previous).mean()) else none


class BlockTravel:
    """Sums up how far each block went over a step of one or more instants, from their motion vectors."""

    def __init__(self) -> None:
        self._px: FloatArray | None = None
        self._seconds: FloatArray | None = None

    def add(self, vectors: FloatArray, seconds: float) -> None:
        """vectors: [rows, cols, 2] velocities in px/s over the last `seconds`, NaN where there is none."""
        known = np.isfinite(vectors).all(axis=2, keepdims=True)
        px = np.where(known, vectors * np.float32(seconds), np.float32(0)).astype(np.float32)
        spent = np.where(known, np.float32(seconds), np.float32(0)).astype(np.float32)
        self._px = px if self._px is None else self._px + px
        self._seconds = spent if self._seconds is None else self._seconds + spent

    def velocity(self, frame_width_px: int, shape: tuple[int, int]) -> FloatArray | None:
        """[*shape, 2] velocities in frame widths per second, NaN where unknown.

        None if fewer than `MIN_COVERAGE` of the blocks had a vector.
        """
        if self._px is None or self._seconds is None:
            return None
        known = self._seconds > 0
        if np.mean(known) < MIN_COVERAGE:
            return None
        velocity = self._px / np.where(known, self._seconds * frame_width_px, np.float32(1))
        cover = resized(known[..., 0].astype(np.float32), shape)[..., None]
        mean = resized(velocity.astype(np.float32), shape) / np.maximum(cover, np.float32(1e-3))
        return np.where(cover < _MIN_CELL_COVER, np.float32(np.nan), mean).astype(np.float32)


def picture_change(now: GrayImage, before: GrayImage, seconds: float, camera: GlobalMotion) -> FloatArray:
    """Absolute difference of `now` to `before` moved as the camera moved: [h, w], grey levels.

    0 where the camera uncovered what was outside the frame: nothing is known there.
    """
    height, width = now.shape
    flow = camera.velocity(height, width) * np.float32(-seconds * width)
    x, y = _places(flow)
    change = np.abs(now - _sampled(before.astype(np.float32), x, y))
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return np.where(inside, change, np.float32(0))


def local_mean(image: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """A thumbnail's values averaged over a few pixels, on the grid of the maps."""
    return resized(np.asarray(cv2.blur(image, (_WINDOW_PX, _WINDOW_PX)), np.float32), shape)


def gradient_size(gray: GrayImage) -> FloatArray:
    """[h, w] length of the gradient of a thumbnail, grey levels per pixel."""
    x = cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=1 / 8)
    y = cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.sqrt(x * x + y * y), np.float32)


def resized(image: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """An image [h, w] or [h, w, 2] on another grid: averaged when reduced, interpolated when enlarged."""
    reduces = image.shape[0] * image.shape[1] > shape[0] * shape[1]
    method = cv2.INTER_AREA if reduces else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (shape[1], shape[0]), interpolation=method), np.float32)


def _moved(image: FloatArray, flow: FloatArray) -> FloatArray:
    """The image [h, w] as seen along a flow [h, w, 2] in px; beyond its border its edge goes on."""
    return _sampled(image, *_places(flow))


def _places(flow: FloatArray) -> tuple[FloatArray, FloatArray]:
    """x and y, [h, w] each, of where a flow [h, w, 2] in px leads from each pixel."""
    x, y = cv2.split(_pixel_grid(*flow.shape[:2]) + flow)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _sampled(image: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """The image [h, w] at places [h, w] in px."""
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32)


@lru_cache(maxsize=4)
def _pixel_grid(height: int, width: int) -> FloatArray:
    """[height, width, 2]: each pixel's own x and y."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x, y], axis=2)


@lru_cache(maxsize=4)
def _window(height: int, width: int) -> FloatArray:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)
