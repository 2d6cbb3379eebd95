"""Measure how far the estimate of a key frame's bits per macroblock is off, against slices whose bits are known.

    python tools/measure_key_bits.py VIDEO... [--frames 3] --out data/results/key_bits.json

Each video is encoded as live streams are (libx264 veryfast, zerolatency, constant rate, 1280x720, a key frame a second) with
the offsets of a spot that moves about, in slices of 20 macroblocks. A slice's bits beyond its header are the truth. What
counts is the share of the bits that the most attended fifth has, whole slices weighted by how much of them is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from results import parser_for, save

from stcodec.encoders.carrier import RegionTable, attach
from stcodec.options import OffsetPolicy
from stcodec.qp import QpLaw
from stcodec.stream.observe.key_bits import macroblock_bits
from stcodec.stream.observe.readback import KeyFrame, attended_weights, decode_key
from stcodec.types import BlockGrid, FloatArray

GRID = BlockGrid(1280, 720, 16)
SLICE_BLOCKS = 20
HEADER_BYTES = 4
KEYINT = 30
SETTINGS = ((2500, 1.0), (1000, 0.6))
"""kbit/s, and the offsets' strength."""


def spot(number: int) -> FloatArray:
    """[rows, cols] saliency: a spot that moves with the frames."""
    y, x = ((np.indices(GRID.shape) + 0.5).T / GRID.cols).T
    across, down = 0.5 + 0.3 * np.cos(number / 40), (0.5 + 0.25 * np.sin(number / 27)) * GRID.rows / GRID.cols
    return np.asarray(np.exp(-((x - across) ** 2 + (y - down) ** 2) / (2 * 0.12**2)), np.float32)


def key_frames(path: Path, kbps: int, strength: float, count: int) -> Iterator[KeyFrame]:
    """Encode so many seconds; their key frames."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = GRID.width_px, GRID.height_px, "yuv420p"
    context.time_base, context.framerate, context.gop_size = Fraction(1, KEYINT), Fraction(KEYINT), KEYINT
    context.bit_rate = 1000 * kbps
    rate = {"maxrate": f"{kbps}k", "bufsize": f"{kbps}k"}
    params = f"scenecut=0:sliced-threads=0:threads=1:slice-max-mbs={SLICE_BLOCKS}"
    context.options = {"preset": "veryfast", "tune": "zerolatency", **rate, "x264-params": params}
    law, regions = QpLaw(GRID, OffsetPolicy(strength=strength, anchor="mean")), RegionTable(GRID, 51)
    with av.open(str(path)) as container:
        for number, frame in zip(range(KEYINT * count), container.decode(video=0), strict=False):
            taken = frame.reformat(GRID.width_px, GRID.height_px, "yuv420p")
            taken.pts, taken.time_base, taken.pict_type = number, context.time_base, PictureType.NONE
            blocks = spot(number)
            delta_qp = law.offsets(blocks)
            attach(taken, regions.fill(delta_qp))
            for packet in context.encode(taken):
                if packet.is_keyframe:
                    yield KeyFrame("h264", b"", bytes(packet), GRID, blocks, delta_qp)


def shares(key: KeyFrame) -> tuple[float, float] | None:
    """The attended fifth's share of the bits: estimated, and as it is. None for a picture without anything in it."""
    found = decode_key(key)
    sizes = np.array([len(one) for one in key.data.split(b"\0\0\1")[1:] if one[0] & 0x1F == 5], np.float32)
    if found is None or found.luma is None or len(sizes) * SLICE_BLOCKS != GRID.rows * GRID.cols:
        return None
    weights = attended_weights(key.blocks).reshape(-1, SLICE_BLOCKS).mean(axis=1)
    estimate = macroblock_bits(found.luma, found.qp).reshape(-1, SLICE_BLOCKS).sum(axis=1)
    truth = np.maximum(sizes - HEADER_BYTES, 0.5)
    return float((weights * estimate).sum() / estimate.sum()), float((weights * truth).sum() / truth.sum())


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=3, help="key frames of each video and setting (3)")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = [
        pair
        for video in given.videos
        for kbps, strength in SETTINGS
        for key in key_frames(video, kbps, strength, given.frames)
        if (pair := shares(key)) is not None
    ]
    estimated, truth = (100 * np.array(column) for column in zip(*found, strict=True))
    off = estimated - truth
    save(
        given.out,
        films=len(given.videos),
        key_frames=len(found),
        true_share_percent={
            "mean": round(float(truth.mean()), 1),
            "least": round(float(truth.min()), 1),
            "most": round(float(truth.max()), 1),
        },
        off_by_points={
            "mean": round(float(off.mean()), 2),
            "standard_deviation": round(float(off.std()), 2),
            "worst": round(float(np.abs(off).max()), 1),
        },
    )


if __name__ == "__main__":
    main()
