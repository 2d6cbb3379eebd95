"""The arithmetic of a live stream: time, pace, pressure, the decoder's buffer, frame rates, the fan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stcodec.errors import OptionsError
from stcodec.options import OffsetPolicy
from stcodec.stream.attend import LiveMap
from stcodec.stream.input.pace import FrameRateWatch, Pacer
from stcodec.stream.input.timeline import TICKS_PER_SECOND, StreamTimeline, to_ticks
from stcodec.stream.observe.gauges import LeakyBucket
from stcodec.stream.observe.snapshot import Pressure, TargetState
from stcodec.stream.offsets import FADED_SECONDS, FRESH_SECONDS, HELD_SECONDS, LiveOffsets, faded_share
from stcodec.stream.options import Rendition, StreamOptions, parse_rendition
from stcodec.stream.output.fan import Fan
from stcodec.stream.packet import TICK, LivePacket, Track
from stcodec.stream.plans import live_plan
from stcodec.stream.pressure import ENGAGE, PressureControl
from stcodec.types import VideoInfo

FRAME = 3000
"""Ticks of a frame at 30 a second."""
HOUR = 3600 * TICKS_PER_SECOND


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_source_that_runs_on_keeps_its_steps() -> None:
    timeline = StreamTimeline()
    times = [5_000_000 + step for step in (0, 3000, 6100, 9000, 40_000)]
    assert [timeline.place("video", one, FRAME) for one in times] == [0, 3000, 6100, 9000, 40_000]
    assert timeline.jumps == 0


@pytest.mark.parametrize("jump", [-HOUR, -2 * TICKS_PER_SECOND, 20 * TICKS_PER_SECOND, 26 * HOUR])
def test_a_jump_becomes_one_frame_and_sound_stays_with_the_picture(jump: int) -> None:
    timeline = StreamTimeline()
    for index in range(30):
        timeline.place("video", index * FRAME, FRAME)
        timeline.place("audio", index * FRAME + 700, FRAME)
    picture = [timeline.place("video", jump + index * FRAME, FRAME) for index in range(30, 60)]
    audio = [timeline.place("audio", jump + index * FRAME + 700, FRAME) for index in range(30, 60)]
    assert picture == [index * FRAME for index in range(30, 60)]
    assert audio == [index * FRAME + 700 for index in range(30, 60)]
    assert timeline.jumps == 1


def test_sound_may_jump_before_the_picture_does() -> None:
    timeline = StreamTimeline()
    for index in range(10):
        timeline.place("video", index * FRAME, FRAME)
        timeline.place("audio", index * FRAME, FRAME)
    audio = [timeline.place("audio", HOUR + index * FRAME, FRAME) for index in range(10, 14)]
    late = timeline.place("video", 10 * FRAME, FRAME)  # still of before
    picture = [timeline.place("video", HOUR + index * FRAME, FRAME) for index in range(11, 14)]
    assert audio == [index * FRAME for index in range(10, 14)]
    assert [late, *picture] == [index * FRAME for index in range(10, 14)]
    assert timeline.jumps == 1


def test_what_a_live_source_was_away_is_in_the_time() -> None:
    timeline = StreamTimeline()
    now = 0
    for index in range(10):
        now = index * FRAME
        timeline.place("video", index * FRAME, FRAME, now)
    timeline.restart()
    now += 7 * TICKS_PER_SECOND
    assert timeline.place("audio", 123, FRAME, now) is None  # never seen before, and the picture comes first
    assert timeline.place("video", 99, FRAME, now) == 9 * FRAME + 7 * TICKS_PER_SECOND
    assert timeline.jumps == 0


def test_a_real_pause_of_a_live_source_is_no_jump() -> None:
    timeline = StreamTimeline()
    timeline.place("video", 0, FRAME, 0)
    assert timeline.place("video", 20 * TICKS_PER_SECOND, FRAME, 20 * TICKS_PER_SECOND) == 20 * TICKS_PER_SECOND
    assert timeline.jumps == 0


def test_frames_that_come_after_their_time_was_filled_are_left_out_and_then_taken_at_their_own_pace() -> None:
    timeline = StreamTimeline()
    timeline.place("video", 0, FRAME, 0)
    for step in range(1, 61):  # two seconds in which the last picture stands
        timeline.hold("video", step * FRAME, step * FRAME)
    now = 61 * FRAME
    caught_up = [timeline.place("video", index * FRAME, FRAME, now + index * 10) for index in range(1, 66)]
    assert caught_up[:59] == [None] * 59
    assert [one for one in caught_up if one is not None][-1] == 65 * FRAME
    # One that stays behind for ever is not left out for ever.
    for step in range(1, 61):
        timeline.hold("video", (65 + step) * FRAME, now + step * FRAME)
    now += 60 * FRAME
    behind = [timeline.place("video", (65 + index) * FRAME, FRAME, now + index * FRAME) for index in range(1, 60)]
    assert behind[0] is None
    assert None not in behind[31:]
    assert timeline.jumps == 1


@given(st.lists(st.tuples(st.sampled_from(["video", "audio"]), st.integers(-(2**40), 2**40)), min_size=1, max_size=60))
def test_time_never_goes_back_nor_stands(items: list[tuple[str, int]]) -> None:
    timeline = StreamTimeline()
    last: dict[str, int] = {}
    for stream, source in items:
        placed = timeline.place(stream, source, FRAME)
        if placed is not None:
            assert placed > last.get(stream, -1)
            last[stream] = placed


def test_a_pace_is_kept_caught_up_with_and_begun_anew() -> None:
    pacer = Pacer()
    assert pacer.due(0.0, 100.0) == 100.0
    assert pacer.due(1.0, 100.2) == 101.0
    assert pacer.due(2.0, 102.9) == 102.0  # late by less than a second: made up for
    assert pacer.due(3.0, 110.0) == 110.0  # a long pause is not run after
    assert pacer.due(4.0, 110.1) == 111.0


# --- pressure -------------------------------------------------------------------------------------------------------


def run_at(control: PressureControl, load: float, seconds_long: float, start: float) -> list[Pressure]:
    return [control.step(load, start + index / 30) for index in range(round(seconds_long * 30))]


def test_what_gives_way_does_so_in_order_and_comes_back_in_reverse() -> None:
    control = PressureControl(1.0, 2)
    seen = run_at(control, 0.9, 3, 0.0)
    assert sorted(set(seen)) == list(Pressure)[1:] and seen == sorted(seen)
    assert control.eased == 2  # every easier preset was tried before the first frame was dropped
    assert (control.counts.older_maps, control.counts.fewer_maps, control.counts.easier_preset) == (1, 1, 2)
    back = run_at(control, 0.0, 120, 3.0)
    assert back == sorted(back, reverse=True)
    assert back[-1] == Pressure.NONE and control.eased == 0


@pytest.mark.parametrize("level", [Pressure.OLDER_MAPS, Pressure.FEWER_MAPS, Pressure.EASIER_PRESET])
def test_a_load_brings_in_what_it_calls_for_and_no_more(level: Pressure) -> None:
    control = PressureControl(1.0, 1)
    run_at(control, (ENGAGE[level] + ENGAGE[Pressure(level + 1)]) / 2, 20, 0.0)
    assert control.level == level


def test_a_sudden_standstill_still_keeps_the_order() -> None:
    control = PressureControl(1.0, 2)
    levels = [control.step(5.0, 0.0) for _ in range(6)]
    assert levels == [1, 2, 3, 3, 4, 4]


def test_presets_that_came_back_too_early_stay_away_longer() -> None:
    control = PressureControl(1.0, 1)
    now, waits = 0.0, []
    for _ in range(3):
        while control.eased == 0:
            control.step(0.35, now)
            now += 0.1
        began = now
        while control.eased:
            control.step(0.0, now)
            now += 0.1
        waits.append(now - began)
    assert waits[1] > 1.8 * waits[0] and waits[2] > 1.8 * waits[1]


def test_maps_that_are_late_by_themselves_are_said_to_be_old_and_nothing_else_gives_way() -> None:
    control = PressureControl(1.0, 2)
    assert {control.step(0.0, index / 30, maps_late=True) for index in range(300)} == {Pressure.OLDER_MAPS}
    run_at(control, 0.0, 5, 10.0)
    assert control.level == Pressure.NONE


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_levels_change_by_one(loads: list[float]) -> None:
    control = PressureControl(0.5, 3)
    before = control.level
    for index, load in enumerate(loads):
        now = control.step(load, index / 10)
        assert abs(now - before) <= 1
        assert (control.eased > 0) <= (now >= Pressure.EASIER_PRESET)
        before = now


# --- the decoder's buffer -------------------------------------------------------------------------------------------


def test_a_buffer_fed_at_its_rate_neither_fills_up_nor_runs_dry() -> None:
    bucket = LeakyBucket(3_000_000, 3_000_000)
    for index in range(300):
        bucket.take(index * FRAME, 12_500)  # 100 kbit a frame at 30 a second
    assert bucket.underflows == 0
    assert bucket.fill == pytest.approx(0.9 - 0.1 / 3, abs=1e-3)


def test_a_frame_larger_than_what_is_there_is_an_underflow() -> None:
    bucket = LeakyBucket(1_000_000, 1_000_000)
    bucket.take(0, 100_000)
    assert bucket.underflows == 0 and bucket.fill == pytest.approx(0.1)
    bucket.take(FRAME, 50_000)
    assert bucket.underflows == 1 and bucket.fill == 0
    bucket.take(FRAME + 10 * TICKS_PER_SECOND, 0)
    assert bucket.fill == 1  # never fuller than full


# --- frame rates ----------------------------------------------------------------------------------------------------


def test_another_frame_rate_is_seen_once_it_is_steady() -> None:
    watch = FrameRateWatch(Fraction(30))
    assert not any(watch.see(3000 + jitter % 7 * 100) for jitter in range(100))
    changes = [watch.see(1502) for _ in range(60)]
    assert (changes.count(True) == 1 and watch.rate == Fraction(60000, 1001)) or watch.rate == 60
    assert not any(watch.see(step) for step in [1500, 9000, 3000, 1500] * 40)  # irregular is no rate


# --- the fan --------------------------------------------------------------------------------------------------------


@dataclass
class Heard:
    """An target that remembers."""

    said: list[tuple[int, int] | tuple[Track, ...]] = field(default_factory=list)

    def put(self, packet: LivePacket) -> None:
        self.said.append((packet.track, packet.pts))

    def restart(self, tracks: tuple[Track, ...]) -> None:
        self.said.append(tracks)

    def state(self) -> TargetState:
        return TargetState("heard", "file", "open", 0, 0, 0)

    def close(self, seconds: float) -> None:
        """Nothing to end."""


def track(name: str, header: bytes) -> Track:
    return Track("video", name, "h264", header, 1_000_000)


def packet(index: int, pts: int) -> LivePacket:
    return LivePacket(index, b"", pts, pts, FRAME, False, 0.0)


def test_new_headers_come_between_whole_pictures_of_all_renditions() -> None:
    heard, old = Heard(), (track("720p", b"a"), track("360p", b"b"), Track("audio", "audio", "aac", b"", 0))
    fan = Fan([heard], old)
    fan.put(packet(0, 1))
    fan.enter(0, track("720p", b"A"))
    fan.put(packet(0, 2))  # ahead of the other rendition
    fan.put(packet(2, 2))
    fan.put(packet(1, 1))
    fan.enter(1, track("360p", b"B"))
    fan.put(packet(1, 2))
    new = (track("720p", b"A"), track("360p", b"B"), old[2])
    assert heard.said == [(0, 1), (2, 2), (1, 1), new, (0, 2), (1, 2)]


def test_an_encoder_opened_again_with_the_same_header_is_no_change() -> None:
    heard, tracks = Heard(), (track("720p", b"a"),)
    fan = Fan([heard], tracks)
    fan.enter(0, tracks[0])
    fan.put(packet(0, 1))
    assert heard.said == [(0, 1)]


# --- maps that grow old ---------------------------------------------------------------------------------------------


def test_a_map_is_held_and_then_fades_to_the_centre_prior() -> None:
    video = VideoInfo(320, 192, TICK, Fraction(30), None, None, "yuv420p", 8, "h264")
    plan = live_plan(StreamOptions("in.mp4", ("out.ts",)), Rendition(None, 500.0), video, "veryfast")
    offsets = LiveOffsets(plan, OffsetPolicy(anchor="mean"))
    corner = np.full((12, 20), 0.02, np.float32)
    corner[:3, :4] = 1
    newest = LiveMap(corner, 10.0, 1, 7)

    def at(age: float) -> tuple[str, float]:
        found = offsets.at(10.0 + age, newest)
        return found.condition, float(found.delta_qp[0, 0])

    fresh, center = at(0.0), offsets.at(10.0, None)
    assert center.condition == "center" and center.age_seconds is None
    assert fresh[0] == "fresh" and fresh[1] < float(center.delta_qp[0, 0]) - 3
    assert at(FRESH_SECONDS + 0.1) == ("held", fresh[1])
    assert at(HELD_SECONDS) == ("held", fresh[1])
    fading = [at(HELD_SECONDS + share * (FADED_SECONDS - HELD_SECONDS)) for share in (0.3, 0.6, 0.9)]
    assert [one for one, _ in fading] == ["fading"] * 3
    assert fresh[1] < fading[0][1] <= fading[1][1] <= fading[2][1] <= float(center.delta_qp[0, 0])
    assert at(FADED_SECONDS) == ("center", float(center.delta_qp[0, 0]))
    assert faded_share(1e6) == 1


# --- options --------------------------------------------------------------------------------------------------------


def test_renditions_are_read() -> None:
    assert parse_rendition("720p@2500k") == Rendition(720, 2500)
    assert parse_rendition("360p@0.6M") == Rendition(360, 600)
    for text in ("720", "720p", "p@1k", "720p@", "720p@1x"):
        with pytest.raises(OptionsError, match="LINESp@RATE"):
            parse_rendition(text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"targets": ()}, "nowhere to stream to"),
        ({"keyint_seconds": 0.0}, "keyint is 0 s"),
        ({"max_latency_seconds": float("nan")}, "max latency is nan"),
        ({"renditions": (Rendition(360, 500.0), Rendition(360, 900.0))}, "same number of lines"),
    ],
)
def test_options_that_can_not_work_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        replace(StreamOptions("in.mp4", ("out.ts",)), **fields)


def test_ticks_are_those_of_mpeg() -> None:
    assert to_ticks(1.5) == 135_000
