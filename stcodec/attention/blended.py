"""Several sources as one: their weighted mean."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from functools import reduce

import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, TimedMap, timed_maps, track_of
from stcodec.attention.grids import filled, peak_one, resize
from stcodec.errors import AttentionError, OptionsError
from stcodec.types import Clip, ClipSpec, SaliencyTrack, VideoInfo


class BlendedSource(AttentionSource):
    """The weighted arithmetic mean of sources, on the finest grid among them.

    Each map is first scaled to sum 1, as a density (a map of zeros counts as uniform); the mean, so that its largest
    value is 1.
    """

    def __init__(self, parts: Sequence[tuple[float, AttentionSource]]) -> None:
        """parts: (weight, source); only the ratio of the weights matters. Raises OptionsError for weights <= 0."""
        if not parts:
            raise OptionsError("a blend needs at least one source")
        for weight, source in parts:
            if not (weight > 0 and math.isfinite(weight)):
                raise OptionsError(f"the weight of {source.name} is {weight:g}: allowed are numbers above 0", value=weight)
        self.name = "+".join(f"{weight:g}*{source.name}" for weight, source in parts)
        self._weights = [weight for weight, _ in parts]
        self._sources = [source for _, source in parts]
        self.spec = reduce(ClipSpec.merge, (source.spec for source in self._sources))
        self.lookahead_seconds = max(source.lookahead_seconds for source in self._sources)

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video with every source. Raises what they raise."""
        return _BlendedSession(self._weights, [source.open(video) for source in self._sources], video, self.name)


class _BlendedSession(AttentionSession):
    """Sources may answer with different delays: what came early waits in a queue."""

    def __init__(self, weights: list[float], sessions: list[AttentionSession], video: VideoInfo, name: str) -> None:
        self._weights = weights
        self._sessions = sessions
        self._video = video
        self._name = name
        self._queues: list[deque[TimedMap]] = [deque() for _ in sessions]
        self._shape: tuple[int, int] | None = None

    def attend(self, clip: Clip) -> SaliencyTrack:
        for session, queue in zip(self._sessions, self._queues, strict=True):
            queue.extend(_instants(session.attend(clip)))
        return self._drain()

    def finish(self) -> SaliencyTrack | None:
        for session, queue in zip(self._sessions, self._queues, strict=True):
            queue.extend(_instants(session.finish()))
        rest = self._drain()
        if any(self._queues):
            late = max(self._queues, key=len)[0].pts_seconds
            raise AttentionError(f"{self._name}: not every part has a map at {late:.3f} s")
        return rest if len(rest) else None

    def _drain(self) -> SaliencyTrack:
        """Blends of the maps that all parts have by now."""
        ready: list[TimedMap] = []
        while all(self._queues):
            ready.append(self._blend([queue.popleft() for queue in self._queues]))
        return track_of(self._video, self._name, ready)

    def _blend(self, parts: list[TimedMap]) -> TimedMap:
        times = [part.pts_seconds for part in parts]
        if min(times) != max(times):
            raise AttentionError(f"{self._name}: the parts answer for different times: {min(times)} and {max(times)} s")
        shapes = [(part.saliency.shape[0], part.saliency.shape[1]) for part in parts]
        shape = self._shape = self._shape or max(shapes, key=math.prod)
        total = np.zeros(shape, np.float32)
        for weight, part in zip(self._weights, parts, strict=True):
            density = filled(resize(part.saliency, shape))
            total += weight / density.sum() * density
        return TimedMap(
            times[0], any(part.starts_shot for part in parts), peak_one(total), any(part.looked_at for part in parts)
        )


def _instants(found: SaliencyTrack | None) -> list[TimedMap]:
    return [] if found is None else timed_maps(found)
