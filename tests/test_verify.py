"""The proof proves: it says "applied" of real encodes and fails those whose offsets, frames or times are not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

import stcodec
from stcodec.encoders import session
from stcodec.encoders.carrier import RegionTable
from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.encoders.verdict import BlockReading, Blocks, judge, pool
from stcodec.errors import VerifyError
from stcodec.media.mux import Muxer
from stcodec.options import EncodeOptions
from stcodec.report import EncodeReport, OffsetsApplied
from stcodec.types import FloatArray, VideoInfo

ENCODERS = ("libx264", "libx265", "libvpx-vp9")
Packets = Iterable["av.Packet[av.VideoStream]"]


@pytest.fixture(scope="module")
def spot(videos: Path) -> str:
    """A map with one soft spot, a third of the way from the left."""
    rows, cols = np.mgrid[:34, :80] + 0.5
    distance = ((cols / 80 - 0.3) ** 2 + ((rows / 34 - 0.4) * 272 / 640) ** 2) / (2 * 0.12**2)
    cv2.imwrite(str(videos / "spot.png"), np.rint(255 * np.exp(-distance)))
    return f"map:{videos / 'spot.png'}"


def encode(source: Path, folder: Path, encoder: str, attention: str, **fields: Any) -> EncodeReport:
    preset = {"libvpx-vp9": "7"}.get(encoder, "veryfast")
    # A low floor: offsets that stand out from the encoder's own.
    chosen = {"preset": preset, "verify": True, "attention": attention, "floor": 0.15, **fields}
    return stcodec.encode(source, folder / "out.mkv", encoder=encoder, **chosen)


def fails_leaving_nothing(source: Path, folder: Path, message: str, encoder: str, attention: str, **fields: Any) -> None:
    with pytest.raises(VerifyError, match=message):
        encode(source, folder, encoder, attention, **fields)
    assert list(folder.iterdir()) == []


# --- real encodes


@pytest.mark.parametrize("crf", [18, 40])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_real_encode_has_them(ride: Path, tmp_path: Path, spot: str, encoder: str, crf: int) -> None:
    applied = encode(ride, tmp_path, encoder, spot, crf=crf).offsets_applied
    assert applied.verdict == "applied", applied
    assert applied.method == ("effect" if encoder == "libx265" else "bitstream")
    assert applied.frames == 1
    assert applied.blocks == 40 * 17 * (4 if encoder == "libvpx-vp9" else 1)
    assert applied.slope is not None and applied.correlation is not None
    if encoder == "libx265":
        assert 0.3 < applied.slope < 1.2 and applied.correlation > 0.5
        assert applied.share_applied is applied.share_snapped is applied.share_clipped is None
    else:
        assert 0.7 < applied.slope < 1.3 and applied.correlation > 0.6
        assert_shares_make_sense(applied)
        assert applied.share_applied is not None and applied.share_applied > 0.5


@pytest.mark.parametrize(("encoder", "crf"), [("libx264", 50), ("libx264", 51), ("libvpx-vp9", 60)])
def test_at_the_end_of_the_range_they_are_called_clipped(
    ride: Path, tmp_path: Path, spot: str, encoder: str, crf: float
) -> None:
    applied = encode(ride, tmp_path, encoder, spot, crf=crf, strength=1.5).offsets_applied
    assert applied.verdict in ("applied", "weak")
    assert_shares_make_sense(applied)
    assert applied.share_clipped is not None and applied.share_clipped > 0.15


def test_blocks_whose_plain_qp_is_at_the_end_already_do_not_count(ride: Path, tmp_path: Path, spot: str) -> None:
    applied = encode(ride, tmp_path, "libx264", spot, crf=1).offsets_applied
    assert applied.blocks < 500
    assert applied.slope is not None and applied.slope > 0.85


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_what_became_of_quality_is_that_of_the_files(ride: Path, tmp_path: Path, spot: str, encoder: str) -> None:
    applied = encode(ride, tmp_path, encoder, spot, crf=30).offsets_applied
    files = [tmp_path / "out.mkv", tmp_path / "plain.mkv"]
    stcodec.encode(ride, files[1], encoder=encoder, preset="veryfast", crf=30, attention="none")
    original, ours, theirs = (luma_of_first(path) for path in (ride, *files))
    picture = cv2.imread(spot.removeprefix("map:"), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    weights = cv2.resize(picture.astype(np.float32), ours.shape[::-1])
    for gain, weight in ((applied.attended_db, weights), (applied.whole_db, np.ones_like(weights))):
        ratio = (weight * (theirs - original) ** 2).sum() / (weight * (ours - original) ** 2).sum()
        assert gain == pytest.approx(10 * np.log10(ratio), abs=0.25)
    assert applied.attended_db is not None and applied.whole_db is not None
    assert applied.attended_db > applied.whole_db + 1


def luma_of_first(path: Path) -> FloatArray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="gray").astype(np.float32)


def assert_shares_make_sense(applied: OffsetsApplied) -> None:
    shares = (applied.share_applied, applied.share_snapped, applied.share_clipped)
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    there, snapped, clipped = (share or 0.0 for share in shares)
    assert there + max(snapped, clipped) <= 1
    assert there + snapped + clipped > 0.7


@pytest.mark.parametrize("attention", ["center", "motion"])
def test_so_do_the_built_in_sources(ride: Path, tmp_path: Path, attention: str) -> None:
    assert encode(ride, tmp_path, "libx264", attention).offsets_applied.verdict == "applied"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_map_that_asks_for_nothing_is_flat(ride: Path, tmp_path: Path, encoder: str) -> None:
    cv2.imwrite(str(tmp_path / "white.png"), np.full((34, 80), 255, np.uint8))
    report = encode(ride, tmp_path, encoder, f"map:{tmp_path / 'white.png'}", preset=None)
    assert report.offsets_applied.verdict == "flat"
    assert (report.mean_delta_qp or 0) == pytest.approx(0, abs=1e-4)


def test_what_is_not_measured_says_why(ride: Path, tmp_path: Path, spot: str) -> None:
    unasked = encode(ride, tmp_path, "libx265", spot, verify=None)
    assert unasked.offsets_applied.verdict == "not-measured" and "--verify" in unasked.offsets_applied.why
    assert unasked.checks is not None and unasked.checks.timestamps_kept
    off = encode(ride, tmp_path, "libx264", spot, verify=False, overwrite=True)
    assert (off.offsets_applied.why, off.checks) == ("verification was turned off", None)
    plain = encode(ride, tmp_path, "libx264", "none", overwrite=True)
    assert plain.offsets_applied.verdict == "not-measured" and plain.checks is not None
    assert (plain.mean_delta_qp, plain.maps) == (None, 0)


def test_checks_tell_what_is_in_the_file(vfr_mkv: Path, tmp_path: Path) -> None:
    checks = encode(vfr_mkv, tmp_path, "libx264", "center").checks
    assert checks is not None
    assert (checks.frames_sent, checks.frames_in_file, checks.timestamps_kept) == (40, 40, True)
    assert checks.duration_file_seconds == pytest.approx(checks.duration_source_seconds, abs=0.002)
    assert checks.frames_decoded == 9
    assert checks.shift_seconds == pytest.approx(0, abs=0.001)


# --- offsets that are not there


@pytest.mark.parametrize("encoder", ENCODERS)
def test_offsets_that_were_never_attached_fail_the_encode(
    ride: Path, tmp_path: Path, spot: str, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "attach", lambda frame, regions: None)
    verify = None if encoder != "libx265" else True
    fails_leaving_nothing(ride, tmp_path, f"{encoder} did not apply the offsets", encoder, spot, verify=verify)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("wrong", [np.negative, np.fliplr], ids=["inverted", "mirrored"])
def test_offsets_of_the_wrong_sign_or_place_fail_it_too(
    ride: Path,
    tmp_path: Path,
    spot: str,
    encoder: str,
    wrong: Callable[[FloatArray], FloatArray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = RegionTable.fill
    monkeypatch.setattr(RegionTable, "fill", lambda self, delta_qp: right(self, wrong(delta_qp)))
    fails_leaving_nothing(ride, tmp_path, "did not apply the offsets", encoder, spot)


@pytest.mark.parametrize("encoder", ["libx264", "libvpx-vp9"])
def test_a_third_of_what_was_asked_for_is_weak(
    ride: Path, tmp_path: Path, spot: str, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = RegionTable.fill
    monkeypatch.setattr(RegionTable, "fill", lambda self, delta_qp: right(self, delta_qp * np.float32(0.33)))
    applied = encode(ride, tmp_path, encoder, spot).offsets_applied
    assert applied.verdict == "weak"
    assert applied.slope is not None and 0.15 < applied.slope < 0.5
    assert applied.share_applied is not None and applied.share_applied < 0.6


# --- frames and times that are not there


def change_packets(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, Any], bool]) -> None:
    """Have each packet of the video changed before it is written, or left out where `change` returns False."""
    write, count = Muxer.write_video, iter(range(10**6))

    def changed(self: Muxer, packets: Packets) -> None:
        write(self, [packet for packet in packets if change(next(count), packet)])

    monkeypatch.setattr(Muxer, "write_video", changed)


@pytest.mark.parametrize("attention", ["none", "center"])
@pytest.mark.parametrize("lost", [7, 29])
def test_a_lost_frame_is_noticed(
    video: Path, tmp_path: Path, attention: str, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_packets(monkeypatch, lambda index, packet: index != lost)
    fails_leaving_nothing(video, tmp_path, "30 frames were encoded but the file shows 29", "libx264", attention)


def test_a_frame_at_another_time_is_noticed(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(index: int, packet: Any) -> bool:
        if index == 29:
            packet.pts += round(0.01 / packet.time_base)
        return True

    change_packets(monkeypatch, late)
    fails_leaving_nothing(video, tmp_path, "times of the frames in the file differ", "libx264", "none")


def test_a_bitstream_that_does_not_decode_is_noticed(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Muxer.write_video

    def spoil(self: Muxer, packets: Packets) -> None:
        broken(self, [_noise(packet) for packet in packets])

    monkeypatch.setattr(Muxer, "write_video", spoil)
    fails_leaving_nothing(video, tmp_path, r"decode|not a media file|no frame", "libx264", "none")


def _noise(packet: Any) -> Any:
    spoilt = av.Packet(bytes(packet)[: packet.size // 3])
    spoilt.pts, spoilt.dts, spoilt.time_base = packet.pts, packet.dts, packet.time_base
    spoilt.stream, spoilt.is_keyframe = packet.stream, packet.is_keyframe
    return spoilt


# --- the verdict by itself


def blocks(slope: float, noise: float, count: int = 2000, known_share: float = 1.0, spread: float = 3.0) -> Blocks:
    rng = np.random.default_rng(1)
    requested = rng.normal(0, spread, count).astype(np.float32)
    measured = (slope * requested + rng.normal(0, noise, count)).astype(np.float32) if noise else slope * requested
    nowhere = np.zeros(count, np.bool_)
    return Blocks(requested, requested, measured, nowhere, nowhere, known_share)


@pytest.fixture(scope="module")
def plan() -> EncoderPlan:
    video = VideoInfo(320, 180, Fraction(1, 25), Fraction(25), 1.0, 25, "yuv420p", 8, "h264")
    return make_plan(EncodeOptions(attention="center"), video)


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [
        (1, 0, "applied"),
        (0.9, 1, "applied"),
        (0.55, 1.5, "applied"),
        (0.4, 0.5, "weak"),
        (1, 8, "weak"),
        (0.05, 0.1, "not-applied"),
        (0, 0, "not-applied"),
        (0, 1, "not-applied"),
        (-1, 0.5, "not-applied"),
        (1, 40, "not-measured"),
        (0, 40, "not-measured"),
    ],
)
def test_verdicts(plan: EncoderPlan, slope: float, noise: float, verdict: str) -> None:
    applied = judge(blocks(slope, noise), 1, "against-plain", "h264")
    assert applied.verdict == verdict
    if verdict == "not-measured":
        return
    assert applied.slope == pytest.approx(slope, abs=0.1 + noise / 40)
    assert applied.correlation is not None and np.isfinite(applied.correlation)


def test_what_the_range_cuts_off_is_no_fault(plan: EncoderPlan) -> None:
    """A plain encode at QP 47 leaves room for 4 steps upwards: all that is asked for beyond becomes 51."""
    requested = np.tile(np.arange(-4, 12, dtype=np.float32), (16, 1))
    in_file = np.minimum(47 + requested, 51)
    reading = BlockReading(requested, in_file - 47, in_file, (0.0, 51.0))
    applied = judge(pool([reading]), 1, "against-plain", "h264")
    assert applied.verdict == "applied" and applied.slope == pytest.approx(1, abs=0.01)
    assert applied.share_applied == pytest.approx(10 / 16)  # -4 to 5, within a step
    assert applied.share_clipped == pytest.approx(6 / 16)
    mirrored = BlockReading(requested[:, ::-1], in_file - 47, in_file, (0.0, 51.0))
    assert judge(pool([mirrored]), 1, "against-plain", "h264").verdict == "not-applied"
    nothing_left = BlockReading(requested, np.full_like(requested, 8), np.full_like(requested, 51), (0.0, 51.0))
    assert judge(pool([nothing_left]), 1, "against-plain", "h264").verdict == "not-measured"


def test_a_handful_of_blocks_tells_nothing(plan: EncoderPlan) -> None:
    requested = np.array([[3, -3], [3, -3]], np.float32)
    applied = judge(pool([BlockReading(requested, np.zeros_like(requested))]), 1, "against-plain", "h264")
    assert applied.verdict == "not-measured" and "4 blocks are too few" in applied.why


def test_the_effect_is_judged_by_another_scale(plan: EncoderPlan) -> None:
    assert judge(blocks(0.35, 0.5), 1, "effect", "hevc").verdict == "applied"
    assert judge(blocks(0.35, 0.5), 1, "against-plain", "h264").verdict == "weak"


def test_too_little_to_go_by_is_not_measured(plan: EncoderPlan) -> None:
    for few in (blocks(1, 0, known_share=0.05), blocks(1, 0, spread=0.2)):
        applied = judge(few, 1, "against-plain", "h264")
        assert (applied.verdict, applied.slope) == ("not-measured", None)
