"""Rates and quantiles over the last seconds."""

from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np


class Rate:
    """How much a second, over the last seconds; from any thread."""

    def __init__(self, window_seconds: float = 3.0) -> None:
        self._window = window_seconds
        self._events: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    def add(self, amount: float = 1.0) -> None:
        """So much now."""
        with self._lock:
            self._events.append((time.monotonic(), amount))
            self._forget()

    def per_second(self) -> float:
        """The rate by now."""
        with self._lock:
            self._forget()
            if not self._events:
                return 0.0
            spanned = time.monotonic() - self._events[0][0]
            # The first event begins the span: what came with it came before.
            amount = sum(one for _, one in self._events) - (self._events[0][1] if len(self._events) > 1 else 0.0)
            return amount / max(spanned, 0.001) if len(self._events) > 1 else 0.0

    def _forget(self) -> None:
        oldest = time.monotonic() - self._window
        while self._events and self._events[0][0] < oldest:
            self._events.popleft()


class Recent:
    """Values of the last minute, at most so many; from any thread."""

    def __init__(self, window_seconds: float = 60.0, at_most: int = 8000) -> None:
        self._window = window_seconds
        self._values: deque[tuple[float, float]] = deque(maxlen=at_most)
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """One more."""
        with self._lock:
            self._values.append((time.monotonic(), value))

    def newest(self) -> float | None:
        """The last one; None if there is none yet."""
        with self._lock:
            return self._values[-1][1] if self._values else None

    def quantile(self, share: float) -> float | None:
        """The value that so many do not pass, by nearest rank; None if there is none."""
        oldest = time.monotonic() - self._window
        with self._lock:
            values = [value for at, value in self._values if at >= oldest]
        return float(np.quantile(values, share, method="inverted_cdf")) if values else None
