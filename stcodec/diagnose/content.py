"""Content of a video from instant to instant: the camera's motion, what moves by itself, and what only flickers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.center import map_shape
from stcodec.attention.global_motion import GlobalMotion, fit_global_motion
from stcodec.attention.motion_field import (
    DenseFlow,
    GrayImage,
    gradient_size,
    gray_thumbnail,
    local_mean,
    picture_change,
    resized,
)
from stcodec.diagnose.measures import box_mean, shifted
from stcodec.types import Arrays, BoolArray, FloatArray, VideoInfo

THUMBNAIL_SIDE_PX = 160
_LEAST_STEP_SECONDS = 0.12
"""Instants that follow faster share a step: motion is told best over about a sixth of a second."""
_TEXTURE_LEVELS = 2.0
_MEMORY_SECONDS = 0.5
"""Time constant of what is remembered to tell flicker from motion."""
_RECENT_SECONDS = 1.0
_MOVING_SPEED = 0.02
"""Frame widths a second beside the camera's motion: from here on a place moves."""
_CHANGED_LEVELS = 4.0
"""Grey levels a step beyond the picture's typical change: from here on a place changes."""
_JUMP_LEVELS = 20.0
_FLICKER_LEVELS = 5.0
_LASTING = 0.7
"""Share of the time that a place must change: what passes by does not."""
_INCOHERENT = 0.4
"""Length of the mean velocity over the mean length: below it motion leads nowhere."""
_SLOW = 0.01
"""Frame widths a second that count as no motion in that ratio."""
_FINE = 0.6
"""Share of the change that has one sign over a few pixels, below which it is fine texture that boils."""
_RESTING = 0.03
"""Frame widths a second: what changes in bulk but rests, blinks."""
_EDGE_PX = 0.7
"""Pixels of the thumbnail by which the flow may be wrong."""


@dataclass(frozen=True, eq=False, repr=False)
class Content(Arrays):
    """Content of a video at an instant, on the grid of the maps [h, w]; speeds in frame widths a second."""

    velocity: FloatArray
    """[h, w, 2] of all that is seen, the camera's motion included."""
    camera_speed: float
    """Mean speed of the camera's motion over the frame."""
    moves: BoolArray
    """[h, w] True where something moves or changes by itself."""
    recent: BoolArray
    """[h, w] True where something did within the last second, or next to it."""
    flickers: BoolArray
    """[h, w] True where the picture keeps changing but nothing gets anywhere: water, leaves, screens, noise."""
    jump_percent: float
    """Share of the frame that changed strongly in this step."""


class ContentWatch:
    """Follows a video through thumbnails, one instant after another."""

    def __init__(self, video: VideoInfo) -> None:
        self.shape = map_shape(video)
        self._flow = DenseFlow()
        self._before: GrayImage | None = None
        self._step_began = 0.0
        self._camera: GlobalMotion | None = None
        self._restart()

    def see(self, seconds: float, starts_shot: bool, thumbnail: NDArray[np.uint8]) -> Content:
        """Take the next instant; thumbnail: [h, w, 3] RGB."""
        gray = gray_thumbnail(thumbnail)
        if starts_shot or self._before is None:
            self._restart()
            self._begin(seconds, gray)
        elif seconds - self._step_began >= _LEAST_STEP_SECONDS - 1e-6:
            self._content = self._step(gray, self._before, seconds)
            self._begin(seconds, gray)
        return self._content

    def _restart(self) -> None:
        none = np.zeros(self.shape, np.bool_)
        self._camera = None
        self._content = Content(np.zeros((*self.shape, 2), np.float32), 0.0, none, none, none, 0.0)
        self._mean_velocity = np.zeros((*self.shape, 2), np.float32)
        self._mean_speed = np.zeros(self.shape, np.float32)
        self._unexplained_change = np.zeros(self.shape, np.float32)
        self._bulk_change = np.zeros(self.shape, np.float32)
        self._lasting = np.zeros(self.shape, np.float32)
        self._active_seconds = np.full(self.shape, -np.inf)

    def _begin(self, seconds: float, gray: GrayImage) -> None:
        self._before, self._step_began = gray, seconds

    def _step(self, gray: GrayImage, before: GrayImage, seconds: float) -> Content:
        step = seconds - self._step_began
        velocity = self._flow.velocity(gray, before, step, self._camera, self.shape)
        texture = resized(gradient_size(gray), self.shape)
        camera = fit_global_motion(velocity, texture / (texture + np.float32(_TEXTURE_LEVELS)))
        self._camera = camera
        moving = camera.velocity(*self.shape)
        pixel_change = picture_change(gray, before, step, camera)
        change = np.maximum(local_mean(pixel_change, self.shape) - np.float32(np.median(pixel_change)), 0)
        own = np.nan_to_num(velocity - moving)
        moves = self._moves(own, change, texture)
        self._active_seconds[box_mean(moves.astype(np.float32), 1) > 0] = seconds
        return Content(
            velocity=np.where(np.isfinite(velocity), velocity, moving),
            camera_speed=float(_length(moving).mean()),
            moves=moves,
            recent=seconds - self._active_seconds <= _RECENT_SECONDS,
            flickers=self._flickers(own, self._unexplained(gray, before, velocity, moving, texture, step), step),
            jump_percent=100 * float((change > _JUMP_LEVELS).mean()),
        )

    def _moves(self, own: FloatArray, change: FloatArray, texture: FloatArray) -> BoolArray:
        """Speed counts where there is something to tell it by, and where it made a difference."""
        fast = (_length(own) > _MOVING_SPEED) & (texture > _TEXTURE_LEVELS / 2) & (change > _CHANGED_LEVELS / 4)
        return np.asarray(fast | (change > _CHANGED_LEVELS), np.bool_)

    def _unexplained(
        self, gray: GrayImage, before: GrayImage, velocity: FloatArray, moving: FloatArray, texture: FloatArray, step: float
    ) -> tuple[FloatArray, FloatArray]:
        """[h, w] grey levels of change that remain when everything is moved as the flow says, beyond the usual.

        Where there is motion some remains at every edge, since pictures are sampled and the flow is coarse. The second
        is the part of it that has one sign over a few pixels: of fine texture that boils it is little.
        """
        height, width = gray.shape
        way_px = np.where(np.isfinite(velocity), velocity, moving) * np.float32(step * width)
        moved = shifted(before.astype(np.float32), resized(way_px.astype(np.float32), (height, width)))
        signed = np.asarray(gray - moved, np.float32)
        left = np.abs(signed)
        length_px = _length(way_px)
        edges = np.float32(_EDGE_PX) * texture * length_px / (length_px + np.float32(_EDGE_PX))
        beyond = np.maximum(local_mean(left, self.shape) - np.float32(np.median(left)) - edges, 0)
        return np.asarray(beyond, np.float32), np.abs(local_mean(signed, self.shape))

    def _flickers(self, own: FloatArray, change: tuple[FloatArray, FloatArray], step: float) -> BoolArray:
        unexplained, in_bulk = change
        keep = np.float32(np.exp(-step / _MEMORY_SECONDS))
        self._mean_velocity = keep * self._mean_velocity + (1 - keep) * box_mean(own, 2)
        self._mean_speed = keep * self._mean_speed + (1 - keep) * box_mean(_length(own), 2)
        self._unexplained_change = keep * self._unexplained_change + (1 - keep) * unexplained
        self._bulk_change = keep * self._bulk_change + (1 - keep) * in_bulk
        self._lasting = keep * self._lasting + (1 - keep) * (unexplained > _FLICKER_LEVELS / 2).astype(np.float32)
        leads_nowhere = _length(self._mean_velocity) < _INCOHERENT * (self._mean_speed + np.float32(_SLOW))
        lasting = (self._unexplained_change > _FLICKER_LEVELS) & (self._lasting > _LASTING)
        boils = (self._bulk_change < _FINE * self._unexplained_change) | (self._mean_speed < _RESTING)
        return np.asarray(lasting & leads_nowhere & boils, np.bool_)


def _length(field: FloatArray) -> FloatArray:
    return np.asarray(np.hypot(field[..., 0], field[..., 1]), np.float32)
