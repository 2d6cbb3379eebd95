"""Bounded packet queue of one target: it drops from the front, never in the middle of a GOP."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from stcodec.stream.packet import TICK, LivePacket, Track, Tracks


class PacketQueue:
    """Queue of packets for one target. When it gets too long, it continues from the newest key frame.

    Key frames of all renditions stand at the same times.
    """

    def __init__(
        self, tracks: Sequence[Track], limit_seconds: float = 4.0, limit_bytes: int = 64_000_000, waits: bool = False
    ) -> None:
        """waits: `put` waits for a place instead of dropping, which is for sources that can wait, too."""
        self._limit_ticks = int(limit_seconds / TICK)
        self._limit_bytes = limit_bytes
        self._items: deque[LivePacket | Tracks] = deque()
        self._bytes = 0
        self._ready = threading.Condition()
        self._is_closed = False
        self._waits = waits
        self.dropped = 0
        """Packets that the target never got."""
        self._begin(tuple(tracks))

    def put(self, packet: LivePacket) -> None:
        """Add a packet; what was there before is dropped for it if need be."""
        with self._ready:
            self._ready.wait_for(lambda: self._is_closed or not (self._waits and self._items and self._is_too_long(packet)))
            if self._is_closed:
                return
            self._put_pts[packet.track] = packet.pts
            if self._must_wait(packet):
                self.dropped += 1
                return
            self._items.append(packet)
            self._bytes += len(packet.data)
            if self._is_too_long(packet):
                self._go_on_from_newest_key()
            self._ready.notify_all()

    def restart(self, tracks: Sequence[Track]) -> None:
        """The packets after this belong to other tracks."""
        with self._ready:
            self._begin(tuple(tracks))
            self._items.append(tuple(tracks))
            self._ready.notify_all()

    def get(self, seconds: float) -> LivePacket | Tracks | None:
        """The oldest, or None if nothing comes in time, or if it is closed and empty."""
        with self._ready:
            self._ready.wait_for(lambda: bool(self._items) or self._is_closed, seconds)
            if not self._items:
                return None
            item = self._items.popleft()
            self._bytes -= len(item.data) if isinstance(item, LivePacket) else 0
            if self._waits:
                self._ready.notify_all()
            return item

    def skip_to_newest_key(self) -> Tracks | None:
        """Drop what a target that opens only now has no use for; the tracks that hold from there on, if they changed."""
        with self._ready:
            changes = [(index, item) for index, item in enumerate(self._items) if isinstance(item, tuple)]
            if changes:
                self._keep([item for index, item in enumerate(self._items) if index > changes[-1][0]])
            self._go_on_from_newest_key()
            return changes[-1][1] if changes else None

    def count_dropped(self, packets: int) -> None:
        """Packets that were taken and yet never got there."""
        with self._ready:
            self.dropped += packets

    def set_waits(self, waits: bool) -> None:
        """Whether `put` waits, from now on."""
        with self._ready:
            self._waits = waits
            self._ready.notify_all()

    def close(self) -> None:
        """Accept no more packets; those in the queue can still be taken."""
        with self._ready:
            self._is_closed = True
            self._ready.notify_all()

    def clear(self) -> None:
        """Drop everything."""
        with self._ready:
            self._keep([])

    @property
    def is_done(self) -> bool:
        """Closed, and everything was taken."""
        with self._ready:
            return self._is_closed and not self._items

    def _begin(self, tracks: Tracks) -> None:
        self._video = [index for index, track in enumerate(tracks) if track.kind == "video"]
        self._waiting = set(self._video)
        """Video tracks whose next packet must be a key frame, and of no earlier time than this:"""
        self._from_pts: int | None = None
        self._put_pts: dict[int, int] = {}
        """Time of the newest packet of each track that was put."""

    def _must_wait(self, packet: LivePacket) -> bool:
        if packet.track not in self._video:
            return self._from_pts is not None and packet.pts < self._from_pts
        if packet.track in self._waiting and packet.is_key and (self._from_pts is None or packet.pts >= self._from_pts):
            self._waiting.discard(packet.track)
        return packet.track in self._waiting

    def _is_too_long(self, newest: LivePacket) -> bool:
        oldest = next((item for item in self._items if isinstance(item, LivePacket)), newest)
        return newest.dts - oldest.dts > self._limit_ticks or self._bytes > self._limit_bytes

    def _go_on_from_newest_key(self) -> None:
        packets = [item for item in self._items if isinstance(item, LivePacket)]
        if not packets:
            return
        key_pts = self._newest_key_pts(packets)
        self._waiting = set(self._video)
        if key_pts is not None:
            self._from_pts = key_pts
            self._keep([item for item in self._items if not isinstance(item, LivePacket) or not self._must_wait(item)])
        if key_pts is None or self._is_too_long(packets[-1]):
            self._waiting, self._from_pts = set(self._video), packets[-1].pts
            self._keep([item for item in self._items if not isinstance(item, LivePacket)])

    def _newest_key_pts(self, packets: Sequence[LivePacket]) -> int | None:
        """The time of the newest key frame; None if there is none, or if one of the renditions' own has been taken."""
        leaders = self._video or [packets[0].track]
        keys = [one for one in packets if one.is_key and one.track in leaders]
        if not keys:
            return None
        newest = max(one.pts for one in keys)
        there = {one.track for one in keys if one.pts == newest}
        # Those that are not there either are about to come, or were.
        return None if any(self._put_pts.get(one, newest - 1) >= newest for one in set(leaders) - there) else newest

    def _keep(self, items: Sequence[LivePacket | Tracks]) -> None:
        kept = sum(isinstance(item, LivePacket) for item in items)
        self.dropped += sum(isinstance(item, LivePacket) for item in self._items) - kept
        self._items = deque(items)
        self._bytes = sum(len(item.data) for item in items if isinstance(item, LivePacket))
