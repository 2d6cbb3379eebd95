"""The decoder's buffer, reckoned from the sizes of the packets."""

from __future__ import annotations

from stcodec.stream.packet import TICK

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
        """How full it is after the newest frame, 0 to 1."""
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
