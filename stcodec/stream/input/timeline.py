"""Timeline of a stream that never goes back, whatever the source's timestamps do, in ticks of 90 kHz."""

from __future__ import annotations

from dataclasses import dataclass

from stcodec.stream.packet import TICK

TICKS_PER_SECOND = round(1 / TICK)
_LARGEST_STEP = 10 * TICKS_PER_SECOND
"""A file may hold a picture for so long; a larger step is a jump of its clock."""
_LIVE_SLACK = TICKS_PER_SECOND
"""A live source's step and the time that went by may differ so much; more is a jump of its clock."""
_BACK = TICKS_PER_SECOND // 2
"""Steps back up to this are disorder of single packets, not a jump."""
_TOGETHER = 5 * TICKS_PER_SECOND
"""Streams of one source that jump to within this of each other have made the same jump."""
_LATE = TICKS_PER_SECOND
"""Frames that come too late are left out for so long; then the source is taken at its new pace."""


def to_ticks(seconds: float) -> int:
    """Seconds as ticks."""
    return round(seconds * TICKS_PER_SECOND)


@dataclass
class _Epoch:
    """A time in which the source's clock runs on."""

    offset: int
    """Ticks to add to the source's."""
    newest: int
    """The source's newest time of any stream."""


@dataclass
class _Stream:
    epoch: _Epoch
    source: int
    placed: int
    arrived: int | None
    """Arrival of the newest, in ticks."""
    placed_at: int | None
    """Clock time at which it was placed, in ticks."""
    late_since: int | None = None


class StreamTimeline:
    """Places the packets and frames of a source in the stream's time, which never goes back.

    A stream of the source stays in its epoch while its clock runs on. When it jumps, a new epoch begins where the stream
    left off, or later by the time that went by meanwhile; the other streams follow into it as they jump, so that audio and
    picture stay together. The first frame is at 0.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self._epoch: _Epoch | None = None
        self._streams: dict[str, _Stream] = {}
        self._restarting: set[str] = set()

    def restart(self) -> None:
        """The source was opened again: its clock says nothing about before. The picture comes first, then the audio."""
        self._restarting = set(self._streams)
        self._epoch = None

    def placed(self, stream: str) -> int | None:
        """Stream time of the last frame or packet of a kind; None before the first."""
        seen = self._streams.get(stream)
        return None if seen is None else seen.placed

    def hold(self, stream: str, placed: int, now: int) -> None:
        """Something was shown meanwhile, at this time of the stream: what comes is later."""
        seen = self._streams[stream]
        seen.placed, seen.placed_at = max(placed, seen.placed), now

    def place(self, stream: str, source: int | None, length: int, arrived: int | None = None) -> int | None:
        """The time of the next item of a stream; None if it must be left out.

        source: its own time, None if it has none; length: how long it lasts as far as is known; arrived: when it came in,
        of a live source.
        """
        seen = self._streams.get(stream)
        if seen is None:
            return self._first(stream, source, arrived)
        if source is None:
            source = seen.source + length
        if stream in self._restarting:
            self._restarting.discard(stream)
            self._jump(stream, seen, source, length, arrived)
        elif not self._runs_on(seen, source, arrived):
            self.jumps += self._jump(stream, seen, source, length, arrived)
        return self._step(seen, source, length, arrived)

    def _first(self, stream: str, source: int | None, arrived: int | None) -> int | None:
        if self._epoch is None:
            if self._streams:
                return None  # the source is new, and its picture has not come yet
            self._epoch = _Epoch(-(source or 0), source or 0)
        source = self._epoch.newest if source is None else source
        placed = source + self._epoch.offset
        if placed < 0:
            return None
        self._streams[stream] = _Stream(self._epoch, source, placed, arrived, arrived)
        return placed

    def _runs_on(self, seen: _Stream, source: int, arrived: int | None) -> bool:
        step = source - seen.source
        if arrived is None or seen.arrived is None:
            return -_BACK < step <= _LARGEST_STEP
        return -_BACK < step <= max(0, arrived - seen.arrived) + _LIVE_SLACK

    def _jump(self, stream: str, seen: _Stream, source: int, length: int, arrived: int | None) -> bool:
        """Leave the epoch for the one that another stream has begun, or for a new one; whether it is a new one."""
        epoch = self._epoch
        if epoch is not None and epoch is not seen.epoch and abs(source - epoch.newest) <= _TOGETHER:
            seen.epoch = epoch
            return False
        passed = 0 if arrived is None or seen.placed_at is None else arrived - seen.placed_at
        self._epoch = seen.epoch = _Epoch(seen.placed + max(length, passed, 1) - source, source)
        return True

    def _step(self, seen: _Stream, source: int, length: int, arrived: int | None) -> int | None:
        placed = source + seen.epoch.offset
        seen.epoch.newest = max(seen.epoch.newest, source)
        seen.source = source
        before, seen.arrived = seen.arrived, arrived
        if placed > seen.placed:
            return self._show(seen, placed, arrived)
        if 2 * (seen.placed - placed) < length:  # nearly two at once: both are wanted
            return self._show(seen, seen.placed + 1, arrived)
        return self._late(seen, source, length, arrived if arrived is not None else before)

    def _late(self, seen: _Stream, source: int, length: int, now: int | None) -> int | None:
        """Leave out what comes after its time, unless that goes on."""
        now = source if now is None else now
        if seen.late_since is None:
            seen.late_since = now
        if now - seen.late_since < _LATE:
            return None
        self.jumps += 1
        self._epoch = seen.epoch = _Epoch(seen.placed + max(length, 1) - source, source)
        return self._show(seen, source + seen.epoch.offset, now)

    def _show(self, seen: _Stream, placed: int, now: int | None) -> int:
        seen.placed, seen.placed_at, seen.late_since = placed, now, None
        return placed
