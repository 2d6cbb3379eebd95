"""Cuts a video's instants into steps that are long enough to tell motion by."""

from __future__ import annotations

import numpy as np

from stcodec.attention.center import map_shape
from stcodec.attention.global_motion import GlobalMotion
from stcodec.attention.motion_energy import Evidence, gather
from stcodec.attention.motion_field import BlockTravel, DenseFlow, GrayImage
from stcodec.types import FloatArray, VideoInfo

MIN_STEP_SECONDS = 0.12
"""Instants that follow faster share one step: motion is told best, and was tuned, over about a sixth of a second."""


class MotionSteps:
    """Turns instants into steps of at least `MIN_STEP_SECONDS` within a shot, and each step into its evidence."""

    def __init__(self, video: VideoInfo) -> None:
        self._shape = map_shape(video)
        self._width_px = video.display_width_px
        self._flow = DenseFlow()
        self._camera: GlobalMotion | None = None
        self._start_seconds = self._last_seconds = 0.0
        self._before: GrayImage | None = None
        self._travel = BlockTravel()

    def restart(self, seconds: float, gray: GrayImage | None) -> None:
        """Begin a shot at its first instant: there is nothing to compare that with."""
        self._camera = None
        self._begin(seconds, gray)

    def advance(self, seconds: float, gray: GrayImage | None, vectors: FloatArray | None) -> tuple[Evidence, float] | None:
        """Take one more instant; the evidence of the step and its length in seconds, or None if it is not over.

        gray: the instant's thumbnail; vectors: [rows, cols, 2] px/s since the instant before; None if there is none.
        """
        if vectors is not None:
            self._travel.add(vectors, seconds - self._last_seconds)
        self._last_seconds = seconds
        step = seconds - self._start_seconds
        if step < MIN_STEP_SECONDS - 1e-6:
            return None
        evidence = gather(self._velocity(gray, step), gray, self._before, step)
        self._camera = evidence.camera
        self._begin(seconds, gray)
        return evidence, step

    def _begin(self, seconds: float, gray: GrayImage | None) -> None:
        self._start_seconds = self._last_seconds = seconds
        self._before = gray
        self._travel = BlockTravel()

    def _velocity(self, gray: GrayImage | None, step: float) -> FloatArray:
        velocity = self._travel.velocity(self._width_px, self._shape)
        if velocity is None and gray is not None and self._before is not None:
            velocity = self._flow.velocity(gray, self._before, step, self._camera, self._shape)
        return np.full((*self._shape, 2), np.nan, np.float32) if velocity is None else velocity
