"""`motion`: attention to what moves against the camera."""

from __future__ import annotations

import cv2
import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, PromptSession
from stcodec.attention.center import center_density, map_shape
from stcodec.attention.grids import peak_one
from stcodec.attention.motion_energy import Evidence, MotionMemory, MotionTuning, gather
from stcodec.attention.motion_field import BlockTravel, DenseFlow, GrayImage, gray_thumbnail
from stcodec.errors import AttentionError
from stcodec.types import Clip, ClipSpec, FloatArray, VideoInfo

MIN_STEP_SECONDS = 0.12
"""Instants that follow faster share one step: motion is told best, and was tuned, over about a sixth of a second."""


class MotionWatch:
    """Motion up to the latest instant that was seen, in steps of at least `MIN_STEP_SECONDS` within a shot."""

    def __init__(self, video: VideoInfo, tuning: MotionTuning) -> None:
        self._shape = map_shape(video)
        self.prior: FloatArray = center_density(*self._shape)
        """[h, w] the centre prior, sums to 1."""
        self.memory = MotionMemory(self.prior, tuning)
        self.evidence: Evidence | None = None
        """Of the latest step of the shot; None until one is over."""
        self._width_px = video.display_width_px
        self._flow = DenseFlow()
        self._start_seconds = self._last_seconds = 0.0
        self._before: GrayImage | None = None
        self._travel = BlockTravel()
        self._started = False

    def see(self, clip: Clip, index: int) -> float:
        """Take the next instant, number `index` of a clip; how many seconds the step lasted that it ended, 0 if none."""
        seconds = float(clip.pts_seconds[index])
        gray = None if clip.thumbnails is None else gray_thumbnail(clip.thumbnails[index])
        if clip.shot_starts[index] or not self._started:
            self._started = True
            self.memory.forget()
            self.evidence = None  # there is nothing to compare a shot's first instant with
            self._begin(seconds, gray)
            return 0.0
        if clip.motion_vectors is not None:
            self._travel.add(clip.motion_vectors[index], seconds - self._last_seconds)
        self._last_seconds = seconds
        step = seconds - self._start_seconds
        if step < MIN_STEP_SECONDS - 1e-6:
            return 0.0
        self.evidence = gather(self._velocity(gray, step), gray, self._before, step)
        self.memory.remember(self.evidence, step)
        self._begin(seconds, gray)
        return step

    def maps(self, clip: Clip) -> FloatArray:
        """[T, h, w] the gaze that motion draws at each instant of the next clip, largest value 1."""
        if clip.thumbnails is None and clip.motion_vectors is None and len(clip):
            raise AttentionError(
                f"motion: the clip at {clip.pts_seconds[0]:.3f} s has neither thumbnails nor motion vectors: "
                "prepare clips by the source's spec"
            )
        maps = np.empty((len(clip), *self._shape), np.float32)
        for index in range(len(clip)):
            self.see(clip, index)
            maps[index] = peak_one(self.memory.density())
        return maps

    def _begin(self, seconds: float, gray: GrayImage | None) -> None:
        self._start_seconds = self._last_seconds = seconds
        self._before = gray
        self._travel = BlockTravel()

    def _velocity(self, gray: GrayImage | None, step: float) -> FloatArray:
        velocity = self._travel.velocity(self._width_px, self._shape)
        if velocity is None and gray is not None and self._before is not None:
            camera = None if self.evidence is None else self.evidence.camera
            velocity = self._flow.velocity(gray, self._before, step, camera, self._shape)
        return np.full((*self._shape, 2), np.nan, np.float32) if velocity is None else velocity


class MotionSource(AttentionSource):
    """Motion against the camera, on top of the centre prior; normalised to sum 1, its maps are gaze densities.

    The bitstream's own motion vectors give the velocities where the codec exports them; optical flow on the thumbnails
    where not, and where most blocks have none. Both are worth the same (on the dev clips of the gaze data 0.67 and 0.64
    bits per fixation more than the centre prior: data/results/motion_source.json), and vectors cost half. The
    thumbnails serve with vectors too: a velocity counts only where the picture, moved as the camera moved, changed,
    which tells motion from the encoder's bookkeeping (0.39 bits without). The first instant of a shot, and whatever
    does not move, get the centre prior. Causal: a map needs nothing that comes later.
    """

    name = "motion"
    spec = ClipSpec(maps_per_second=6, thumbnail_side_px=160, motion_vectors=True, shots=True)

    def __init__(self, tuning: MotionTuning | None = None) -> None:
        self._tuning = tuning or MotionTuning()

    def open(self, video: VideoInfo) -> AttentionSession:
        cv2.setNumThreads(1)  # the images are tiny, and the encoder needs the cores
        return PromptSession(video, self.name, MotionWatch(video, self._tuning).maps)
