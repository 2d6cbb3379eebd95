"""Packets of a file in the order of their times, however the file has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from av.packet import Packet

_AT_MOST = 300
"""Packets of one stream that wait for the other: some seconds. A stream that has ended early is not waited for."""


def by_time(packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
    """The packets of two streams, sorted by when they are decoded; those without a time where they are."""
    waiting: dict[int, deque[Packet[Any]]] = {}
    for packet in packets:
        if not packet.size or packet.dts is None:
            yield from _drained(waiting)
            yield packet
            continue
        waiting.setdefault(packet.stream.index, deque()).append(packet)
        while len(waiting) > 1 and (all(waiting.values()) or max(map(len, waiting.values())) > _AT_MOST):
            yield _earliest(waiting)
        if len(waiting) == 1 and len(waiting[packet.stream.index]) > _AT_MOST:
            yield _earliest(waiting)
    yield from _drained(waiting)


def _drained(waiting: dict[int, deque[Packet[Any]]]) -> Iterator[Packet[Any]]:
    while any(waiting.values()):
        yield _earliest(waiting)


def _earliest(waiting: dict[int, deque[Packet[Any]]]) -> Packet[Any]:
    def seconds(packets: deque[Packet[Any]]) -> float:
        first = packets[0]
        assert first.dts is not None and first.time_base is not None
        return float(first.dts * first.time_base)

    return min((one for one in waiting.values() if one), key=seconds).popleft()
