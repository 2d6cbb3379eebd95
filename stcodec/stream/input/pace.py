"""Files at the pace of their timestamps."""

from __future__ import annotations

_CATCH_UP_SECONDS = 1.0
"""What is late by no more than this is made up for; else the pace is counted from now."""


class Pacer:
    """Says when a moment of the stream is due on a monotonic clock."""

    def __init__(self) -> None:
        self._start: float | None = None

    def due(self, seconds: float, now: float) -> float:
        """When the frame at a time of the stream is to come in, on the clock of `now`; the past means at once."""
        if self._start is None or now - (self._start + seconds) > _CATCH_UP_SECONDS:
            self._start = now - seconds
        return self._start + seconds
