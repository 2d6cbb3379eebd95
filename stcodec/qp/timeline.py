"""The map at the time of a frame: saliency tracks and frames meet by timestamp."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from stcodec.types import FloatArray, SaliencyTrack

_SAME_INSTANT_SECONDS = 1e-6


class MapTimeline:
    """Takes tracks in order and answers for frames in order; forgets what lies behind.

    Between two maps of a shot the answer is interpolated linearly; up to the first frame of the next shot the last map of
    the old one holds.
    """

    def __init__(self, *, holds: bool = False, reduce: Callable[[FloatArray], FloatArray] | None = None) -> None:
        """holds: each map is valid until the next comes, nothing is interpolated (sources with one map a shot).

        reduce: a linear function of maps (as block averaging is), done once a map instead of once a frame.
        """
        self._holds = holds
        self._reduce = reduce or (lambda saliency: saliency)
        self._instants: deque[tuple[float, bool, FloatArray]] = deque()
        self._ended = False

    def push(self, track: SaliencyTrack) -> None:
        """Add maps, later than all before."""
        for seconds, starts, saliency in zip(track.pts_seconds, track.shot_starts, track.saliency, strict=True):
            self._instants.append((float(seconds), bool(starts), self._reduce(saliency)))

    def end(self) -> None:
        """No more maps will come: the last holds for ever."""
        self._ended = True

    def at(self, seconds: float) -> FloatArray | None:
        """The map, reduced, for a time, not earlier than the times asked before; None if it can't be known yet."""
        instants = self._instants
        while len(instants) > 1 and instants[1][0] <= seconds + _SAME_INSTANT_SECONDS:
            instants.popleft()
        if not instants:
            return None
        start, _, before = instants[0]
        if seconds <= start + _SAME_INSTANT_SECONDS:
            return before
        if len(instants) == 1:
            return before if self._ended or self._holds else None
        end, starts, after = instants[1]
        if starts or self._holds or before.shape != after.shape:
            return before
        share = np.float32((seconds - start) / (end - start))
        return before + share * (after - before)
