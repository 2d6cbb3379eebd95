"""Fan-out from the encoders to the targets: each packet to all, and new headers to all at the same frame."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from stcodec.stream.packet import LivePacket, Target, Track


class Fan:
    """Fan-out of packets to targets, called from the threads of all encoders.

    When encoders are opened again, all do it at the same frame, but each reaches it in its own time. Packets of those
    that are ahead wait here until the last one is there; so targets see one change of tracks, between two whole pictures
    of all renditions. Headers that are the same again are no change.
    """

    def __init__(self, targets: Sequence[Target], tracks: Sequence[Track]) -> None:
        self._targets = targets
        self._tracks = tuple(tracks)
        self._next = list(tracks)
        self._generations = [0 if track.kind == "video" else -1 for track in tracks]
        self._ahead: list[LivePacket] = []
        self._lock = threading.Lock()

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The tracks that the targets know."""
        with self._lock:
            return self._tracks

    def put(self, packet: LivePacket) -> None:
        """Pass a packet on, or keep it until the other encoders are where this one is."""
        with self._lock:
            if self._is_ahead(packet.track):
                self._ahead.append(packet)
            else:
                self._give(packet)

    def enter(self, index: int, track: Track) -> None:
        """The encoder of a track was opened again: its packets from now on belong to this track."""
        with self._lock:
            self._generations[index] += 1
            self._next[index] = track
            if len({one for one in self._generations if one >= 0}) > 1:
                return
            if tuple(self._next) != self._tracks:
                self._tracks = tuple(self._next)
                for target in self._targets:
                    target.restart(self._tracks)
            for packet in sorted(self._ahead, key=lambda one: one.dts):
                self._give(packet)
            self._ahead.clear()

    def _is_ahead(self, index: int) -> bool:
        slowest = min(one for one in self._generations if one >= 0)
        return self._generations[index] > slowest

    def _give(self, packet: LivePacket) -> None:
        for target in self._targets:
            target.put(packet)
