"""Attention to what moves against the camera."""

from __future__ import annotations

import cv2
import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, track
from stcodec.attention.grids import peak_one
from stcodec.attention.motion_energy import MotionTuning
from stcodec.attention.motion_watch import MotionWatch
from stcodec.errors import AttentionError
from stcodec.types import Clip, ClipSpec, FloatArray, SaliencyTrack, VideoInfo


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
    """What moves against the camera, on top of the centre prior; normalised to sum 1, its maps are gaze densities.

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
