"""How far a set of tasks is, for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StageProgress:
    """How far a set of tasks is."""

    stage: str
    """Of an evaluation: clips, maps, points or pictures; of a batch: files."""
    done: int
    """Of this stage."""
    total: int
    from_cache: int
    """Of those done, what was found made."""
    seconds_left: float | None
    """Of this stage, as far as can be told."""
    what: str
    """What was done last: "crowd libx264 motion crf 26"."""


StageSink = Callable[[StageProgress], None]


class StageMeter:
    """Tells a sink how far one stage is."""

    def __init__(self, sink: StageSink | None, stage: str, total: int) -> None:
        self._sink = sink
        self._stage = stage
        self._total = total
        self._done = self._cached = 0
        self._started = time.monotonic()
        self._tell("")

    def step(self, what: str, *, cached: bool = False) -> None:
        """One more is done."""
        self._done += 1
        self._cached += cached
        self._tell(what)

    def _tell(self, what: str) -> None:
        if self._sink is not None:
            self._sink(StageProgress(self._stage, self._done, self._total, self._cached, self._seconds_left(), what))

    def _seconds_left(self) -> float | None:
        made = self._done - self._cached
        if self._done == self._total:
            return 0.0
        return (time.monotonic() - self._started) / made * (self._total - self._done) if made else None
