"""Offsets on their way: what is attached to a frame comes back equal, and in the units that the encoder multiplies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from stcodec.encoders import carrier
from stcodec.encoders.carrier import REGION, RegionTable, attach, read_regions
from stcodec.encoders.trial import program_changes_bits
from stcodec.errors import EncoderError
from stcodec.media import libav as libav_inside, side_data as side_data_inside
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.media.side_data import side_data
from stcodec.types import BlockGrid

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 200))


@pytest.fixture
def untried() -> Iterator[None]:
    """The way into a frame has not been tried yet, and is forgotten afterwards."""
    caches = (carrier._proven, libav_inside.libav, libav_inside._frame_word, side_data_inside._getter)
    for known in caches:
        known.cache_clear()
    yield
    for known in caches:
        known.cache_clear()


@given(size=SIZES, block=st.sampled_from([8, 16, 64]), data=st.data())
def test_every_pixel_lies_in_the_region_of_its_block(size: tuple[int, int], block: int, data: st.DataObject) -> None:
    grid = BlockGrid(*size, block)
    offsets = data.draw(hnp.arrays(np.float32, grid.shape, elements=st.integers(-51, 51)))
    regions = RegionTable(grid, 51).fill(offsets)
    picture = np.full((grid.height_px, grid.width_px), np.nan)
    for one in regions.reshape(-1):
        assert one["self_size"] == 28
        area = picture[one["top"] : one["bottom"], one["left"] : one["right"]]
        assert np.isnan(area).all()  # no overlap
        area[:] = 51 * one["qoffset_num"] / one["qoffset_den"]
    rows, cols = (np.arange(side) // block for side in (grid.height_px, grid.width_px))
    assert np.array_equal(picture, offsets[rows][:, cols])


@given(
    offset=st.floats(-80, 80, width=32),
    qp_range=st.sampled_from([51.0, 63.0, 75.0]),
)
def test_offsets_are_exact_to_a_256th_of_a_step_within_the_range(offset: float, qp_range: float) -> None:
    regions = RegionTable(BlockGrid(16, 16, 16), qp_range).fill(np.array([[offset]], np.float32))
    ratio = regions["qoffset_num"][0, 0] / regions["qoffset_den"][0, 0]
    assert -1 <= ratio <= 1
    assert abs(qp_range * ratio - np.clip(offset, -qp_range, qp_range)) <= 1 / 256


@pytest.mark.parametrize("qp_range", [51, 63, 75])
def test_a_whole_step_of_deep_video_is_a_smaller_share_of_its_range(qp_range: int) -> None:
    whole = np.arange(-8, 8, dtype=np.float32).reshape(1, -1)
    regions = RegionTable(BlockGrid(256, 16, 16), qp_range).fill(whole)
    assert np.rint(qp_range * regions["qoffset_num"] / regions["qoffset_den"]).tolist() == whole.tolist()
    # x264 and x265 multiply with 51 + 6 (depth - 8): the same share means more steps there.
    assert regions["qoffset_num"][0, 0] / regions["qoffset_den"][0, 0] == pytest.approx(-8 / qp_range, abs=1e-4)


def test_fill_uses_the_memory_again_but_an_attached_list_stays() -> None:
    table = RegionTable(BlockGrid(32, 16, 16), 51)
    frame = VideoFrame(32, 16, "yuv420p")
    attach(frame, table.fill(np.array([[-6, 6]], np.float32)))
    table.fill(np.array([[3, 3]], np.float32))
    kept = read_regions(frame)
    assert kept is not None
    assert (51 * kept["qoffset_num"] / kept["qoffset_den"]).tolist() == [-6, 6]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p10le", "gray", "rgb24", "nv12"])
@pytest.mark.parametrize("count", [1, 2, 8160])
def test_attached_regions_come_back_through_pyav(pix_fmt: str, count: int) -> None:
    regions = np.frombuffer(np.random.default_rng(count).bytes(REGION.itemsize * count), REGION)
    frame = VideoFrame(64, 48, pix_fmt)
    attach(frame, regions)
    entries: Any = frame.side_data
    assert [entries[index].type for index in range(len(entries))] == [Type.REGIONS_OF_INTEREST]
    assert entries[0].buffer_size == 28 * count
    assert bytes(entries[0]) == regions.tobytes()
    found = read_regions(frame)
    assert found is not None
    assert np.array_equal(found, regions)


def test_a_frame_without_regions_says_so() -> None:
    assert read_regions(VideoFrame(64, 48, "yuv420p")) is None


def test_a_decoded_frame_takes_them_and_keeps_what_it_has(rotated_mp4: Path) -> None:
    with av.open(str(rotated_mp4)) as container, av.open(str(rotated_mp4)) as again:
        first, other = next(container.decode(video=0)), next(again.decode(video=0))
    regions = RegionTable(BlockGrid(first.width, first.height, 16), 51).fill(np.ones((12, 20), np.float32))
    attach(first, regions)
    found = read_regions(first)
    assert found is not None
    assert np.array_equal(found, regions.reshape(-1))
    assert side_data(first, "DISPLAYMATRIX") == side_data(other, "DISPLAYMATRIX") is not None
    assert np.array_equal(first.to_ndarray(), other.to_ndarray())


@pytest.mark.usefixtures("untried")
def test_a_frame_of_another_layout_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere:
        """A frame without a pointer to its pixels."""

        __slots__ = ("planes", "time_base")

        def __init__(self, width: int, height: int, pix_fmt: str) -> None:
            self.planes = VideoFrame(width, height, pix_fmt).planes

    monkeypatch.setattr(libav_inside, "VideoFrame", Elsewhere)
    with pytest.raises(EncoderError, match=rf"PyAV {av.__version__} can't be given QP offsets .*not found in memory"):
        attach(VideoFrame(32, 16, "yuv420p"), np.zeros(1, REGION))


@pytest.mark.usefixtures("untried")
def test_offsets_that_do_not_come_back_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "side_data", lambda frame, name: None)
    with pytest.raises(EncoderError, match=r"did not come back\): install av>=18.1,<19 .*--attention none"):
        attach(VideoFrame(32, 16, "yuv420p"), np.zeros(1, REGION))


@pytest.mark.usefixtures("untried")
def test_a_missing_libavutil_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(av, "__file__", str(tmp_path / "av" / "__init__.py"))
    monkeypatch.setattr(sys, "platform", "an-unknown-system")
    with pytest.raises(EncoderError, match="its libavutil was not found"):
        attach(VideoFrame(32, 16, "yuv420p"), np.zeros(1, REGION))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_only_pyavs_own_libavutil_is_loaded() -> None:
    """A second copy in the process would have its own allocator of side data."""
    code = (
        "import numpy as np; from av.video.frame import VideoFrame; from stcodec.encoders.carrier import *;"
        "attach(VideoFrame(32, 16, 'yuv420p'), np.zeros(1, REGION));"
        "print(len({line.split()[-1] for line in open('/proc/self/maps') if 'libavutil' in line}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "1"


def test_the_program_tells_encoders_that_offsets_reach_from_others() -> None:
    program = find_ffmpeg()
    assert program_changes_bits(program, "libx264", {}) is True
    assert program_changes_bits(program, "mpeg4", {}) is False
    assert program_changes_bits(program, "no-such-encoder", {}) is None
