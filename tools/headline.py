"""The project's headline table: bits saved at the same attended quality, on clips with recorded gaze.

    python tools/headline.py --data ../shared/data/video-gaze --work build/headline --out data/results/headline.json

Clips of 720 lines and more at half size, their first 90 frames, x264 medium at CRF 22 to 38, half of the observers guide
the human arm and the others weight the scores: `stcodec evaluate` with these settings. An arm `NAME=FOLDER` is guided by
the maps CLIP.mkv in a folder, so that maps made in cross-validation can be judged. A run that was broken off goes on; the
full report stands in the folder of --work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import command, parser_for, portable

import stcodec.evaluate as ev
from stcodec.evaluate.options import CLIP, parse_arms, parse_crfs, parse_presets
from stcodec.evaluate.results import Evaluation, Headline, Saving
from stcodec.progress import Progress

_DIGITS = 3


def clip_files(data: Path, split: str, only: Sequence[str]) -> list[Path]:
    """The videos of a split ("all" = of every one) in the manifest's order; of those only the ones named, if any are."""
    manifest = json.loads((data / "manifest.json").read_text())
    names = [one["name"] for one in manifest if split in ("all", one["split"])]
    unknown = set(only) - set(names)
    if unknown or not names:
        raise SystemExit(f"{data}: no clips {', '.join(sorted(unknown))} in the split {split}")
    chosen = [name for name in names if not only or name in only]
    return [next(data.joinpath("videos").glob(f"{name}.*")) for name in chosen]


def add_clip_arguments(parser: argparse.ArgumentParser, split: str) -> None:
    """--split (this one by default) and --clips, as `clip_files` takes them."""
    parser.add_argument("--split", default=split, help="of the manifest, or all")
    parser.add_argument("--clips", nargs="*", default=[], help="only these")


def arm_text(text: str) -> str:
    """An arm as `stcodec evaluate` takes it: NAME=FOLDER stands for the map files in a folder."""
    name, equals, place = text.partition("=")
    return f"{name}=map:{place}/{CLIP}.mkv" if equals and Path(place).is_dir() else text


def table(results: Evaluation) -> dict[str, Any]:
    """Per arm the means over clips, per clip each arm's BD-rate, in %, by metric."""
    metrics = [metric.name for metric in results.metrics if metric.higher_is_better]
    arms = [arm.name for arm in results.arms if arm.attention != "none"]
    return {
        encoder: {
            "arms": {
                arm: {line.metric: _mean(line) for line in results.headlines if (line.encoder, line.arm) == (encoder, arm)}
                for arm in arms
            },
            "clips": {
                clip.name: {arm: _of_clip(results.savings, encoder, clip.name, arm, metrics) for arm in arms}
                for clip in results.clips
            },
        }
        for encoder in dict.fromkeys(line.encoder for line in results.headlines)
    }


def _mean(line: Headline) -> dict[str, Any]:
    return {
        "bd_rate_percent": _rounded(line.bd_rate_percent),
        "interval_95_percent": [_rounded(line.low_percent), _rounded(line.high_percent)],
        "bd_rate_pchip_percent": _rounded(line.bd_rate_pchip_percent),
        "bd_quality": _rounded(line.bd_quality),
        "clips": line.clips,
        "share_of_human": _rounded(line.share_of_human),
        "refused": list(line.refused),
    }


def _of_clip(savings: Sequence[Saving], encoder: str, clip: str, arm: str, metrics: Sequence[str]) -> dict[str, Any]:
    mine = {one.metric: one for one in savings if (one.encoder, one.clip, one.arm) == (encoder, clip, arm)}
    return {metric: _rounded(mine[metric].bd_rate_percent) if metric in mine else None for metric in metrics}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def show(progress: Progress) -> None:
    """A line now and then on stderr."""
    if progress.done % 10 == 0 or progress.done == progress.total:
        left = "" if progress.seconds_left is None else f", {progress.seconds_left / 60:.0f} min left"
        print(f"{progress.stage} {progress.done}/{progress.total}{left}", file=sys.stderr, flush=True)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = parser_for(__doc__, gaze_data=True)
    add_clip_arguments(parser, "dev")
    parser.add_argument("--arms", default="plain,center,motion,neural,human", help="sources, NAME=SOURCE or NAME=FOLDER")
    parser.add_argument("--encoder", default="libx264")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--crf", default="22:38:4")
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--full-size", action="store_true", help="no clip is halved")
    parser.add_argument("--metrics", default="psnr,ssim,vmaf,vmaf-neg,xpsnr")
    parser.add_argument("--split-seed", type=int, default=0)
    parser.add_argument("--instants", type=int, default=8)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--work", type=Path, required=True, help="folder for the report and the cache")
    parser.add_argument("--out", type=Path, help="where the table goes")
    return parser.parse_args()


def main() -> None:
    given = parsed()
    options = ev.EvaluateOptions(
        encoders=tuple(given.encoder.split(",")),
        presets=parse_presets(given.preset),
        crfs=parse_crfs(given.crf),
        arms=parse_arms([arm_text(text) for text in given.arms.split(",")]),
        gaze=given.data / "fixations",
        metrics=tuple(given.metrics.split(",")),
        frames=given.frames,
        halve=not given.full_size,
        split_seed=given.split_seed,
        instants=given.instants,
    )
    running = ev.EvaluateRun(jobs=given.jobs, overwrite=True, command=command())
    clips = clip_files(given.data, given.split, given.clips)
    results = ev.run(clips, given.work, options=options, running=running, progress=show)
    found = {
        "command": command(),
        "created": results.created,
        "machine": dict(results.machine),
        "versions": dict(results.versions),
        "settings": {name: portable(text) for name, text in results.settings.items()},
        "notes": list(results.notes),
        "failures": [portable(f"{one.clip} {one.arm} {one.what}: {one.message}") for one in results.failures],
        "bd_rate_percent": table(results),
    }
    text = json.dumps(found, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
