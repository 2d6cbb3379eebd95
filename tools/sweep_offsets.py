"""Sweep the settings that turn attention into offsets: what viewers gain at each, and what the whole picture pays.

    python tools/sweep_offsets.py --data ../shared/data/video-gaze --split train --arms human,neural=MAPS \
        --work build/sweep --out data/results/offset_sweep.json

Each setting is an evaluation of its own (`stcodec evaluate`: half of the observers guide the human arm, the others
weight the scores), against a plain encode with the same encoder options. Settings: the default, each of its fields
varied by itself (strength, floor, clip, anchor, smoothing), pairs of strength and floor, and encoder options beside the
default. `on_front` names what no other setting of the arm beats in both, attended saving and
whole-frame cost by each metric. A run is added to those in --out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headline import add_clip_arguments, arm_text, clip_files, show
from results import command, parser_for

import stcodec.evaluate as ev
from stcodec.evaluate.options import parse_arms, parse_crfs
from stcodec.options import EncodeOptions, OffsetPolicy
from stcodec.pipeline.summary import versions

DEFAULT = OffsetPolicy()
SAVING = "psnr-attended"
COMPARED = ("-attended", "-whole")
"""Endings of the metrics that settings are compared by."""


@dataclass(frozen=True)
class Setting:
    """One way of making offsets."""

    name: str
    policy: OffsetPolicy
    extra: Mapping[str, str]
    """Options of the encoder, for the plain encode too."""


def settings() -> Iterator[Setting]:
    """All that is tried."""
    yield Setting("default", DEFAULT, {})
    pairs = ((0.4, 0.15), (0.6, 0.15), (0.8, 0.3), (1.0, 0.4), (1.0, 0.5), (1.0, 0.7), (1.0, 0.8), (1.2, 0.6))
    for strength, floor in pairs:
        yield Setting(f"strength {strength}, floor {floor}", replace(DEFAULT, strength=strength, floor=floor), {})
    for low, high in ((-8.0, 10.0), (-6.0, 12.0)):
        yield Setting(f"clip {low:g} to {high:g}", replace(DEFAULT, min_delta_qp=low, max_delta_qp=high), {})
    yield Setting("anchor mean", replace(DEFAULT, anchor="mean"), {})
    for seconds in (0.0, 0.5, 1.0):
        yield Setting(f"smoothing {seconds:g} s", replace(DEFAULT, smoothing_seconds=seconds), {})
    for name, extra in (
        ("aq-mode 2", {"aq-mode": "2"}),
        ("aq-mode 3", {"aq-mode": "3"}),
        ("aq-strength 0.5", {"aq-strength": "0.5"}),
        ("without mbtree", {"mbtree": "0"}),
        ("without B-frames", {"bf": "0"}),
        # mbtree takes the place of the factor between P and B frames: without it the factor counts.
        ("without mbtree, B-frames 4 QP coarser", {"mbtree": "0", "b_qfactor": "1.6"}),
    ):
        yield Setting(name, DEFAULT, extra)


def measured(setting: Setting, given: argparse.Namespace) -> dict[str, Any]:
    """The mean BD-rates of one setting, %, by arm and metric, and each clip's."""
    options = ev.EvaluateOptions(
        presets={"": given.preset},
        crfs=parse_crfs(given.crf),
        arms=parse_arms([arm_text(text) for text in given.arms.split(",")]),
        encode=EncodeOptions(policy=setting.policy, extra=setting.extra),
        gaze=given.data / "fixations",
        metrics=tuple(given.metrics.split(",")),
        frames=given.frames,
        halve=True,
        instants=0,
    )
    running = ev.EvaluateRun(jobs=given.jobs, overwrite=True)
    results = ev.run(
        clip_files(given.data, given.split, given.clips), given.work, options=options, running=running, progress=show
    )
    found: dict[str, Any] = {}
    for line in results.headlines:
        if line.bd_rate_percent is not None:
            arm = found.setdefault(line.arm, {})
            arm[line.metric] = round(line.bd_rate_percent, 2)
            arm[f"{line.metric}-interval"] = [
                None if one is None else round(one, 2) for one in (line.low_percent, line.high_percent)
            ]
    for one in results.savings:
        if one.bd_rate_percent is not None and one.arm in found:
            found[one.arm].setdefault("by_clip", {}).setdefault(one.metric, {})[one.clip] = round(one.bd_rate_percent, 2)
    return found


def compare(found: Sequence[dict[str, Any]]) -> list[str]:
    """Give every setting and arm `compared`: means over the same clips, those for which the first setting has all figures.

    Curves that hardly overlap have no figure, and means over different clips can't be compared: what lacks one of these
    clips gets None. Returns the clips.
    """
    first = [arm["by_clip"] for arm in found[0]["arms"].values()]
    metrics = [one for one in first[0] if one.endswith(COMPARED)]
    clips = [clip for clip in first[0][SAVING] if all(clip in arm[metric] for arm in first for metric in metrics)]
    for one in found:
        for arm in one["arms"].values():
            each = {metric: [arm["by_clip"].get(metric, {}).get(clip) for clip in clips] for metric in metrics}
            known = all(None not in values for values in each.values())
            arm["compared"] = {key: round(sum(values) / len(clips), 2) for key, values in each.items()} if known else None
    return clips


def on_front(found: Sequence[dict[str, Any]], arm: str, cost: str) -> list[str]:
    """The names of the settings that no other beats in both, of those that can be compared."""
    known = [(one["name"], one["arms"][arm]["compared"]) for one in found]
    points = [(name, means[SAVING], means[cost]) for name, means in known if means is not None]
    return [
        name
        for name, saving, paid in points
        if not any(s <= saving and c <= paid and (s, c) != (saving, paid) for _, s, c in points)
    ]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = parser_for(__doc__, gaze_data=True)
    add_clip_arguments(parser, "train")
    parser.add_argument("--arms", default="human", help="sources, NAME=SOURCE or NAME=FOLDER")
    parser.add_argument("--only", nargs="*", help="settings, by a part of their names")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--crf", default="24:36:4")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--metrics", default="psnr")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--work", type=Path, required=True, help="folder for the cache")
    parser.add_argument("--note", default="", help="what to know about the run")
    parser.add_argument("--out", type=Path, help="where the run is added")
    return parser.parse_args()


def main() -> None:
    given = parsed()
    found: list[dict[str, Any]] = []
    for setting in settings():
        if given.only and not any(part in setting.name for part in given.only):
            continue
        arms = measured(setting, given)
        found.append({"name": setting.name, "policy": vars(setting.policy), "extra": dict(setting.extra), "arms": arms})
        for arm, scores in arms.items():
            print(
                f"{setting.name:28} {arm:8}",
                {key: one for key, one in scores.items() if key.endswith(COMPARED)},
                flush=True,
            )
    names = sorted({arm for one in found for arm in one["arms"]})
    costs = sorted({key for one in found for scores in one["arms"].values() for key in scores if key.endswith("-whole")})
    run = {
        "command": command(),
        "note": given.note,
        "compared_clips": compare(found),
        "settings": found,
        "on_front": {arm: {cost: on_front(found, arm, cost) for cost in costs} for arm in names},
    }
    if given.out is not None:
        clips = [path.stem for path in clip_files(given.data, given.split, given.clips)]
        result = {"versions": versions(), "clips": clips, "frames": given.frames, "crf": given.crf, "runs": []}
        if given.out.exists():
            result = json.loads(given.out.read_text())
        result["runs"].append(run)
        given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
