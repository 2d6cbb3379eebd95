"""Times of day of frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from stcodec.stream.packet import TICK, LivePacket

_DRIFT_SECONDS = 0.25


def date_text(unix_seconds: float) -> str:
    """A time of day as ISO 8601 has it, to the millisecond."""
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WallClock:
    """The time of day of a frame, from when it came in; without the jitter of its coming."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._zero: float | None = None

    def unix_seconds(self, packet: LivePacket) -> float:
        """Seconds since 1970 of a frame. It follows the frames' own clock while that is near the machine's."""
        came = self._clock() - (time.monotonic() - packet.captured_at)
        seconds = float(packet.pts * TICK)
        if self._zero is None or abs(self._zero + seconds - came) > _DRIFT_SECONDS:
            self._zero = came - seconds
        return self._zero + seconds
