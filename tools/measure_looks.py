"""Measure what it costs that the network passes over pictures that hardly differ, by encodes and by recorded gaze.

    python tools/measure_looks.py --data ../shared/data/video-gaze [--clips 21] [--frames 100]

Maps of each clip are made by the shipped network twice: looking at every picture, and only at those that differ from the
last one that it looked at, as it is. They are scored against the fixations, and guide encodes whose saving is the BD-rate
of attended PSNR, weighted by recorded gaze, against plain encodes. The network has learnt from these clips, so that both do
better here than on others: what is measured is the difference. With `--clips N`, the N that are spread most evenly over the
list. Maps, encodes and scores are kept in --work: the same command goes on where it was ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from cross_validate import difference, track_scores
from gaze_clips import GazeClip, mean_scores, read_clips
from results import RESULTS, parser_for, save

import stcodec.evaluate as ev
from stcodec.attention.neural import NeuralSource
from stcodec.attention.neural_input import LastLook
from stcodec.media.clips import read_clip
from stcodec.media.map_writer import MapWriter

ARMS = {"every picture": "every", "pictures that differ": "differ"}
"""Names of the arms, by setting."""
CRFS = (24.0, 30.0, 36.0, 42.0)
METRIC = "psnr-attended"


@contextmanager
def looking(arm: str) -> Iterator[None]:
    """The network looks at every picture, or as it does."""
    if arm != "every":
        yield
        return
    with patch.object(LastLook, "is_over", lambda *_: True):
        yield


def scored_maps(clip: GazeClip, arm: str, folder: Path) -> dict[str, float]:
    """Write a clip's maps; their scores, and the share of the instants that were looked at."""
    facts, path = folder / f"{clip.name}.json", folder / f"{clip.name}.mkv"
    if facts.exists():
        known: dict[str, float] = json.loads(facts.read_text())
        return known
    source = NeuralSource()
    seen = read_clip(clip.video, source.spec)
    with looking(arm):
        track = source.attend(seen)
    with MapWriter(path, seen.video, {}) as writer:
        writer.write(track)
    found = track_scores(clip, track, seen.video.start_seconds)
    found["looked_at_share"] = round(float(track.looks.mean()), 4)
    facts.write_text(json.dumps(found))
    return found


def savings(clips: list[GazeClip], data: Path, work: Path, frames: int, jobs: int) -> dict[str, dict[str, float]]:
    """BD-rates in % by arm and clip; encodes and scores that are there are not made again."""
    arms = [ev.ArmChoice("plain", "none"), *(ev.ArmChoice(arm, f"map:{work / arm}/{{clip}}.mkv") for arm in ARMS.values())]
    options = ev.EvaluateOptions(
        presets={"": "veryfast"},
        crfs=CRFS,
        arms=tuple(arms),
        gaze=data / "fixations",
        metrics=("psnr",),
        frames=frames,
        halve=True,
        instants=0,
    )
    running = ev.EvaluateRun(jobs=jobs, cache=work / "cache", overwrite=True)
    results = ev.run([clip.video for clip in clips], work / "report", options=options, running=running)
    found: dict[str, dict[str, float]] = {arm: {} for arm in ARMS.values()}
    for one in results.savings:
        if one.metric == METRIC and one.bd_rate_percent is not None:
            found[one.arm][one.clip] = round(one.bd_rate_percent, 4)
    return found


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--clips", type=int)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("build/looks"))
    parser.add_argument("--out", type=Path, default=RESULTS / "neural_looks.json")
    given = parser.parse_args()
    clips = read_clips(given.data, "all")
    if given.clips:
        clips = [clips[place] for place in np.linspace(0, len(clips) - 1, given.clips).round().astype(int)]
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for arm in ARMS.values():
        folder = given.work / arm
        folder.mkdir(parents=True, exist_ok=True)
        rows[arm] = {clip.name: scored_maps(clip, arm, folder) for clip in clips}
        print(arm, mean_scores(list(rows[arm].values())), flush=True)
    saved = savings(clips, given.data, given.work.resolve(), given.frames, given.jobs)
    both = [name for name in rows["every"] if all(name in saved[arm] for arm in saved)]
    for arm, row in rows.items():
        rows[arm] = {name: {**row[name], "bd_rate_percent": saved[arm][name]} for name in both}
    keys = list(rows["every"][both[0]])
    columns = {arm: {key: np.array([row[name][key] for name in both]) for key in keys} for arm, row in rows.items()}
    settings: dict[str, Any] = {
        name: {"mean": mean_scores(list(rows[arm].values())), "clips": rows[arm]} for name, arm in ARMS.items()
    }
    save(
        given.out,
        protocol="the shipped network, which has learnt from these clips: only differences tell; x264 veryfast, BD-rate of "
        "attended PSNR by recorded gaze against plain encodes; 192x256 cells, one instant a second, 8 or more observers",
        crfs=CRFS,
        frames=given.frames,
        settings=settings,
        differ_minus_every={key: difference(columns["every"][key], columns["differ"][key]) for key in keys},
    )


if __name__ == "__main__":
    main()
