"""Measure how near a search for a quality comes, what it costs and what it saves: docs/match.md.

    python tools/measure_match.py --data ../shared/data/video-gaze --clips Tennis Johnny PartyScene ChinaSpeed \\
        --out data/results/match.json

Every clip by itself, 720 lines and more at half size, and a video joined from the beginnings of twelve clips, which is long
enough to be tried in samples. "gaze" is what happens to the quality where recorded viewers looked, which the search knows
nothing about.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from calibrate_offsets import prepare_clip, reference, scaled_gaze
from results import parser_for, save

import stcodec
from stcodec.evaluate.provenance import machine
from stcodec.media.decode import VideoReader
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.metrics.fidelity import psnr_db, squared_error, weighted_mean
from stcodec.options import DEFAULT_ATTENTION

_LEAD_SECONDS = 0.3
JOINED_SIZE = 640, 360
JOINED_RATE = 25
_JOINED_SECONDS = {
    "Keiba": 5, "Yan": 4, "BasketballDrill": 6, "Couple": 3, "PartyScene": 7, "Female": 5, "Tennis": 4,
    "BasketballPass": 8, "Lee": 6, "ChinaSpeed": 9, "PeopleOnStreet": 4, "ParkScene": 7,
}  # fmt: skip


def join_clips(videos: Path, folder: Path, lengths: Mapping[str, float] = _JOINED_SECONDS) -> Path:
    """The beginnings of clips, of such lengths in seconds, one after another."""
    parts = [
        ffmpeg.input(str(videos / f"{name}.avi"))
        .filter("scale", *JOINED_SIZE, flags="area")
        .filter("fps", JOINED_RATE)
        .filter("trim", duration=seconds)
        .filter("setpts", "PTS-STARTPTS")
        .filter("setsar", 1)
        for name, seconds in lengths.items()
    ]
    out = folder / "film.mkv"
    settings = {"vcodec": "libx264", "qp": 0, "preset": "veryfast", "pix_fmt": "yuv420p"}
    whole = ffmpeg.concat(*parts).output(str(out), **settings, loglevel="error")
    whole.overwrite_output().run(cmd=find_ffmpeg())
    return out


def gaze_psnr_db(source: Path, gaze: Path, encoded: Path) -> float:
    """EWPSNR under the fixations of all viewers."""
    lumas, densities = reference(source, gaze)
    with VideoReader(encoded) as reader:
        scored = (frame for frame in reader.frames() if frame.time >= _LEAD_SECONDS)
        frames = [np.asarray(frame.reformat(format="gray").to_ndarray(), np.uint8) for frame in scored]
    errors = [squared_error(a, b) for a, b in zip(lumas, frames, strict=True)]
    return psnr_db([weighted_mean(error, density) for error, density in zip(errors, densities, strict=True)])


def measure(
    source: Path, gaze: Path | None, folder: Path, goal: stcodec.MatchOptions, options: dict[str, Any]
) -> dict[str, Any]:
    """One search, and the plain encode beside it."""
    ours, plain = folder / "ours.mkv", folder / "plain.mkv"
    report = stcodec.match(source, ours, goal, overwrite=True, **options)
    anchor = stcodec.encode(source, plain, crf=goal.crf, overwrite=True, **{**options, "attention": "none"})
    match = report.match
    assert match is not None
    shifts = [shot.shift_qp for shot in match.shots]
    shots = [abs(shot.difference) for shot in match.shots if shot.difference is not None]
    row = {
        "clip": source.stem,
        "metric": match.metric,
        "unit": match.unit,
        "verify": goal.verify,
        "frames": report.frames,
        "shots": len(match.shots),
        "shift_qp": [min(shifts), max(shifts)],
        "wanted": match.wanted,
        "difference": match.difference,
        "percentile_5_difference": match.percentile_5_difference,
        "worst_shot_difference": max(shots),
        "encodes_of_a_shot": sum(shot.encodes for shot in match.shots) / len(match.shots),
        "cost_in_encodes": match.cost_in_encodes,
        "misses": list(match.misses),
        "saving_percent": 100 * (1 - report.video_bytes / anchor.video_bytes),
        "gaze_difference_db": None,
    }
    if gaze is not None:
        row["gaze_difference_db"] = gaze_psnr_db(source, gaze, ours) - gaze_psnr_db(source, gaze, plain)
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/ and fixations/")
    parser.add_argument("--clips", nargs="+", required=True)
    parser.add_argument("--frames", type=int, default=300, help="of each clip")
    parser.add_argument("--attention", default=DEFAULT_ATTENTION)
    parser.add_argument("--encoder", default="libx264")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--crf", type=float, default=27)
    parser.add_argument("--metrics", nargs="+", default=["attended-psnr", "attended-vmaf"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    options = {"encoder": given.encoder, "preset": given.preset, "attention": given.attention}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in given.clips:
            source, scale = prepare_clip(given.data / "videos" / f"{clip}.avi", folder, given.frames)
            gaze = scaled_gaze(given.data / "fixations" / f"{clip}.csv", folder, scale)
            for metric in given.metrics:
                rows.append(measure(source, gaze, folder, stcodec.MatchOptions(crf=given.crf, metric=metric), options))
        joined = join_clips(given.data / "videos", folder)
        for verify in ("parts", "full"):
            goal = stcodec.MatchOptions(crf=given.crf, verify=verify)
            rows.append(measure(joined, None, folder, goal, options))
    if given.out is not None:
        save(given.out, machine=machine(), crf=given.crf, **options, rows=rows)


if __name__ == "__main__":
    main()
