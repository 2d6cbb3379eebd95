"""Measure how many frames of 720p a second each metric scores, alone and together.

    python tools/bench_metrics.py [--frames 60] [--rounds 3] --out data/results/bench_metrics.json

The pictures are the first frames of data/demo.mp4 against themselves at half the resolution and back. Wall time is what
this machine took, the least of the rounds; CPU time is that of all threads and of ffmpeg: two cores can't be faster
than twice its inverse. ffmpeg's start, once a clip, is counted in; decoding is not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

# As the command does: see stcodec.cli.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import av
import numpy as np
from results import DEMO, least_seconds, load, parser_for, save

from stcodec.metrics.fidelity import Luma, error_means, ssim_means
from stcodec.metrics.planes import composite
from stcodec.metrics.vmaf import DEFAULT_METRICS, METRICS, FrameScorer

SIZE = (1280, 720)
Pair = tuple[list[Luma], list[Luma]]


def planes_of(frame: av.VideoFrame) -> list[Luma]:
    found: list[Luma] = []
    for plane in frame.planes:
        rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)
        found.append(np.ascontiguousarray(rows[:, : plane.width]))
    return found


def read_pairs(frames: int) -> list[Pair]:
    """Reference and distorted planes of the first frames."""
    pairs = []
    with av.open(str(DEMO)) as container:
        for frame in container.decode(video=0):
            small = frame.reformat(width=SIZE[0] // 2, height=SIZE[1] // 2, format="yuv420p")
            pairs.append((planes_of(frame), planes_of(small.reformat(width=SIZE[0], height=SIZE[1]))))
            if len(pairs) == frames:
                break
    return pairs


def jobs(pairs: list[Pair], density: np.ndarray, threads: int) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""

    def by_ffmpeg(metrics: tuple[str, ...]) -> None:
        with FrameScorer(*SIZE, "yuv420p", Fraction(30), metrics, threads) as scorer:
            for one, other in pairs:
                scorer.push(one, other, composite(one, other, density) if "attended_vmaf" in metrics else None)
            scorer.finish()

    def together(metrics: tuple[str, ...]) -> None:
        with FrameScorer(*SIZE, "yuv420p", Fraction(30), metrics, threads) as scorer:
            for one, other in pairs:
                scorer.push(one, other, composite(one, other, density))
                error_means(one[0], other[0], density)
                ssim_means(one[0], other[0], density)
            scorer.finish()

    return {
        "psnr of all regions": lambda: [error_means(one[0], other[0], density) for one, other in pairs],
        "ssim of all regions": lambda: [ssim_means(one[0], other[0], density) for one, other in pairs],
        **{metric: (lambda metric=metric: by_ffmpeg((metric,))) for metric in METRICS},  # type: ignore[misc]
        "default: psnr, ssim, " + ", ".join(DEFAULT_METRICS): lambda: together(DEFAULT_METRICS),
        "all": lambda: together(METRICS),
    }


def measure(job: Callable[[], object], frames: int, rounds: int) -> dict[str, float]:
    """Speed and CPU time of a job over some frames."""
    wall, cpu = least_seconds(job, rounds)
    return {
        "frames_per_second": round(frames / wall, 1),
        "cpu_ms_per_frame": round(1000 * cpu / frames, 1),
        "two_cores_at_most_frames_per_second": round(2 * frames / cpu, 1),
    }


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of each libvmaf")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    pairs = read_pairs(given.frames)
    y, x = np.mgrid[:90, :160]
    density = np.exp(-((x - 70) ** 2 + (y - 40) ** 2) / 600).astype(np.float32) + np.float32(0.01)
    found: dict[str, Any] = {}
    for name, job in jobs(pairs, density, given.threads).items():
        found[name] = measure(job, len(pairs), given.rounds)
        print(f"{name:55}", found[name], flush=True)
    if given.out is not None:
        save(given.out, machine=load(), size="1280x720", frames=len(pairs), metrics=found)


if __name__ == "__main__":
    main()
