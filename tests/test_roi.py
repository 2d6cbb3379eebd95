"""Offsets on anybody's frames: encoded by PyAV alone, they come back from the bitstream."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.frame import VideoFrame
from coding import RATE, decode_packets, frames_for, halves, left_gain_db
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from media import make_interlaced_video

from stcodec import roi
from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.errors import EncoderError, OptionsError
from stcodec.types import BlockGrid, FloatArray

EXAMPLE = Path(__file__).parents[1] / "examples" / "roi_on_your_frames.py"
REALTIME = {"deadline": "realtime", "cpu-used": "6", "aq-mode": "0", "crf": "32"}


def packets(encoder: str, options: Mapping[str, str], delta_qp: FloatArray | None, pix_fmt: str = "yuv420p") -> list[bytes]:
    """An encode by PyAV alone, but for the offsets."""
    context: av.VideoCodecContext = av.CodecContext.create(encoder, "w")  # type: ignore[assignment]
    found: list[bytes] = []
    for frame in frames_for(pix_fmt=pix_fmt):
        if not context.is_open:
            context.width, context.height, context.pix_fmt = frame.width, frame.height, pix_fmt
            context.time_base = 1 / RATE
            context.options = dict(options)
        if delta_qp is not None:
            roi.attach(frame, delta_qp, encoder=encoder)
        found += map(bytes, context.encode(frame))
    return found + [bytes(packet) for packet in context.encode(None)]


def qps(codec: str, data: list[bytes], block_px: int) -> list[FloatArray]:
    """QP of the blocks of each frame that tells it."""
    context: av.VideoCodecContext = av.CodecContext.create(codec, "r")  # type: ignore[assignment]
    context.options = {"export_side_data": EXPORT}
    frames = [frame for one in [*map(av.Packet, data), None] for frame in context.decode(one)]
    grids = [qp_blocks(frame, BlockGrid(frame.width, frame.height, block_px)) for frame in frames]
    return [grid for grid in grids if grid is not None]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_h264_has_the_qp_that_was_asked_for(pix_fmt: str) -> None:
    wanted = halves(BlockGrid(128, 128, 16), 6)
    options = {"crf": "28", "preset": "veryfast"}
    plain, guided = (qps("h264", packets("libx264", options, delta, pix_fmt), 16)[0] for delta in (None, wanted))
    change = guided - plain
    # Blocks without coefficients carry their neighbour's QP.
    assert np.median(change[:, :4]) - np.median(change[:, 4:]) == pytest.approx(-12, abs=1)
    assert np.corrcoef(change.ravel(), wanted.ravel())[0, 1] > 0.8


def test_vp9_has_it_in_levels_of_its_own() -> None:
    wanted = np.linspace(-9, 9, 256, dtype=np.float32).reshape(16, 16)
    found = qps("vp9", packets("libvpx-vp9", REALTIME, wanted), 8)[0]
    assert 4 <= len(np.unique(found)) <= 8
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.9
    assert np.polyfit(wanted.ravel(), found.ravel(), 1)[0] == pytest.approx(1, abs=0.3)


def test_hevc_looks_like_it() -> None:
    options = {"crf": "28", "preset": "veryfast", "x265-params": "log-level=none:qg-size=16"}
    plain, guided = (packets("libx265", options, delta) for delta in (None, halves(BlockGrid(128, 128, 16), 6)))
    assert left_gain_db("hevc", plain, guided, frames_for()) > 5
    assert len(decode_packets("hevc", guided)) == len(frames_for())


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    size=st.tuples(st.integers(16, 100), st.integers(16, 100)),
    block=st.sampled_from([8, 16, 64]),
    pix_fmt=st.sampled_from(["yuv444p", "yuv444p10le"]),
)
def test_what_is_attached_is_read_back(data: st.DataObject, size: tuple[int, int], block: int, pix_fmt: str) -> None:
    frame = VideoFrame(*size, pix_fmt)
    grid = roi.block_grid(frame, block_px=block)
    assert roi.read(frame, block_px=block) is None
    for _ in range(2):  # the second takes the place of the first
        offsets = data.draw(hnp.arrays(np.float32, grid.shape, elements=st.floats(-40, 40, width=32)))
        roi.attach(frame, offsets, block_px=block)
        found = roi.read(frame, block_px=block)
        assert found is not None and np.abs(found - offsets).max() <= 1 / 256
        assert "REGIONS_OF_INTEREST" in frame.side_data  # which keeps what it saw first


def test_what_a_filter_attached_is_read_too() -> None:
    graph = Graph()
    nodes = [
        graph.add("buffer", "video_size=64x48:pix_fmt=yuv420p:time_base=1/25:pixel_aspect=1/1"),
        graph.add("addroi", "x=0:y=0:w=20:h=48:qoffset=-1/5"),
        graph.add("addroi", "x=0:y=0:w=64:h=16:qoffset=1/10"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.push(frames_for((64, 48), 1)[0])
    found = roi.read(graph.pull())  # type: ignore[arg-type]
    assert found is not None
    assert found[2] == pytest.approx([-10.2, -10.2, 0, 0], abs=0.01)  # 20 px touch two blocks
    assert found[0] == pytest.approx([-10.2, -10.2, 5.1, 5.1], abs=0.01)  # the first region wins


@pytest.mark.parametrize(
    ("encoder", "options", "answer"),
    [
        ("libx264", None, True),
        ("libx265", None, True),
        ("libvpx-vp9", None, True),
        ("libx264", {"qp": "28"}, False),
        ("libx264", {"crf": "28", "aq-mode": "0"}, False),
        ("libvpx-vp9", {"deadline": "good", "cpu-used": "5"}, False),
        ("mpeg4", None, False),
        ("no-such-encoder", None, False),
    ],
)
def test_whether_an_encoder_takes_them_is_tried(encoder: str, options: dict[str, str] | None, answer: bool) -> None:
    assert roi.supports(encoder, options) is answer


def test_what_can_not_be_attached_is_refused() -> None:
    frame = VideoFrame(100, 50, "yuv420p")
    with pytest.raises(OptionsError, match=r"\(3, 3\): .* 100x50 px has \(4, 7\) .* blocks of 16 px") as caught:
        roi.attach(frame, np.zeros((3, 3)))
    assert caught.value.allowed == (4, 7)
    with pytest.raises(OptionsError, match="not finite"):
        roi.attach(frame, np.full((4, 7), np.nan))
    with pytest.raises(OptionsError, match="h264_nvenc can't be given QP offsets"):
        roi.attach(frame, np.zeros((4, 7)), encoder="h264_nvenc")
    with pytest.raises(OptionsError, match="block_px is 0"):
        roi.attach(frame, np.zeros((4, 7)), block_px=0)
    assert roi.read(frame) is None
    roi.attach(frame, np.zeros((4, 7)))
    with pytest.raises(EncoderError, match="carries 28 regions of interest already, 91 can't take their place"):
        roi.attach(frame, np.zeros((7, 13)), block_px=8)


def test_the_example_does_what_it_says(ride: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    subprocess.run([sys.executable, EXAMPLE, ride, target], check=True)
    with av.open(str(target)) as container:
        container.streams.video[0].codec_context.options = {"export_side_data": EXPORT}
        first = next(container.decode(video=0))
    found = qp_blocks(first, roi.block_grid(first))
    assert found is not None
    rows, cols = found.shape
    middle = np.zeros(found.shape, bool)
    middle[rows // 4 : -(rows // 4), cols // 4 : -(cols // 4)] = True
    assert found[middle].mean() < found[~middle].mean() - 5


def test_an_interlaced_frame_is_refused_where_it_would_lose_them(tmp_path: Path) -> None:
    with av.open(str(make_interlaced_video(tmp_path / "fields.mp4", frames=2))) as container:
        frame = next(container.decode(video=0))
    offsets = np.zeros(roi.block_grid(frame).shape)
    with pytest.raises(EncoderError, match="interlaced: libx264 drops the offsets"):
        roi.attach(frame, offsets)
    roi.attach(frame, offsets, encoder="libx265")
