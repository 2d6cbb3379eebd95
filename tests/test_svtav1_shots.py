"""CRFs of shots in AV1: encoders one after another in one stream, and the searches that use them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import media
import numpy as np
import pytest
from av.video.stream import VideoStream
from coding import main_packets

import stcodec
from stcodec.encoders.av1_headers import frame_quantisers
from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.encoders.session import EncoderSession
from stcodec.encoders.table import find_encoder
from stcodec.matching.allocation import Allocation
from stcodec.matching.shots import FrameRange, Shot
from stcodec.matching.trial_encodes import MeasuredPart
from stcodec.media.decode import VideoReader
from stcodec.options import EncodeOptions
from stcodec.types import TimeArray

PLAIN_BLOCKS = stcodec.OffsetPolicy(strength=0)
_SEQUENCE_HEADER_END = 15
"""Of a temporal unit that begins with a temporal delimiter and a sequence header of 11 bytes."""
CODING: dict[str, Any] = {"encoder": "libsvtav1", "preset": "12", "attention": "center"}


@pytest.fixture(scope="module")
def two_shots(videos: Path) -> Path:
    return media.make_video(videos / "two_shots.mp4", size=(320, 192), frames=56, cuts=[26])


def planned(source: Path, policy: stcodec.OffsetPolicy) -> EncoderPlan:
    with VideoReader(source) as reader:
        return make_plan(EncodeOptions(crf=40, policy=policy, **CODING), reader.info)


def written(plan: EncoderPlan, source: Path, target: Path, shifts: list[float]) -> list[Any]:
    """Encode as many frames as there are shifts into a file; the packets."""
    with av.open(str(target), "w") as container, VideoReader(source) as reader:
        stream = container.add_stream("libsvtav1")
        assert isinstance(stream, VideoStream)
        session = EncoderSession(plan, stream)
        offsets = np.zeros(plan.grid.shape, np.float32) if plan.has_offsets else None
        if offsets is not None:
            offsets[:, 0] = 6
        packets = list[Any]()
        for frame, shift in zip(reader.frames(), shifts, strict=False):
            packets += session.send(frame, offsets, shift_qp=shift)
        packets += session.flush()
        found = [(bytes(packet), packet.pts, packet.is_keyframe, packet.duration) for packet in packets]
        for packet in packets:
            container.mux(packet)
    return found


@pytest.mark.parametrize(
    ("policy", "ending"), [(PLAIN_BLOCKS, "mp4"), (stcodec.OffsetPolicy(), "webm")], ids=["plain", "guided"]
)
def test_encoders_follow_each_other_in_one_stream(
    two_shots: Path, tmp_path: Path, policy: stcodec.OffsetPolicy, ending: str
) -> None:
    plan = planned(two_shots, policy)
    assert plan.shifts_crf and plan.has_offsets == (policy.strength > 0)
    whole, first = tmp_path / f"whole.{ending}", tmp_path / f"first.{ending}"
    packets = written(plan, two_shots, whole, [0.0] * 10 + [12.0] * 8)
    assert [number for number, packet in enumerate(packets) if packet[2]] == [0, 10]
    assert written(plan, two_shots, first, [0.0] * 10) == packets[:10]
    assert len(media.frames_of(whole)) == 18
    assert media.video_pts(whole) == media.video_pts(two_shots)[:18]
    frames = list(frame_quantisers(whole))
    before, after = ([one for one in frames if (one.seconds >= 0.39) == late] for late in (False, True))
    assert min(one.base_q_idx for one in after) > before[0].base_q_idx + 30
    assert all((one.qindex_offsets is not None) == plan.has_offsets for one in frames)
    assert len({packet[0][:_SEQUENCE_HEADER_END] for packet in packets if packet[2]}) == 1


def test_a_shift_back_begins_anew_too_and_none_does_not(two_shots: Path, tmp_path: Path) -> None:
    plan = planned(two_shots, PLAIN_BLOCKS)
    packets = written(plan, two_shots, tmp_path / "out.mkv", [3.0] * 4 + [0.0] * 4 + [0.0] * 4)
    assert [number for number, packet in enumerate(packets) if packet[2]] == [0, 4]
    keys = [one.base_q_idx for one in frame_quantisers(tmp_path / "out.mkv") if one.is_key]
    assert keys[0] > keys[1]


def test_plain_blocks_of_one_shot_are_the_plain_encode(two_shots: Path, tmp_path: Path) -> None:
    goal, end = stcodec.MatchOptions(crf=43), 1.0
    report = stcodec.match(two_shots, tmp_path / "out.mkv", goal, policy=PLAIN_BLOCKS, end_seconds=end, **CODING)
    stcodec.encode(two_shots, tmp_path / "plain.mkv", crf=43, end_seconds=end, **{**CODING, "attention": "none"})
    ours, plain = ([bytes(one) for one in main_packets(tmp_path / name)] for name in ("out.mkv", "plain.mkv"))
    assert len(ours) == 25 and ours == plain
    assert report.match is not None and report.match.saving_percent == 0 and report.match.difference == 0


def test_plain_blocks_keep_the_quality_of_all_shots_together(two_shots: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    report = stcodec.match(two_shots, target, stcodec.MatchOptions(crf=43), policy=PLAIN_BLOCKS, **CODING)
    match = report.match
    assert match is not None and (match.control, len(match.shots)) == ("shots", 2)
    assert match.difference > -0.3
    assert len(media.frames_of(target)) == 56
    steps = [shot.shift_qp for shot in match.shots]
    assert steps == [round(step) for step in steps] and max(map(abs, steps)) <= 6
    assert [number for number, packet in enumerate(main_packets(target)) if packet.is_keyframe] == [0, 26]
    assert report.offsets_applied.verdict == "not-measured"


def test_a_value_is_reached_in_each_shot(two_shots: Path, tmp_path: Path) -> None:
    goal = stcodec.MatchOptions(value=36.0, tolerance=0.5)
    match = stcodec.match(two_shots, tmp_path / "out.mkv", goal, policy=PLAIN_BLOCKS, **CODING).match
    assert match is not None and match.control == "shots"
    assert [shot.reached for shot in match.shots] == pytest.approx([36, 36], abs=1)


CURVES = ((1.0, 9e5, 0.11, 0.15), (4.0, 3e5, 0.08, 0.10), (0.3, 6e5, 0.16, 0.13))
"""Of three shots: error and bytes at the plain encode's CRF, and by how much their logarithms change with each step."""


class _Trials:
    """Shots of 50 frames whose error and size are known."""

    def guided(
        self, stage: str, plan: object, parts: list[FrameRange], shift: dict[FrameRange, float]
    ) -> dict[FrameRange, MeasuredPart]:
        found = {}
        for part in parts:
            error, size, steeper, shorter = CURVES[part.first // 50]
            values = np.full(50, error * np.exp(steeper * shift[part]) / 1e4)
            found[part] = MeasuredPart(values, int(size * np.exp(-shorter * shift[part])))
        return found


class _FlatTrials(_Trials):
    """The size of the second shot hardly falls any more: a parabola through its three points rises at the end."""

    def guided(
        self, stage: str, plan: object, parts: list[FrameRange], shift: dict[FrameRange, float]
    ) -> dict[FrameRange, MeasuredPart]:
        found = super().guided(stage, plan, parts, shift)
        sizes = {-6.0: 100_000, 0.0: 50_000, 6.0: 48_000}
        return {
            part: MeasuredPart(one.values, sizes[shift[part]]) if part.first == 50 else one for part, one in found.items()
        }


def allocation(trials: Any, plain: TimeArray) -> Allocation:
    shots = [Shot(frames, (frames,)) for frames in (FrameRange(first, first + 50) for first in (0, 50, 100))]
    job = SimpleNamespace(plan=SimpleNamespace(encoder=find_encoder("libsvtav1")))
    control: Any = SimpleNamespace(scan=SimpleNamespace(shots=shots), base_crf=40.0, job=job)
    control.trial = lambda qp: (None, {shots[unit].frames: step for unit, step in qp.items()})
    return Allocation(trials, control, stcodec.MatchOptions(crf=40), plain)


def test_no_step_is_taken_that_saves_nothing() -> None:
    worse = np.repeat([10 * error / 1e4 for error, *_ in CURVES], 50)
    assert allocation(_FlatTrials(), worse).best() == [6, 3, 6]


def test_bits_go_where_they_buy_most() -> None:
    plain = np.repeat([error / 1e4 for error, *_ in CURVES], 50)
    steps = allocation(_Trials(), plain).best()

    def outcome(chosen: tuple[float, ...]) -> tuple[float, float]:
        errors = sum(error * np.exp(steeper * step) for (error, _, steeper, _), step in zip(CURVES, chosen, strict=True))
        return errors, sum(
            size * np.exp(-shorter * step) for (_, size, _, shorter), step in zip(CURVES, chosen, strict=True)
        )

    limit, one_crf = outcome((0, 0, 0))
    possible = [outcome(chosen) for chosen in product(range(-6, 7), repeat=3)]
    least = min(size for error, size in possible if error <= limit * 1.0001)
    error, size = outcome(tuple(steps))
    assert error <= limit * 1.0001
    assert least <= size <= 1.02 * least < one_crf
