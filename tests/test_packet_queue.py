"""The queue before a target: it never grows, never drops in the middle of a GOP, and counts what it drops."""

from __future__ import annotations

import threading
from itertools import groupby

import clips
import pytest
from hypothesis import example, given, strategies as st

from stcodec.stream.output.queue import PacketQueue
from stcodec.stream.packet import LivePacket, Track

FRAME = 3600
GOP = 25
TWO = (
    Track("video", "720p", "h264", b"", 0),
    Track("video", "360p", "h264", b"", 0),
    Track("audio", "audio", "aac", b"", 0),
)


def packet(track: int, frame: int) -> LivePacket:
    return LivePacket(track, b"x" * 100, frame * FRAME, frame * FRAME, FRAME, frame % GOP == 0 or track == 2, 0.0)


def drain(queue: PacketQueue) -> list[LivePacket]:
    taken = []
    while isinstance(item := queue.get(0), LivePacket):
        taken.append(item)
    return taken


def runs_of(frames: list[int]) -> list[list[int]]:
    """Frames, cut where some are missing."""
    return [[frame for _, frame in run] for _, run in groupby(enumerate(frames), lambda pair: pair[1] - pair[0])]


def assert_decodable(taken: list[LivePacket]) -> None:
    """Every gap in a video track ends at a key frame, and the renditions have the same gaps.

    But of a picture that was on its way when the rest was dropped the target may have one rendition and not the other.
    """
    frames = [[one.pts // FRAME for one in taken if one.track == track] for track in (0, 1)]
    assert all(run[0] % GOP == 0 for track in frames for run in runs_of(track))
    assert all(len(run) == 1 for run in runs_of(sorted(set(frames[0]) ^ set(frames[1]))))


def test_a_target_that_keeps_up_gets_everything_in_order() -> None:
    queue = PacketQueue(TWO)
    sent = [packet(track, frame) for frame in range(100) for track in range(3)]
    taken = []
    for one in sent:
        queue.put(one)
        taken += drain(queue)
    assert taken == sent and queue.dropped == 0


def test_a_target_that_takes_nothing_loses_the_oldest_up_to_the_newest_key_frame() -> None:
    queue = PacketQueue(TWO, limit_seconds=2.0)
    for frame in range(80):
        for track in range(3):
            queue.put(packet(track, frame))
    taken = drain(queue)
    assert_decodable(taken)
    assert {one.pts // FRAME for one in taken} == set(range(50, 80))
    assert queue.dropped == 3 * 50


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 120)), min_size=1, max_size=12),
    st.floats(0.3, 4.0),
    st.permutations([0, 1, 2]),
)
@example([(1, 1), (13, 0)], 0.5, [0, 1, 2])
@clips.FIXED_SETTINGS
def test_whatever_the_target_takes_is_decodable_and_the_rest_is_counted(
    turns: list[tuple[int, int]], limit: float, order: list[int]
) -> None:
    queue = PacketQueue(TWO, limit_seconds=limit)
    frame, taken = 0, []
    for frames, take in turns:
        for _ in range(frames):
            for track in order:
                queue.put(packet(track, frame))
            frame += 1
        for _ in range(take):
            item = queue.get(0)
            taken += [item] if isinstance(item, LivePacket) else []
    taken += drain(queue)
    assert_decodable(taken)
    assert len(taken) + queue.dropped == 3 * frame


def test_a_stream_is_joined_at_a_key_frame() -> None:
    queue = PacketQueue(TWO)
    for frame in range(10, 60):
        queue.put(packet(0, frame))
        queue.put(packet(1, frame))
    assert [one.pts // FRAME for one in drain(queue)][:2] == [25, 25]
    for frame in range(60, 80):
        queue.put(packet(0, frame))
        queue.put(packet(1, frame))
    queue.skip_to_newest_key()
    assert {one.pts // FRAME for one in drain(queue)} == {75, 76, 77, 78, 79}


def test_bytes_are_bounded_too() -> None:
    queue = PacketQueue(TWO, limit_seconds=60, limit_bytes=10_000)
    for frame in range(400):
        queue.put(packet(0, frame))
    assert sum(len(one.data) for one in drain(queue)) <= 10_000


def test_a_change_of_tracks_comes_where_it_was_put_and_survives_a_skip() -> None:
    queue = PacketQueue(TWO)
    queue.put(packet(0, 0))
    queue.restart(TWO[:1])
    queue.put(packet(0, 25))
    assert queue.get(0) == packet(0, 0) and queue.get(0) == TWO[:1] and queue.get(0) == packet(0, 25)
    queue.put(packet(0, 50))
    queue.restart(TWO)
    queue.put(packet(0, 75))
    assert queue.skip_to_newest_key() == TWO
    assert drain(queue) == [packet(0, 75)]


@pytest.mark.parametrize("ends", ["taken", "closed", "told not to wait"])
def test_a_patient_queue_waits_for_a_place_and_drops_nothing(ends: str) -> None:
    queue = PacketQueue(TWO, limit_seconds=1.0, waits=True)
    done = threading.Event()

    def put_all() -> None:
        for frame in range(60):
            queue.put(packet(0, frame))
        done.set()

    thread = threading.Thread(target=put_all)
    thread.start()
    try:
        assert not done.wait(0.2) and queue.dropped == 0
        if ends == "taken":
            taken: list[LivePacket] = []
            while len(taken) < 60:
                item = queue.get(5)
                assert isinstance(item, LivePacket)
                taken.append(item)
            assert [one.pts // FRAME for one in taken] == list(range(60)) and queue.dropped == 0
        elif ends == "told not to wait":
            queue.set_waits(False)
    finally:
        queue.close()
        assert done.wait(120)
        thread.join()
