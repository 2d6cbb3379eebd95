"""Follows a video's motion from instant to instant: steps, what they showed, and what is remembered of it."""

from __future__ import annotations

from stcodec.attention.center import center_density, map_shape
from stcodec.attention.motion_density import MotionMemory
from stcodec.attention.motion_energy import Evidence, MotionTuning
from stcodec.attention.motion_field import gray_thumbnail
from stcodec.attention.motion_steps import MotionSteps
from stcodec.types import Clip, FloatArray, VideoInfo


class MotionWatch:
    """What is known of motion at the latest instant that was seen."""

    def __init__(self, video: VideoInfo, tuning: MotionTuning) -> None:
        self.prior: FloatArray = center_density(*map_shape(video))
        """[h, w] the centre prior, sums to 1."""
        self.memory = MotionMemory(self.prior, tuning)
        self.evidence: Evidence | None = None
        """Of the latest step of the shot; None until one is over."""
        self._steps = MotionSteps(video)
        self._started = False

    def see(self, clip: Clip, index: int) -> float:
        """Take the next instant, number `index` of a clip; how many seconds the step lasted that it ended, 0 if none."""
        seconds = float(clip.pts_seconds[index])
        gray = None if clip.thumbnails is None else gray_thumbnail(clip.thumbnails[index])
        if clip.shot_starts[index] or not self._started:
            self._started = True
            self._steps.restart(seconds, gray)
            self.memory.forget()
            self.evidence = None
            return 0.0
        vectors = None if clip.motion_vectors is None else clip.motion_vectors[index]
        done = self._steps.advance(seconds, gray, vectors)
        if done is None:
            return 0.0
        self.memory.remember(*done)
        self.evidence, step_seconds = done
        return step_seconds
