"""What was asked for is in the file: read by PyAV's own reader of QPs, without stcodec's, on natural video."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import media
import numpy as np
import pytest
from av.video.frame import VideoFrame
from coding import coded_qps, main_packets
from media import RIDE_FRAMES, frames_of, run_ffmpeg
from numpy.typing import NDArray

import stcodec
from stcodec.encoders import vp9
from stcodec.encoders.levels import quantise_levels
from stcodec.encoders.readback import qp_blocks
from stcodec.media.decode import VideoReader
from stcodec.options import Anchor, OffsetPolicy
from stcodec.qp import QpLaw
from stcodec.types import BlockGrid, FloatArray

KEYINT = 8
FLOOR = 0.15
"""Offsets that stand out from the encoder's own."""


def blob(size: tuple[int, int], x: float, y: float, sigma: float = 0.12) -> NDArray[np.uint8]:
    """A Gaussian at (x, y), shares of the frame, on a picture of the frame's shape."""
    width, height = size
    rows, cols = np.mgrid[:height, :width] + 0.5
    distance = ((cols / width - x) ** 2 + ((rows / height - y) * height / width) ** 2) / (2 * sigma**2)
    return np.asarray(np.rint(255 * np.exp(-distance)), np.uint8)


def asked(picture: NDArray[np.uint8], size: tuple[int, int], block_px: int = 16, anchor: Anchor = "half") -> FloatArray:
    """The offsets [rows, cols] that a map in [0, 255] stands for."""
    return QpLaw(BlockGrid(*size, block_px), OffsetPolicy(floor=FLOOR, anchor=anchor))(np.asarray(picture / 255, np.float32))


def write_map(path: Path, picture: NDArray[np.uint8]) -> str:
    cv2.imwrite(str(path), picture)
    return f"map:{path}"


def agreement(requested: NDArray[Any], found: NDArray[Any]) -> tuple[float, float]:
    """(slope, correlation) of what was found against what was asked for."""
    x, y = requested.ravel().astype(float), found.ravel().astype(float)
    return float(np.polyfit(x, y, 1)[0]), float(np.corrcoef(x, y)[0, 1])


def key_qp_changes(guided: Path, plain: Path) -> dict[Fraction, NDArray[np.int32]]:
    """By how much the QP of each macroblock differs, at the frames that are key frames in both files."""
    ours, theirs = coded_qps(guided), coded_qps(plain)
    assert list(ours) == list(theirs)
    changes = {}
    for time, (key, qps) in ours.items():
        other_key, other = theirs[time]
        if key and other_key:
            assert qps is not None and other is not None
            changes[time] = qps - other
    return changes


@pytest.mark.parametrize(("clip", "pix_fmt"), [("ride", "yuv420p"), ("ride", "yuv420p10le"), ("rabbit", "yuv420p")])
def test_h264_key_frames_have_the_offsets(request: pytest.FixtureRequest, tmp_path: Path, clip: str, pix_fmt: str) -> None:
    source: Path = request.getfixturevalue(clip)
    size = (640, 272) if clip == "ride" else (1280, 720)
    picture = blob((size[0] // 8, size[1] // 8), 0.3, 0.4)
    fields: dict[str, Any] = {"floor": FLOOR, "crf": 24, "preset": "medium", "keyint": KEYINT, "pix_fmt": pix_fmt}
    map_name = write_map(tmp_path / "map.png", picture)
    report = stcodec.encode(source, tmp_path / "guided.mp4", attention=map_name, **fields)
    stcodec.encode(source, tmp_path / "plain.mp4", attention="none", **fields)
    requested = asked(picture, size)
    assert np.ptp(requested) > 6
    changes = key_qp_changes(tmp_path / "guided.mp4", tmp_path / "plain.mp4")
    assert len(changes) >= 3
    for change in changes.values():
        slope, correlation = agreement(requested, change)
        assert 0.85 <= slope <= 1.15
        assert correlation >= 0.8
    applied = report.offsets_applied
    assert (applied.verdict, applied.method) == ("applied", "bitstream")
    first = agreement(requested, next(iter(changes.values())))
    assert (applied.slope, applied.correlation) == pytest.approx(first, abs=0.02)


def test_each_key_frame_has_the_map_of_its_own_time(ride: Path, tmp_path: Path) -> None:
    """A bright spot that moves from left to right: its place in the QPs is its place at that time."""
    size, places = (640, 272), np.linspace(0.15, 0.85, RIDE_FRAMES)
    planes = [blob((80, 34), float(x), 0.5) for x in places]
    folder = tmp_path / "maps"
    folder.mkdir()
    for index, plane in enumerate(planes):
        cv2.imwrite(str(folder / f"{index:03}.png"), plane)
    run_ffmpeg("-framerate", "25", "-i", folder / "%03d.png", "-c:v", "ffv1", "-pix_fmt", "gray", tmp_path / "maps.mkv")
    fields: dict[str, Any] = {"floor": FLOOR, "crf": 24, "keyint": 6, "smoothing_seconds": 0}
    stcodec.encode(ride, tmp_path / "guided.mp4", attention=f"map:{tmp_path / 'maps.mkv'}", **fields)
    stcodec.encode(ride, tmp_path / "plain.mp4", attention="none", **fields)
    changes = key_qp_changes(tmp_path / "guided.mp4", tmp_path / "plain.mp4")
    assert len(changes) >= 4
    for time, change in changes.items():
        slope, correlation = agreement(asked(planes[round(time * 25)], size), change)
        assert slope > 0.85 and correlation > 0.8
        others = [agreement(asked(plane, size), change)[1] for plane in planes]
        assert abs(int(np.argmax(others)) - round(time * 25)) <= 2


def test_what_the_source_has_of_other_times_does_not_count(ride: Path, tmp_path: Path) -> None:
    """The same video, later: its frames are told from maps by time since the video's start, not by their number."""
    late = tmp_path / "late.mkv"
    run_ffmpeg("-itsoffset", "2.5", "-i", ride, "-c", "copy", late)
    map_name = write_map(tmp_path / "map.png", blob((80, 34), 0.3, 0.4))
    for source in (ride, late):
        stcodec.encode(source, tmp_path / f"{source.stem}.mp4", attention=map_name, crf=30, preset="veryfast")
    assert [bytes(p) for p in main_packets(tmp_path / "ride.mp4")] == [bytes(p) for p in main_packets(tmp_path / "late.mp4")]


@pytest.mark.parametrize("crf", [20, 40])
def test_vp9_inter_frames_have_the_offsets_in_eight_levels(ride: Path, tmp_path: Path, crf: int) -> None:
    picture = blob((80, 34), 0.3, 0.4)
    map_name = write_map(tmp_path / "map.png", picture)
    fields: dict[str, Any] = {"crf": crf, "floor": FLOOR, "anchor": "attended"}
    stcodec.encode(ride, tmp_path / "guided.webm", encoder="libvpx-vp9", attention=map_name, **fields)
    requested = quantise_levels(asked(picture, (640, 272), 8, "attended"), 8)
    assert 5 <= len(np.unique(requested)) <= 8
    frames = list(coded_qps(tmp_path / "guided.webm").values())
    assert len(frames) == RIDE_FRAMES
    assert [qps is None for _, qps in frames] == [key for key, _ in frames]
    quantisers = vp9.quantisers()
    for _, indices in frames[1:]:
        assert indices is not None
        assert indices.min() >= 0
        assert 5 <= len(np.unique(indices)) <= 8
        slope, correlation = agreement(requested, 6 * np.log2(quantisers[indices]))
        assert 0.6 < slope < 1.4
        assert correlation > 0.9


@pytest.mark.parametrize(("low", "high"), [(-3.3, 5.6), (-0.1, 9.0), (-9.0, 0.1), (0.5, 4.0), (-4.0, -0.5)])
@pytest.mark.parametrize("levels", [2, 3, 5, 8])
def test_few_levels_reach_from_the_lowest_offset_to_the_highest(low: float, high: float, levels: int) -> None:
    asked_for = np.linspace(low, high, 200, dtype=np.float32)[None]
    given = quantise_levels(asked_for, levels)
    assert len(np.unique([*given[0], 0])) == levels
    ends = float(given.min()), float(given.max())
    assert min(low, 0) - 1e-6 <= ends[0] <= ends[1] <= max(high, 0) + 1e-6
    if levels > 2 and low < 0 < high:
        assert ends == pytest.approx((low, high), abs=1e-6)
    assert np.abs(given - asked_for).max() <= 1.1 * (max(high, 0) - min(low, 0)) / (levels - 1)


def test_vp9_levels_can_be_fewer(ride: Path, tmp_path: Path) -> None:
    map_name = write_map(tmp_path / "map.png", blob((80, 34), 0.3, 0.4))
    stcodec.encode(ride, tmp_path / "few.webm", encoder="libvpx-vp9", attention=map_name, levels=3)
    levels = [len(np.unique(indices)) for _, indices in coded_qps(tmp_path / "few.webm").values() if indices is not None]
    assert max(levels) == 3


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_hevc_errors_move_as_asked(ride: Path, tmp_path: Path, pix_fmt: str) -> None:
    """No decoder exports HEVC's QP, so the error of each block is compared with a plain encode's."""
    picture = blob((80, 34), 0.3, 0.4)
    map_name = write_map(tmp_path / "map.png", picture)
    fields: dict[str, Any] = {"floor": FLOOR, "encoder": "libx265", "crf": 26, "preset": "veryfast", "pix_fmt": pix_fmt}
    stcodec.encode(ride, tmp_path / "guided.mp4", attention=map_name, **fields)
    stcodec.encode(ride, tmp_path / "plain.mp4", attention="none", **fields)
    originals = as_levels(ride)
    errors = [
        sum(block_errors(ours, theirs) for ours, theirs in zip(as_levels(tmp_path / name), originals, strict=True))
        for name in ("guided.mp4", "plain.mp4")
    ]
    change_db = 10 * np.log10(errors[0] / errors[1])
    requested = asked(picture, (640, 272))
    slope, correlation = agreement(requested, change_db)
    assert 0.3 < slope < 1.2  # an ideal coder's error grows by 1 dB a step (6 dB for 6 steps)
    assert correlation > 0.6
    best, worst = (requested <= np.quantile(requested, 0.1)), (requested >= np.quantile(requested, 0.9))
    assert change_db[worst].mean() - change_db[best].mean() > 2


def as_levels(path: Path) -> list[NDArray[np.float64]]:
    """Luma on the 8-bit scale."""
    return [frame.astype(float) / (4 if frame.dtype == np.uint16 else 1) for frame in frames_of(path)]


def block_errors(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """[rows, cols] mean squared error of each 16 px block of a frame that they fill."""
    rows, cols = ours.shape[0] // 16, ours.shape[1] // 16
    squares = (ours - theirs)[: 16 * rows, : 16 * cols] ** 2
    return np.asarray(squares.reshape(rows, 16, cols, 16).mean(axis=(1, 3)) + 0.01)


# --- stcodec's own reader against PyAV's


@pytest.mark.parametrize("size", [(320, 180), (322, 178), (48, 64)])
def test_our_reader_agrees_with_pyavs_on_h264(tmp_path: Path, size: tuple[int, int]) -> None:
    video = media.make_video(tmp_path / "video.mkv", size=size, frames=6, options={"preset": "medium"})
    theirs = [qps for _, qps in coded_qps(video).values()]
    with VideoReader(video, export="venc_params") as reader:
        ours = [qp_blocks(frame, BlockGrid(*size, 16)) for frame in reader.frames()]
    assert len(ours) == 6
    assert len({float(one.mean()) for one in ours if one is not None}) > 1
    for one, other in zip(ours, theirs, strict=True):
        assert one is not None and other is not None
        assert np.array_equal(one, other)


def test_our_reader_agrees_with_pyavs_on_vp9(ride: Path, tmp_path: Path) -> None:
    map_name = write_map(tmp_path / "map.png", blob((80, 34), 0.6, 0.4))
    stcodec.encode(ride, tmp_path / "video.webm", encoder="libvpx-vp9", attention=map_name)
    theirs = [qps for _, qps in coded_qps(tmp_path / "video.webm").values()]
    with VideoReader(tmp_path / "video.webm", export="venc_params") as reader:
        ours = [qp_blocks(frame, BlockGrid(640, 272, 8)) for frame in reader.frames()]
    assert [one is None for one in ours] == [other is None for other in theirs]
    assert any(one is not None for one in ours)
    for one, other in zip(ours, theirs, strict=True):
        if one is not None and other is not None:
            assert one == pytest.approx(6 * np.log2(vp9.quantisers()[other]), abs=1e-4)


def test_hevc_and_plain_frames_export_nothing(video: Path, tmp_path: Path) -> None:
    stcodec.encode(video, tmp_path / "video.mkv", encoder="libx265", attention="none", preset="ultrafast")
    with VideoReader(tmp_path / "video.mkv", export="venc_params") as reader:
        assert qp_blocks(reader.first_frame, BlockGrid(320, 180, 16)) is None
    assert qp_blocks(VideoFrame(32, 16, "yuv420p"), BlockGrid(32, 16, 16)) is None


def test_quantisers_are_the_published_ones() -> None:
    """Values of ac_qlookup for 8 bits, VP9 bitstream specification, section 8.6.1."""
    table = vp9.quantisers()
    assert table.shape == (256,)
    assert all(before < after for before, after in pairwise(table.tolist()))
    published = {
        0: 4,
        1: 8,
        60: 67,
        95: 102,
        96: 104,
        128: 176,
        160: 305,
        192: 550,
        224: 1007,
        240: 1369,
        254: 1793,
        255: 1828,
    }
    assert {index: int(table[index]) for index in published} == published
    assert int(table.sum()) == 98156
