"""`motion`: attention to what moves against the camera."""

from __future__ import annotations

import cv2
import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, track
from stcodec.attention.center import center_density, map_shape
from stcodec.attention.global_motion import GlobalMotion
from stcodec.attention.grids import peak_one
from stcodec.attention.motion_energy import Evidence, MotionMemory, MotionTuning, gather
from stcodec.attention.motion_field import BlockTravel, DenseFlow, GrayImage, gray_thumbnail
from stcodec.errors import AttentionError
from stcodec.types import Clip, ClipSpec, FloatArray, SaliencyTrack, VideoInfo

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


class MotionWatch:
    """Motion up to the latest instant that was seen."""

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


class _MotionSession(AttentionSession):
    def __init__(self, video: VideoInfo, source: str, tuning: MotionTuning) -> None:
        self._video = video
        self._source = source
        self._watch = MotionWatch(video, tuning)

    def attend(self, clip: Clip) -> SaliencyTrack:
        if clip.thumbnails is None and clip.motion_vectors is None and len(clip):
            raise AttentionError(
                f"{self._source}: the clip at {clip.pts_seconds[0]:.3f} s has neither thumbnails nor motion vectors: "
                "prepare clips by the source's spec"
            )
        maps = [self._attend_instant(clip, index) for index in range(len(clip))]
        stacked = np.stack(maps) if maps else np.empty((0, *self._watch.prior.shape), np.float32)
        return track(self._video, self._source, clip.pts_seconds, clip.shot_starts, stacked)

    def _attend_instant(self, clip: Clip, index: int) -> FloatArray:
        self._watch.see(clip, index)
        return peak_one(self._watch.memory.density())


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
        return _MotionSession(video, self.name, self._tuning)
