"""Calibrate the policy of offsets on gaze recordings: attended and whole-frame quality against bits, by source and policy.

    python tools/calibrate_offsets.py --data ../shared/data/video-gaze --out data/results/offset_calibration.json

The clips of the train split, their first frames, clips of 720p and more at half size, several CRFs; attended quality is
EWPSNR under all observers' fixations; the first 0.3 s, when everybody still looks at the centre, are left out of the
scores. `same_crf_db` is what happens to attended quality at the same --crf, the number that the anchor is set by.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import bjontegaard
import ffmpeg
import numpy as np
from results import parser_for, save

import stcodec
from stcodec.attention.gaze import GazeSource
from stcodec.media.clips import read_clip
from stcodec.media.decode import VideoReader
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.metrics.fidelity import psnr_db, squared_error, weighted_mean
from stcodec.options import OffsetPolicy
from stcodec.qp import MapTimeline

_LEAD_SECONDS = 0.3


@dataclass(frozen=True)
class Arm:
    """One way of encoding."""

    name: str
    attention: str
    policy: OffsetPolicy


@dataclass(frozen=True)
class Task:
    """One encode to be scored."""

    clip: str
    source: Path
    gaze: Path
    arm: Arm
    crf: float
    preset: str


def prepare_clip(video: Path, folder: Path, frames: int) -> tuple[Path, float]:
    """The first frames of a clip, lossless, at half size if it has 720 lines or more; and the scale."""
    with VideoReader(video) as reader:
        info = reader.info
    scale = 0.5 if info.height_px >= 720 else 1.0
    width, height = (int(size * scale) // 2 * 2 for size in (info.width_px, info.height_px))
    out = folder / f"{video.stem}.mkv"
    stream = ffmpeg.input(str(video)).filter("scale", width, height, flags="area").filter("setpts", "PTS-STARTPTS")
    settings = {"vframes": frames, "vcodec": "libx264", "qp": 0, "preset": "veryfast", "pix_fmt": "yuv420p"}
    stream.output(str(out), **settings, loglevel="error").overwrite_output().run(cmd=find_ffmpeg())
    return out, scale


def scaled_gaze(csv: Path, folder: Path, scale: float) -> Path:
    """The fixations in the pixels of the prepared clip."""
    out = folder / csv.name
    lines = csv.read_text().splitlines()
    rows = (line.split(",") for line in lines[1:])
    scaled = (f"{o},{s},{d},{float(x) * scale:.2f},{float(y) * scale:.2f}" for o, s, d, x, y in rows)
    out.write_text("\n".join([lines[0], *scaled]) + "\n")
    return out


@cache
def reference(source: Path, gaze: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Luma and gaze density of each scored frame of a prepared clip."""
    gaze_source = GazeSource(gaze)
    track = gaze_source.attend(read_clip(source, gaze_source.spec))
    timeline = MapTimeline()
    timeline.push(track)
    timeline.end()
    lumas, densities = [], []
    for seconds, luma in _lumas(source):
        density = timeline.at(seconds)
        assert density is not None
        if seconds >= _LEAD_SECONDS:
            lumas.append(luma)
            densities.append(density)
    return lumas, densities


def _lumas(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    with VideoReader(path) as reader:
        for frame in reader.frames():
            yield frame.time, frame.reformat(format="gray").to_ndarray()


def score(task: Task) -> dict[str, Any]:
    """Encode once and score the result."""
    lumas, densities = reference(task.source, task.gaze)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mkv"
        report = stcodec.encode(
            task.source,
            out,
            encoder="libx264",
            crf=task.crf,
            preset=task.preset,
            attention=task.arm.attention.replace("GAZE", str(task.gaze)),
            verify=False,
            policy=task.arm.policy,
        )
        scored = [luma for seconds, luma in _lumas(out) if seconds >= _LEAD_SECONDS]
    errors = [squared_error(a, b) for a, b in zip(lumas, scored, strict=True)]
    attended = [weighted_mean(error, density) for error, density in zip(errors, densities, strict=True)]
    return {
        "clip": task.clip,
        "arm": task.arm.name,
        "crf": task.crf,
        "kbps": report.video_kbps,
        "attended_db": psnr_db(attended),
        "whole_db": psnr_db([float(error.mean()) for error in errors]),
        "mean_delta_qp": report.mean_delta_qp,
    }


def summarise(rows: Sequence[dict[str, Any]], arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """One line an arm: mean over clips of BD-rates and of what changes at the same CRF, against the arm "plain"."""
    clips = sorted({row["clip"] for row in rows})

    def curve(clip: str, arm: str) -> dict[str, np.ndarray]:
        points = sorted((row for row in rows if row["clip"] == clip and row["arm"] == arm), key=lambda row: -row["crf"])
        return {key: np.array([point[key] for point in points]) for key in ("kbps", "attended_db", "whole_db")}

    def bd(clip: str, arm: str, quality: str) -> float:
        plain, ours = curve(clip, "plain"), curve(clip, arm)
        curves = (plain["kbps"], plain[quality], ours["kbps"], ours[quality])
        return float(bjontegaard.bd_rate(*curves, method="akima", min_overlap=0))

    out = []
    for arm in arms:
        if arm.name == "plain":
            continue
        change = [curve(clip, arm.name)["attended_db"] - curve(clip, "plain")["attended_db"] for clip in clips]
        whole = [curve(clip, arm.name)["whole_db"] - curve(clip, "plain")["whole_db"] for clip in clips]
        saving = [curve(clip, arm.name)["kbps"] / curve(clip, "plain")["kbps"] - 1 for clip in clips]
        per_clip = {clip: [bd(clip, arm.name, quality) for quality in ("attended_db", "whole_db")] for clip in clips}
        out.append(
            {
                "arm": arm.name,
                "attention": arm.attention,
                "policy": asdict(arm.policy),
                "attended_bd_rate_percent": float(np.mean([pair[0] for pair in per_clip.values()])),
                "whole_bd_rate_percent": float(np.mean([pair[1] for pair in per_clip.values()])),
                "same_crf_attended_db": float(np.mean(change)),
                "same_crf_attended_db_worst_clip": float(np.min([one.mean() for one in change])),
                "same_crf_whole_db": float(np.mean(whole)),
                "same_crf_size_percent": float(100 * np.mean(saving)),
                "per_clip_bd_rate_percent": per_clip,
            }
        )
    return out


def named_arms(sources: Sequence[str], variants: Sequence[str]) -> list[Arm]:
    """Arms "SOURCE VARIANT", where a variant is "strength=0.6,floor=0.15,anchor=mean"; "plain" first."""
    arms = [Arm("plain", "none", OffsetPolicy())]
    for source in sources:
        for variant in variants:
            pairs = dict(pair.split("=") for pair in variant.split(",") if pair)
            values: dict[str, Any] = {
                key: text if text in ("attended", "mean") else float(text) for key, text in pairs.items()
            }
            arms.append(Arm(f"{source} {variant}".strip(), source, replace(OffsetPolicy(), **values)))
    return arms


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--clips", nargs="*", help="only these")
    parser.add_argument("--sources", nargs="+", default=["center", "motion", "gaze:GAZE"])
    parser.add_argument("--variants", nargs="+", default=[""])
    parser.add_argument("--crf", type=float, nargs="+", default=[22, 26, 30, 34, 38])
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    manifest = json.loads((given.data / "manifest.json").read_text())
    names = [
        one["name"] for one in manifest if one["split"] == given.split and (not given.clips or one["name"] in given.clips)
    ]
    arms = named_arms(given.sources, given.variants)
    with tempfile.TemporaryDirectory() as folder:
        tasks = []
        for name in names:
            source, scale = prepare_clip(given.data / "videos" / f"{name}.avi", Path(folder), given.frames)
            gaze = scaled_gaze(given.data / "fixations" / f"{name}.csv", Path(folder), scale)
            tasks += [Task(name, source, gaze, arm, crf, given.preset) for arm in arms for crf in given.crf]
        # Not forked: libav and OpenCV have threads of their own by now.
        with ProcessPoolExecutor(given.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            rows = list(pool.map(score, tasks, chunksize=len(given.crf)))
    lines = summarise(rows, arms)
    for line in lines:
        print(
            f"{line['arm']:60} attended {line['attended_bd_rate_percent']:6.1f} %"
            f" whole {line['whole_bd_rate_percent']:6.1f} % | same crf: attended {line['same_crf_attended_db']:+.2f} dB"
            f" (worst {line['same_crf_attended_db_worst_clip']:+.2f})"
            f" whole {line['same_crf_whole_db']:+.2f} dB size {line['same_crf_size_percent']:+.1f} %"
        )
    if given.out is not None:
        save(given.out, clips=names, frames=given.frames, preset=given.preset, arms=lines)


if __name__ == "__main__":
    main()
