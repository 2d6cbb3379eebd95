"""Looks at a running stream once a second, for all who show it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from stcodec.stream.observe.snapshot import Observed, StreamSnapshot

SnapshotSink = Callable[[StreamSnapshot], None]


class Watch:
    """Gives every sink a snapshot a second, and a last one at the end, on a thread of its own.

    A sink whose reader has gone is left out from then on: a stream doesn't end because nobody looks.
    """

    def __init__(self, observed: Observed, sinks: Sequence[SnapshotSink], every_seconds: float = 1.0) -> None:
        self._observed = observed
        self._sinks = list(sinks)
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        snapshot = self._observed.snapshot()
        for sink in list(self._sinks):
            try:
                sink(snapshot)
            except (OSError, ValueError):  # a closed pipe; a file closed by its owner
                self._sinks.remove(sink)
