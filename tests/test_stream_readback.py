"""What is read back from a stream's key frames: QP where people look and elsewhere, bits, whether the map arrived."""

from __future__ import annotations

import time
from pathlib import Path

import av
import numpy as np
import pytest
from coding import encode_frames, halves
from streaming import HD

from stcodec.stream.observe.key_bits import macroblock_bits
from stcodec.stream.observe.readback import KeyFrame, ReadBack, attended_weights, decode_key, read
from stcodec.types import BlockGrid, FloatArray

DEMO = Path(__file__).parents[1] / "data" / "demo.mp4"
SIZE = (1280, 720)
GRID = BlockGrid(*SIZE, 16)
ACROSS = GRID.cols // 2
LEFT: FloatArray = (halves(GRID, 1.0) < 0).astype(np.float32)


def key_frame(delta_qp: float | None = 6.0, codec: str = "libx264", **params: int) -> KeyFrame:
    """A key frame that is better by so much on the left half. params: x264's own."""
    given = ":".join(f"{name.replace('_', '-')}={value}" for name, value in params.items())
    options = {"preset": "veryfast", "crf": "26", **({"x264-params": given} if given else {})}
    with av.open(str(DEMO)) as container:  # pictures as cameras make them, which the estimate is for
        data = encode_frames(codec, options, [next(container.decode(video=0))], delta_qp)[0]
    offsets = np.zeros(GRID.shape, np.float32) if delta_qp is None else halves(GRID, delta_qp)
    return KeyFrame("h264" if codec == "libx264" else "hevc", b"", data, GRID, LEFT, offsets)


@pytest.fixture(scope="module")
def key() -> KeyFrame:
    return key_frame()


def test_the_attended_fifth_is_exactly_a_fifth() -> None:
    ramp = np.arange(100, dtype=np.float32).reshape(10, 10)
    assert np.array_equal(attended_weights(ramp), (ramp >= 80).astype(np.float32))
    for blocks in (LEFT, np.zeros((3, 7), np.float32), np.ones((1, 1), np.float32), ramp // 7):
        weights = attended_weights(blocks)
        assert weights.sum() == pytest.approx(0.2 * blocks.size)
        assert 0 <= weights.min() <= weights.max() <= 1
    assert attended_weights(LEFT)[:, ACROSS:].max() == 0


def test_the_qp_that_is_there_is_read(key: KeyFrame) -> None:
    reading, plain = read(key), read(key_frame(None))
    assert reading is not None
    assert plain is not None
    apart, apart_before = (one.mean_qp_elsewhere - one.mean_qp_attended for one in (reading, plain))
    # Elsewhere is the right half and three fifths of the left: 7.5, less what blocks without a residual carry on.
    assert 5 < apart - apart_before < 8
    assert reading.offsets_slope == pytest.approx(1, abs=0.15)


def test_a_map_that_did_not_arrive_is_told() -> None:
    plain = key_frame(None)
    reading = read(KeyFrame("h264", b"", plain.data, GRID, LEFT, halves(GRID, 6.0)))
    assert reading is not None
    assert reading.offsets_slope == pytest.approx(0, abs=0.15)
    assert read(plain).offsets_slope is None  # type: ignore[union-attr]


@pytest.mark.parametrize("delta_qp", [6.0, -6.0])
def test_the_share_of_bits_is_near_the_truth(delta_qp: float) -> None:
    """Slices of half a row each: the bits of both halves are known."""
    sliced = key_frame(delta_qp, slice_max_mbs=ACROSS)
    units = [len(one) for one in sliced.data.split(b"\0\0\1")[1:] if one[0] & 0x1F == 5]
    assert len(units) == 2 * GRID.rows
    truth = sum(units[::2]) / sum(units)
    found = decode_key(sliced)
    assert found is not None
    assert found.luma is not None
    bits: FloatArray = macroblock_bits(found.luma, found.qp)
    assert abs(truth - 0.5) > 0.15
    assert float(bits[:, :ACROSS].sum() / bits.sum()) == pytest.approx(truth, abs=0.06)


def test_what_tells_nothing_is_none(key: KeyFrame) -> None:
    assert read(key_frame(0.0, "libx265")) is None
    assert read(KeyFrame("h264", b"", b"\0\0\0\1nonsense", GRID, LEFT, LEFT)) is None


def test_the_newest_is_read_aside(key: KeyFrame) -> None:
    aside = ReadBack(every_seconds=0.01)
    assert aside.fill(1, HD) is HD
    aside.offer(1, KeyFrame("h264", b"", b"older", GRID, LEFT, LEFT))
    aside.offer(1, key)
    end = time.monotonic() + 120
    while aside.newest(1) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    aside.close()
    assert aside.newest(1) == read(key)
    assert aside.fill(1, HD).bits_attended == read(key).bits_attended  # type: ignore[union-attr]
