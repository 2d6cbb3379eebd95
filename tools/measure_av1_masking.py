"""Whether a map in AV1 costs less where its background is degraded only in blocks whose texture hides errors.

    python tools/measure_av1_masking.py --data ../shared/data/video-gaze --out data/results/av1_masking.json

BD-rates against the plain encode of offsets from recorded gaze (that of all observers, who judge too), as they are, and with
those above 0 multiplied by how textured a block is: the rank of its luma variance among those of the frame, 0 to 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from measure_av1 import CLIPS
from results import parser_for, save

import stcodec
from stcodec.attention import open_source
from stcodec.encoders.plan import make_plan
from stcodec.encoders.round_trip import RoundTrip
from stcodec.media.decode import VideoReader
from stcodec.media.planes import PlaneReader
from stcodec.metrics.bd import bd_rate
from stcodec.metrics.fidelity import psnr_db, squared_error, weighted_mean
from stcodec.metrics.vmaf import FrameScorer
from stcodec.pipeline.attend import frames_with_maps
from stcodec.qp import QpLaw
from stcodec.types import BlockGrid, FloatArray

CRFS = (27, 35, 43, 51)
_EYES = ("attended PSNR", "PSNR", "VMAF")


def texture(frame: VideoFrame, grid: BlockGrid) -> FloatArray:
    """[rows, cols] rank of each block's luma variance in the frame, 0 to 1."""
    luma = frame.reformat(format="gray").to_ndarray().astype(np.float32)
    side = grid.block_px
    blocks = [
        [luma[y : y + side, x : x + side].var() for x in range(0, luma.shape[1], side)]
        for y in range(0, luma.shape[0], side)
    ]
    order = np.argsort(np.argsort(np.array(blocks), axis=None))
    return np.asarray(order.reshape(grid.shape) / (order.size - 1), np.float32)


def masked(offsets: FloatArray, frame: VideoFrame, grid: BlockGrid) -> FloatArray:
    """The offsets, those above 0 only as far as texture hides them."""
    return np.where(offsets > 0, offsets * texture(frame, grid), offsets).astype(np.float32)


Change = Callable[[FloatArray, VideoFrame, BlockGrid], FloatArray]
ARMS: dict[str, Change | None] = {"plain": None, "guided": lambda offsets, frame, grid: offsets, "masked": masked}


def point(seen: list[tuple[VideoFrame, FloatArray]], plan: Any, change: Change | None, law: QpLaw) -> dict[str, float]:
    """One encode: its bytes, and its quality in each eye."""
    trip, pairs = RoundTrip(plan), list[tuple[VideoFrame, VideoFrame]]()
    for frame, saliency in seen:
        offsets = None if change is None else change(law(saliency), frame, plan.grid)
        pairs += trip.send(frame, offsets)
    pairs += trip.flush()
    attended, whole, read, written = [], [], PlaneReader("yuv420p"), PlaneReader("yuv420p")
    rate = plan.video.frame_rate or Fraction(25)
    with FrameScorer(plan.video.width_px, plan.video.height_px, "yuv420p", rate, {"vmaf"}) as scorer:
        for (one, other), (_, saliency) in zip(pairs, seen, strict=True):
            first, second = read(one), written(other)
            error = squared_error(first[0], second[0])
            attended.append(weighted_mean(error, saliency))
            whole.append(float(error.mean()))
            scorer.push(first, second)
        vmaf = fmean(scorer.finish()["vmaf"])
    return dict(zip(("bytes", *_EYES), (trip.video_bytes, psnr_db(attended), psnr_db(whole), vmaf), strict=True))


def measure(data: Path, clip: str, preset: str, frames: int) -> dict[str, Any]:
    """BD-rates of one clip."""
    attention = open_source(f"gaze:{data / 'fixations' / f'{clip}.csv'}")
    assert attention is not None
    with VideoReader(data / "videos" / f"{clip}.avi") as reader:
        video = reader.info
        seen = list(islice(frames_with_maps(reader.frames(), video, attention), frames))
    curves: dict[str, list[dict[str, float]]] = {}
    for arm, change in ARMS.items():
        source = "none" if change is None else "center"
        options = (stcodec.EncodeOptions("libsvtav1", crf=crf, preset=preset, attention=source) for crf in CRFS)
        plans = [make_plan(one, video) for one in options]
        law = QpLaw(plans[0].grid, stcodec.OffsetPolicy(step_qp=0))
        curves[arm] = [point(seen, plan, change, law) for plan in plans]

    def values(arm: str, what: str) -> list[float]:
        return [one[what] for one in curves[arm]]

    rates = {
        arm: {
            eye: bd_rate(values("plain", "bytes"), values("plain", eye), values(arm, "bytes"), values(arm, eye)).value
            for eye in _EYES
        }
        for arm in ("guided", "masked")
    }
    return {"clip": clip, "bd_rate_percent": rates, "curves": curves}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/ and fixations/")
    parser.add_argument("--preset", default="10")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = []
    for clip in CLIPS:
        rows.append(measure(given.data, clip, given.preset, given.frames))
        print(json.dumps(rows[-1]["bd_rate_percent"]), flush=True)
        save(given.out, preset=given.preset, frames=given.frames, rows=rows)


if __name__ == "__main__":
    main()
