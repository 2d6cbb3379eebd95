"""A source smoothed over time, within each shot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, TimedMap, timed_maps, track_of
from stcodec.attention.shot_window import Placed, ShotWindow
from stcodec.errors import OptionsError
from stcodec.types import Clip, FloatArray, SaliencyTrack, VideoInfo

_Seen = tuple[Placed[TimedMap], list[Placed[TimedMap]]]
_SLACK_SECONDS = 0.01
"""How exact the reach is, since instants lie on frames."""


class SmoothedSource(AttentionSource):
    """Each map becomes the mean of its neighbours in time, before and after, with the weight exp(-|dt| / seconds).

    Weights go by time, not by count, so instants may be irregular. None reaches over the time constant, for all frames up to
    there must wait, nor over the start of a shot in either direction. Past and future count alike: maps do not lag behind
    what happens.
    """

    def __init__(self, source: AttentionSource, seconds: float) -> None:
        """seconds: the time constant, > 0. The maps come out so much later than the source's."""
        if not 0 < seconds <= 60:
            raise OptionsError(
                f"smoothing is {seconds:g} s: allowed is more than 0, to 60 s", value=seconds, allowed=(0, 60)
            )
        self.name = source.name
        self.spec = source.spec
        self.lookahead_seconds = source.lookahead_seconds + seconds
        self._source = source
        self._seconds = seconds

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises what the source raises."""
        return _SmoothedSession(self._source.open(video), self._seconds, video, self.name)


class _SmoothedSession(AttentionSession):
    def __init__(self, session: AttentionSession, seconds: float, video: VideoInfo, name: str) -> None:
        self._session = session
        self._seconds = seconds
        self._video = video
        self._name = name
        self._window: ShotWindow[TimedMap] = ShotWindow(seconds, seconds, _SLACK_SECONDS)

    def attend(self, clip: Clip) -> SaliencyTrack:
        return self._track(self._taken(self._session.attend(clip)))

    def finish(self) -> SaliencyTrack | None:
        found = self._session.finish()
        return self._track(chain(() if found is None else self._taken(found), self._window.finish()))

    def _taken(self, found: SaliencyTrack) -> Iterator[_Seen]:
        for one in timed_maps(found):
            yield from self._window.push(one.pts_seconds, one.starts_shot, one)

    def _track(self, seen: Iterable[_Seen]) -> SaliencyTrack:
        maps = [now.what._replace(saliency=self._mean(now, near)) for now, near in seen]
        return track_of(self._video, self._name, maps)

    def _mean(self, now: Placed[TimedMap], near: list[Placed[TimedMap]]) -> FloatArray:
        total = np.zeros(now.what.saliency.shape, np.float32)
        weights = 0.0
        for other in near:
            weight = math.exp(-abs(other.pts_seconds - now.pts_seconds) / self._seconds)
            total += np.float32(weight) * other.what.saliency
            weights += weight
        mean: FloatArray = np.clip(total / np.float32(weights), 0, 1)
        return mean
