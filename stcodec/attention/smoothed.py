"""A source smoothed over time, within each shot."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, track
from stcodec.errors import OptionsError
from stcodec.types import Clip, FloatArray, SaliencyTrack, VideoInfo

_REACH = 3.0
"""Time constants after which the kernel is cut off (its value there is 5 %)."""


class SmoothedSource(AttentionSource):
    """Each map becomes the mean of its neighbours in time, before and after, with the weight exp(-|dt| / seconds).

    Weights go by time, not by count, so instants may be irregular; none reaches over three time constants, nor over the
    start of a shot in either direction. Past and future count alike: maps do not lag behind what happens.
    """

    def __init__(self, source: AttentionSource, seconds: float) -> None:
        """seconds: the time constant, > 0. The maps come out three time constants later than the source's."""
        if not 0 < seconds <= 60:
            raise OptionsError(f"smoothing is {seconds:g} s: allowed is more than 0, to 60 s")
        self.name = source.name
        self.spec = source.spec
        self.lookahead_seconds = source.lookahead_seconds + _REACH * seconds
        self._source = source
        self._seconds = seconds

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises what the source raises."""
        return _SmoothedSession(self._source.open(video), self._seconds, video, self.name)


class _Instant(NamedTuple):
    pts_seconds: float
    shot: int
    starts_shot: bool
    saliency: FloatArray


class _SmoothedSession(AttentionSession):
    def __init__(self, session: AttentionSession, seconds: float, video: VideoInfo, name: str) -> None:
        self._session = session
        self._seconds = seconds
        self._video = video
        self._name = name
        self._window: deque[_Instant] = deque()
        """The instants that are still of use, in order."""
        self._owed = 0
        """Index in the window of the next instant that must come out."""
        self._shot = 0

    def attend(self, clip: Clip) -> SaliencyTrack:
        return self._take(self._session.attend(clip), ended=False)

    def finish(self) -> SaliencyTrack | None:
        return self._take(self._session.finish(), ended=True)

    def _take(self, found: SaliencyTrack | None, ended: bool) -> SaliencyTrack:
        ready: list[_Instant] = []
        if found is not None:
            for pts, starts, saliency in zip(found.pts_seconds, found.shot_starts, found.saliency, strict=True):
                self._shot += bool(starts)
                self._window.append(_Instant(float(pts), self._shot, bool(starts), saliency))
                ready += self._ripe(ended=False)
        if ended:
            ready += self._ripe(ended=True)
        return track(
            self._video,
            self._name,
            np.array([one.pts_seconds for one in ready], np.float64),
            np.array([one.starts_shot for one in ready], np.bool_),
            np.stack([one.saliency for one in ready]) if ready else np.empty((0, 1, 1), np.float32),
        )

    def _ripe(self, ended: bool) -> list[_Instant]:
        """The owed instants whose neighbours are all known, smoothed."""
        ready = []
        while self._owed < len(self._window):
            now, latest = self._window[self._owed], self._window[-1]
            if not (ended or latest.shot != now.shot or latest.pts_seconds - now.pts_seconds >= _REACH * self._seconds):
                break
            ready.append(now._replace(saliency=self._mean(now)))
            self._owed += 1
            self._forget()
        return ready

    def _forget(self) -> None:
        """Drop the instants that no map to come can see."""
        earliest = self._window[min(self._owed, len(self._window) - 1)]
        while self._owed and not self._is_near(self._window[0], earliest):
            self._window.popleft()
            self._owed -= 1

    def _is_near(self, one: _Instant, other: _Instant) -> bool:
        distance = abs(one.pts_seconds - other.pts_seconds)
        return one.shot == other.shot and distance <= _REACH * self._seconds

    def _mean(self, now: _Instant) -> FloatArray:
        total = np.zeros(now.saliency.shape, np.float32)
        weights = 0.0
        for other in self._window:
            if self._is_near(now, other):
                weight = math.exp(-abs(other.pts_seconds - now.pts_seconds) / self._seconds)
                total += np.float32(weight) * other.saliency
                weights += weight
        mean: FloatArray = np.clip(total / np.float32(weights), 0, 1)
        return mean
