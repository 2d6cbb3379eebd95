"""Attention on a thread of its own: it sees the newest instant only, and no frame waits for it."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource
from stcodec.stream.observe.gauges import Rate
from stcodec.types import Arrays, Clip, FloatArray, VideoInfo

_KEPT = 8
"""Maps that are kept: frames that wait for their encoder are older than the newest map."""
_NICE = 5
"""Nice value of the attention thread, so that encoders come first."""
_LATE_SECONDS = 1.0
_CLOSE_SECONDS = 3.0
_AGAIN_SECONDS = 0.5
"""Pause before a source that failed begins anew."""


@dataclass(frozen=True)
class Patience:
    """Seconds after which a map that has not come never will."""

    first_map: float = 30.0
    """Longer: the source is loaded."""
    map: float = 5.0


PATIENCE = Patience()


@dataclass(frozen=True, eq=False, repr=False)
class LiveMap(Arrays):
    """A saliency map, and the picture that it was made of."""

    saliency: FloatArray
    """[h, w] in [0, 1], display orientation."""
    seconds: float
    """The picture's time in the stream."""
    shot: int
    number: int
    lasts: bool = False
    """True if it is good for the whole shot: the source makes no more."""


@dataclass(frozen=True)
class AttentionInput:
    """An instant that attention is shown."""

    clip: Clip
    """One instant."""
    shot: int


class Attention:
    """The newest maps of a source, whatever happens to it.

    Only the newest instant waits; one that comes before it was taken replaces it. A source that fails or hangs begins
    anew on a fresh thread, and is counted; an old thread that comes back later finds nobody who listens.
    """

    def __init__(
        self,
        open_source: Callable[[], AttentionSource],
        source: AttentionSource,
        video: VideoInfo,
        smoothing_seconds: float,
        patience: Patience,
    ) -> None:
        """open_source: how a fresh source is got; source: the first one, opened already."""
        self.spec = source.spec
        """The clips that the source wants to be shown."""
        self.restarts = 0
        self.made = 0
        self.rate = Rate()
        self.message = ""
        self.may_run: Callable[[], bool] = lambda: True
        """Asked before each map: whether attention has its turn now, or waits a little more."""
        self._open_source = open_source
        self._smoothing = smoothing_seconds
        self._patience = patience
        self._lasts = source.spec.maps_per_second <= 0
        self._changed = threading.Condition()
        self._waiting: AttentionInput | None = None
        self._maps: deque[LiveMap] = deque(maxlen=_KEPT)
        self._video = video
        self._worker: _AttentionThread | None = None
        self._missed_at = -_LATE_SECONDS
        self._ended = False
        self._begin(source)

    def offer(self, instant: AttentionInput) -> None:
        """Show an instant; never waits."""
        with self._changed:
            if self._waiting is not None:
                self._missed_at = time.monotonic()
            if self._waiting is not None and self._waiting.clip.shot_starts.any():
                instant = replace(instant, clip=replace(instant.clip, shot_starts=np.array([True])))
            self._waiting = instant
            self._changed.notify_all()

    def newest(self, seconds: float, shot: int) -> LiveMap | None:
        """The newest map of a shot that was made of a picture no later than that; None if there is none."""
        with self._changed:
            for one in reversed(self._maps):
                if one.shot == shot and one.seconds <= seconds + 1e-6:
                    return one
        return None

    def is_late(self) -> bool:
        """Whether an instant had to go unseen lately because the one before it took too long."""
        return time.monotonic() - self._missed_at < _LATE_SECONDS

    def check(self, now: float) -> None:
        """Restart the source if its thread has died or hangs. To be called often."""
        worker = self._worker
        if worker is None or self._ended:
            return
        why = worker.trouble(now)
        if why is not None:
            self.message = why
            self.restarts += 1
            self._begin(None)

    def close(self) -> None:
        """End; a thread that hangs is left behind."""
        with self._changed:
            self._ended = True
            worker, self._worker = self._worker, None
            self._changed.notify_all()
        if worker is not None:
            worker.join(_CLOSE_SECONDS)  # an interpreter that exits in the middle of a map aborts

    def is_current(self, worker: _AttentionThread) -> bool:
        """Whether a worker is still the one that is listened to."""
        return self._worker is worker

    def take(self, worker: _AttentionThread) -> AttentionInput | None:
        """The newest instant as soon as there is one; None if the worker is to end."""
        with self._changed:
            while self.is_current(worker) and self._waiting is None:
                self._changed.wait(1.0)
            if not self.is_current(worker):
                return None
            instant, self._waiting = self._waiting, None
            return instant

    def put(self, worker: _AttentionThread, instant: AttentionInput, saliency: FloatArray) -> None:
        """A finished map."""
        with self._changed:
            if not self.is_current(worker):
                return
            seconds = float(instant.clip.pts_seconds[0])
            before = self._maps[-1] if self._maps else None
            if before is not None and before.shot == instant.shot and before.saliency.shape == saliency.shape:
                saliency = self._smoothed(before, saliency, seconds)
            self.made += 1
            self._maps.append(LiveMap(saliency, seconds, instant.shot, self.made, self._lasts))
        self.rate.add()

    def _smoothed(self, before: LiveMap, saliency: FloatArray, seconds: float) -> FloatArray:
        """Exponentially over the past: the time constant is the policy's."""
        if self._smoothing <= 0:
            return saliency
        kept = np.float32(math.exp(-(seconds - before.seconds) / self._smoothing))
        return kept * before.saliency + (1 - kept) * saliency

    def _begin(self, source: AttentionSource | None) -> None:
        with self._changed:
            self._worker = _AttentionThread(self, self._open_source, source, self._video, self._patience)
            self._changed.notify_all()
        self._worker.start()


class _AttentionThread(threading.Thread):
    """Thread that runs a source until it fails or is replaced."""

    def __init__(
        self,
        owner: Attention,
        open_source: Callable[[], AttentionSource],
        source: AttentionSource | None,
        video: VideoInfo,
        patience: Patience,
    ) -> None:
        super().__init__(name="attention", daemon=True)
        self._owner = owner
        self._patience = patience
        self._open_source = open_source
        self._source = source
        self._video = video
        self._busy_since: float | None = None
        self._made_one = False
        self._failed: str | None = None
        self._failed_at = 0.0

    def trouble(self, now: float) -> str | None:
        """The reason to replace it; None if it works."""
        if self._failed is not None:
            return self._failed if now - self._failed_at >= _AGAIN_SECONDS else None
        if not self.is_alive():
            return "its thread died"
        busy = self._busy_since
        limit = self._patience.map if self._made_one else self._patience.first_map
        if busy is not None and now - busy > limit:
            return f"no map for {limit:g} s"
        return None

    def run(self) -> None:
        try:
            _step_back()
            self._busy_since = time.monotonic()
            session = (self._source or self._open_source()).open(self._video)
            self._busy_since = None
            while (instant := self._owner.take(self)) is not None:
                self._attend(session, instant)
        except Exception as error:  # whatever a source raises, the stream goes on
            self._failed_at = time.monotonic()
            self._failed = str(error).splitlines()[0] if str(error) else type(error).__name__

    def _attend(self, session: AttentionSession, instant: AttentionInput) -> None:
        while self._owner.is_current(self) and not self._owner.may_run():
            time.sleep(0.005)
        self._busy_since = time.monotonic()
        found = session.attend(instant.clip)
        self._busy_since = None
        if len(found):
            self._made_one = True
            self._owner.put(self, instant, found.saliency[-1])


def _step_back() -> None:
    """Give way to the other threads when cores are short, on Linux, where threads have a priority of their own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
