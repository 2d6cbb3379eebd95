"""Saving of the live mode where people look: streams at a constant bitrate, in real time, against plain ones.

    python tools/live_saving.py --data ../shared/data/video-gaze --weights build/folds --work build/live \
        --out data/results/live_saving.json

Each clip (720 lines and more at half size) is streamed into a recording at five bitrates by `run_stream`, once for each
arm: plain, the centre prior, and the network, causal, with the weights of the fold that the clip was left out of (--weights:
fold-N.safetensors with the graphs that tools/export_model.py makes beside each, every one in a folder fold-N). The
recordings are scored by `stcodec compare`, weighted by all observers' gaze, none of whom guided anything.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from headline import add_clip_arguments, clip_files
from results import command, parser_for
from training_study import FOLDS

import stcodec.evaluate as ev
from stcodec.attention import open_source
from stcodec.attention.base import AttentionSource
from stcodec.attention.neural import NeuralSource
from stcodec.attention.neural_options import NeuralOptions
from stcodec.evaluate.pairs import frame_rate
from stcodec.media.decode import VideoReader
from stcodec.media.lossless import write_lossless
from stcodec.metrics.bd import bd_rate, bootstrap
from stcodec.pipeline.summary import versions
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.stream import run_stream

BITS_PER_PIXEL = (0.02, 0.035, 0.06, 0.1, 0.17)
"""Of the bitrates; live encodes of 720p30 at 0.6 to 4.7 Mbit/s."""
ARMS = {"plain": "none", "center": "center", "neural": "neural:causal"}
HALVE_FROM_LINES = 720
METRICS = ("psnr",)


@dataclass(frozen=True)
class Clip:
    """A clip as it is streamed."""

    name: str
    path: Path
    gaze: Path
    bits_per_second_at_one: float
    """Pixels a second."""


def prepared(video: Path, gaze: Path, work: Path) -> Clip:
    """A clip, halved if it is large, with its gaze in its own pixels."""
    path, table = work / f"{video.stem}.mp4", work / f"{video.stem}.csv"
    with VideoReader(video) as reader:
        scale = 0.5 if reader.info.height_px >= HALVE_FROM_LINES else 1.0
        if not path.exists():
            write_lossless(reader, path, scale=scale)
    with gaze.open(newline="") as source, table.open("w", newline="") as target:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, rows.fieldnames or [])
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {key: f"{float(row[key]) * scale:.2f}" for key in ("x_px", "y_px")})
    with VideoReader(path) as reader:
        info = reader.info
    return Clip(video.stem, path, table, info.width_px * info.height_px * float(frame_rate(info)))


def streamed(clip: Clip, arm: str, kbps: float, path: Path) -> dict[str, Any]:
    """Record one stream; what it says of itself at the end."""
    options = StreamOptions(
        source=str(clip.path),
        targets=(),
        record=str(path),
        renditions=(Rendition(None, kbps),),
        attention=ARMS[arm],
        audio="none",
    )
    end = run_stream(options)
    return {
        "map_age_p99_seconds": end.map_age_p99_seconds,
        "maps": end.maps,
        "frames_dropped": end.renditions[0].frames_dropped,
        "buffer_underflows": end.renditions[0].buffer_underflows,
    }


def curves(clip: Clip, work: Path) -> dict[str, Any]:
    """The rates, the scores and what was said of every stream of a clip, by arm."""
    known = work / f"{clip.name}.json"
    if known.exists():
        found: dict[str, Any] = json.loads(known.read_text())
        return found
    paths, said = {}, {}
    for arm in ARMS:
        for number, bits in enumerate(BITS_PER_PIXEL):
            path = work / f"{clip.name}-{arm}-{number}.mkv"
            words = path.with_suffix(".json")
            if not words.exists():
                path.unlink(missing_ok=True)
                words.write_text(json.dumps(streamed(clip, arm, bits * clip.bits_per_second_at_one / 1000, path)))
            said[path.name] = json.loads(words.read_text())
            paths[path.name] = (arm, path)
            print(path.name, said[path.name], file=sys.stderr, flush=True)
    options = ev.CompareOptions(gaze=clip.gaze, metrics=METRICS)
    scored = ev.compare(clip.path, [path for _, path in paths.values()], options=options)
    if scored.failures:
        raise SystemExit(f"{clip.name}: {scored.failures[0].message}")
    found = {arm: [] for arm in ARMS}
    for curve in scored.curves:
        for point in curve.points:
            name = Path(point.name).name
            found[paths[name][0]].append({"kbps": point.kbps, **point.scores, **said[name]})
    known.write_text(json.dumps(found))
    return found


def bd_rates(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """By arm and metric: each clip's BD-rate against plain, and their mean with its interval."""
    names = [key for key in next(iter(found.values()))["plain"][0] if key.startswith(METRICS) and "worst" not in key]
    table: dict[str, Any] = {}
    for arm in [arm for arm in ARMS if arm != "plain"]:
        for metric in names:
            each = {}
            for clip, points in found.items():
                rates = [[one["kbps"] for one in points[which]] for which in ("plain", arm)]
                scores = [[one[metric] for one in points[which]] for which in ("plain", arm)]
                each[clip] = bd_rate(rates[0], scores[0], rates[1], scores[1]).value
            known = [value for value in each.values() if value is not None]
            mean = bootstrap(known) if known else None
            table.setdefault(arm, {})[metric] = {
                "mean_percent": None if mean is None else round(mean.mean, 2),
                "interval_95_percent": None if mean is None else [round(mean.low, 2), round(mean.high, 2)],
                "clips": {clip: None if value is None else round(value, 2) for clip, value in each.items()},
            }
    return table


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    add_clip_arguments(parser, "dev")
    parser.add_argument("--weights", type=Path, required=True, help="folder of fold-N/fold-N.safetensors with graphs")
    parser.add_argument("--work", type=Path, required=True, help="folder for the recordings; what is there stays")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    found = {}
    for video in clip_files(given.data, given.split, given.clips):
        clip = prepared(video, given.data / "fixations" / f"{video.stem}.csv", given.work)
        fold = next(number for number, names in enumerate(FOLDS) if clip.name in names)
        weights = given.weights / f"fold-{fold}" / f"fold-{fold}.safetensors"

        def held_out(text: str, weights: Path = weights) -> AttentionSource | None:
            if text == ARMS["neural"]:
                return NeuralSource(NeuralOptions(causal=True), weights)
            return open_source(text)

        with patch("stcodec.stream.live_attention.open_source", held_out):
            found[clip.name] = curves(clip, given.work)
    table = bd_rates(found)
    result = {
        "command": command(),
        "versions": versions(),
        "load_average": os.getloadavg()[0],
        "protocol": "libx264 veryfast, constant bitrate, key frames every second, in real time; gaze of all observers",
        "bits_per_pixel": BITS_PER_PIXEL,
        "bd_rate_percent": table,
        "streams": found,
    }
    text = json.dumps(result, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text)
    print(json.dumps({arm: {key: one["mean_percent"] for key, one in by.items()} for arm, by in table.items()}))


if __name__ == "__main__":
    main()
