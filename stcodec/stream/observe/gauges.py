"""Gauges of a running stream: rates, quantiles, and the fullness of the decoder's buffer."""

from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np

from stcodec.stream.packet import TICK


class Rate:
    """Amount per second over the last seconds. Safe from any thread."""

    def __init__(self, window_seconds: float = 3.0) -> None:
        self._window = window_seconds
        self._events: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    def add(self, amount: float = 1.0) -> None:
        """Count an amount now."""
        with self._lock:
            self._events.append((time.monotonic(), amount))
            self._forget()

    def per_second(self) -> float:
        """The current rate."""
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
    """Values of the last minute, up to a maximum number. Safe from any thread."""

    def __init__(self, window_seconds: float = 60.0, at_most: int = 8000) -> None:
        self._window = window_seconds
        self._values: deque[tuple[float, float]] = deque(maxlen=at_most)
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Add a value."""
        with self._lock:
            self._values.append((time.monotonic(), value))

    def newest(self) -> float | None:
        """The last one; None if there is none yet."""
        with self._lock:
            return self._values[-1][1] if self._values else None

    def quantile(self, share: float) -> float | None:
        """The quantile by nearest rank; None without values."""
        oldest = time.monotonic() - self._window
        with self._lock:
            values = [value for at, value in self._values if at >= oldest]
        return float(np.quantile(values, share, method="inverted_cdf")) if values else None


_FIRST_FILL = 0.9
"""x264's own: the buffer is so full before the first frame is taken."""


class LeakyBucket:
    """Filled at a constant rate up to its size, emptied frame by frame (H.264, annex C, as far as sizes go)."""

    def __init__(self, rate_bps: float, size_bits: float) -> None:
        self.underflows = 0
        """Frames that were not there in whole when they were due: a player that buffers no more would stall."""
        self._rate = rate_bps
        self._size = size_bits
        self._bits = _FIRST_FILL * size_bits
        self._dts: int | None = None

    @property
    def fill(self) -> float:
        """Fullness after the newest frame, 0 to 1."""
        return max(0.0, self._bits) / self._size

    def take(self, dts: int, frame_bytes: int) -> None:
        """A frame leaves at a time in ticks."""
        if self._dts is not None:
            self._bits = min(self._size, self._bits + max(0, dts - self._dts) * float(TICK) * self._rate)
        self._dts = dts
        self._bits -= 8 * frame_bytes
        if self._bits < 0:
            self.underflows += 1
            self._bits = 0.0
