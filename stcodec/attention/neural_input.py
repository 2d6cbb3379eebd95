"""Input of the attention network: pictures of its size, motion beside the camera's, and where tokens lie."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stcodec.attention.global_motion import ComplexArray, GlobalMotion
from stcodec.attention.motion import MotionWatch
from stcodec.attention.motion_energy import MotionTuning, motion_energy
from stcodec.attention.motion_field import GrayImage, gray_thumbnail
from stcodec.model.config import (
    HALF_OPEN,
    HELD_BLOCK_LEVELS,
    HELD_LEVELS,
    HELD_SECONDS,
    INPUT_AREA_PX,
    INPUT_STEP_PX,
    MAPS_PER_SECOND,
    MOTION_CHANNELS,
    NEXT_HELD_LEVELS,
    SLACK_SECONDS,
    STILL_CAMERA_SPEED,
    STRIDE,
    TOKEN_STRIDE,
)
from stcodec.types import Clip, FloatArray, VideoInfo

_BLOCK_PX = 8
"""Of the grey thumbnails on which pictures are compared."""
_MOST_STEPS = 24
"""Longest side of the input, in steps of `INPUT_STEP_PX`."""


@lru_cache(maxsize=64)
def input_shape(width_px: int, height_px: int) -> tuple[int, int]:
    """(height, width) of the network's input for frames of a size: near their aspect and near `INPUT_AREA_PX`."""

    def misfit(sides: tuple[int, int]) -> float:
        height, width = sides
        area = height * width * INPUT_STEP_PX**2 / INPUT_AREA_PX
        return abs(math.log(width * height_px / (height * width_px))) + abs(math.log(area))

    sides = range(1, _MOST_STEPS + 1)
    height, width = min(product(sides, sides), key=misfit)
    return height * INPUT_STEP_PX, width * INPUT_STEP_PX


def picture(thumbnail: NDArray[np.uint8], shape: tuple[int, int]) -> FloatArray:
    """[h, w, 3] RGB -> [3, *shape] in [-1, 1]."""
    scaled = cv2.resize(thumbnail, shape[::-1], interpolation=cv2.INTER_AREA)
    values = np.asarray(scaled, np.float32) / np.float32(127.5) - 1
    return np.ascontiguousarray(values.transpose(2, 0, 1))


class LastLook:
    """Whether a picture is to be looked at, or what was seen in an earlier one of its shot still holds."""

    def __init__(self) -> None:
        self._gray: GrayImage | None = None
        self._seconds = 0.0

    def is_over(self, thumbnail: NDArray[np.uint8], seconds: float, shot_starts: bool, camera_speed: float) -> bool:
        """Take the next instant; True if its picture is to be looked at, which it is from then on.

        camera_speed: of the camera's motion up to then, frame widths per second.
        """
        gray = gray_thumbnail(thumbnail)
        age = seconds - self._seconds
        if self._gray is not None and not shot_starts and age < HELD_SECONDS - SLACK_SECONDS:
            change = np.asarray(cv2.absdiff(gray, self._gray), np.uint8)
            mean = change.mean()
            is_next = age < 1.5 / MAPS_PER_SECOND
            if is_next and mean <= NEXT_HELD_LEVELS and camera_speed <= STILL_CAMERA_SPEED:
                return False
            if mean <= HELD_LEVELS and _block_means(change).max() <= HELD_BLOCK_LEVELS:
                return False
        self._gray, self._seconds = gray, seconds
        return True


class FrameMotion(NamedTuple):
    """Motion at one instant, once the camera's is taken away."""

    channels: FloatArray
    """[4, H/8, W/8]; see `stcodec.model.config.MOTION_CHANNELS`."""
    score: FloatArray
    """[H/16, W/16] in [0, 1], what the gate goes by."""
    camera_speed: float
    """Mean over the frame of the camera's own, frame widths per second."""
    position: FloatArray
    """[H/16 * W/16, 2] x and y of the tokens in frame widths, in the coordinates of the shot's first instant."""


def open_gate(score: FloatArray, share: float) -> tuple[NDArray[np.int64], FloatArray]:
    """The top share of the tokens by their score [h, w], most active first; see `stcodec.model.temporal.gate`.

    [k] positions in the flattened grid, and [k] openness in [0, 1): the share of its update that a token takes.
    """
    flat = score.ravel()
    kept = max(1, round(share * flat.size))
    index = np.argsort(-flat, kind="stable")[:kept]
    best = flat[index]
    return index.astype(np.int64), best / (best + np.float32(HALF_OPEN))


class CameraPath:
    """Maps frame coordinates to those of the shot's first instant, by the camera's motion since.

    z = x + iy in frame widths from the frame's centre; a map is (a, b, c) of a z + b conj(z) + c.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new shot begins."""
        self._map = (1 + 0j, 0j, 0j)

    def advance(self, camera: GlobalMotion, seconds: float) -> None:
        """The camera moved so for so long."""
        pan, zoom, shear = (complex(one) * seconds for one in camera.model)
        back = (1 - zoom, -shear, -pan)  # to the coordinates before the step
        a, b, c = self._map
        self._map = (
            a * back[0] + b * np.conj(back[1]),
            a * back[1] + b * np.conj(back[0]),
            a * back[2] + b * np.conj(back[2]) + c,
        )

    def to_start(self, z: ComplexArray) -> ComplexArray:
        """Places of the current frame in coordinates of the shot's first."""
        a, b, c = self._map
        return np.asarray(a * z + b * np.conj(z) + c, np.complex128)


class MotionInput:
    """Follows a video and says what the temporal branch is shown."""

    def __init__(self, video: VideoInfo, shape: tuple[int, int]) -> None:
        """shape: (height, width) of the network's input."""
        self._watch = MotionWatch(video, MotionTuning())
        self._path = CameraPath()
        self._shape = shape[0] // STRIDE, shape[1] // STRIDE
        self._aspect = video.display_height_px / video.display_width_px
        self._energy = np.zeros_like(self._watch.prior)

    def see(self, clip: Clip, index: int) -> FrameMotion:
        """Take the next instant, number `index` of a clip."""
        step_seconds = self._watch.see(clip, index)
        evidence = self._watch.evidence
        if evidence is None:
            self._path.restart()
            self._energy = np.zeros_like(self._watch.prior)
        elif step_seconds > 0:
            self._path.advance(evidence.camera, step_seconds)
            self._energy = motion_energy(evidence, MotionTuning())
        channels = self._channels()
        camera_speed = 0.0 if evidence is None else float(evidence.camera_speed.mean())
        return FrameMotion(channels, _coarse_peak(channels[:2].max(axis=0)), camera_speed, self._positions())

    def _channels(self) -> FloatArray:
        evidence, memory = self._watch.evidence, self._watch.memory
        if evidence is None:
            return np.zeros((MOTION_CHANNELS, *self._shape), np.float32)
        change = np.zeros_like(self._energy) if evidence.change is None else evidence.change.levels
        gain = np.log2(memory.density() / self._watch.prior)
        resized = [
            cv2.resize(np.asarray(one, np.float32), self._shape[::-1], interpolation=cv2.INTER_AREA)
            for one in (self._energy, memory.energy, gain, change)
        ]
        channels = [resized[0], resized[1], np.clip(resized[2], -4, 6) / 2, np.log1p(resized[3]) / 2]
        return np.stack(channels).astype(np.float32)

    def _positions(self) -> FloatArray:
        rows, cols = (side * STRIDE // TOKEN_STRIDE for side in self._shape)
        x = (np.arange(cols) + 0.5) / cols - 0.5
        y = ((np.arange(rows) + 0.5) / rows - 0.5) * self._aspect
        at_start = self._path.to_start((x[None, :] + 1j * y[:, None]).ravel())
        return np.stack([at_start.real, at_start.imag], axis=1).astype(np.float32)


def _block_means(change: GrayImage) -> GrayImage:
    height, width = change.shape
    size = max(1, width // _BLOCK_PX), max(1, height // _BLOCK_PX)
    return np.asarray(cv2.resize(change, size, interpolation=cv2.INTER_AREA), np.uint8)


def _coarse_peak(values: FloatArray) -> FloatArray:
    """[h, w] -> [h/2, w/2], the largest of each four."""
    rows, cols = values.shape
    peak: FloatArray = values.reshape(rows // 2, 2, cols // 2, 2).max(axis=(1, 3))
    return peak
