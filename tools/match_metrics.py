"""Measure what a search for a plain encode's quality keeps where viewers look, by the metric that it goes by: docs/match.md.

    python tools/match_metrics.py --data ../shared/data/video-gaze --maps build/cv/maps --work build/front \
        --out data/results/match_metrics.json

after tools/measure_front.py with the same --work: its encodes, plain and balanced, are scored once more, weighted as a
search weights them (half the map, half the centre prior). On these curves stands the rate at which the guided encode is as
good as the plain one of a CRF; on those of data/results/front.json what the viewers who judge have at that rate.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from headline import add_clip_arguments, clip_files, show
from results import parser_for, read, save
from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]

import stcodec.evaluate as ev
from stcodec.evaluate.options import CLIP, ArmChoice, parse_crfs
from stcodec.evaluate.results import PLAIN
from stcodec.matching.reading import MAP_SHARE
from stcodec.metrics.bd import bootstrap
from stcodec.options import POLICIES, EncodeOptions

GUIDED = "balanced"
SEARCHED = {"attended-psnr": "psnr-attended", "foveated-psnr": "psnr-foveated", "psnr": "psnr-whole"}
"""Metrics of a search, and what they are called in an evaluation."""
JUDGED = ("psnr-attended", "psnr-foveated", "fvvdp", "vmaf-whole", "psnr-whole")

Points = Mapping[str, Mapping[str, float]]
"""By CRF, as text."""


def as_searched(given: argparse.Namespace, clips: list[Path], how: Mapping[str, Any]) -> dict[str, dict[str, Points]]:
    """By arm and clip the points, weighted as a search weights them."""
    maps = f"map:{given.maps}/{CLIP}.mkv"
    options = ev.EvaluateOptions(
        presets={"": how["preset"]},
        crfs=parse_crfs(how["crf"]),
        arms=(ArmChoice(PLAIN, "none"), ArmChoice(GUIDED, maps)),
        encode=EncodeOptions(policy=POLICIES[GUIDED]),
        weights=f"{MAP_SHARE}*{maps}+{1 - MAP_SHARE}*center",
        metrics=("psnr",),
        frames=how["frames"],
        halve=True,
        instants=0,
    )
    results = ev.run(
        clips, given.work / "searched", options=options, running=ev.EvaluateRun(given.jobs, given.work / "cache", True),
        progress=show,
    )  # fmt: skip
    found: dict[str, dict[str, Points]] = {}
    for curve in results.curves:
        points = {f"{one.crf:g}": {"kbps": one.kbps, **known(one.scores)} for one in curve.points}
        found.setdefault(curve.arm, {})[curve.clip] = points
    return found


def of_clip(curves: Mapping[str, Mapping[str, Points]], clip: str) -> dict[str, Points]:
    """By arm the points of one clip."""
    return {arm: by_clip[clip] for arm, by_clip in curves.items()}


def known(scores: Mapping[str, float | None]) -> dict[str, float]:
    """The scores that there are."""
    return {name: score for name, score in scores.items() if score is not None}


def read_at(points: Points, have: str, value: float, want: str) -> float:
    """What a curve has where another of its quantities has a value."""
    x, y = np.array(sorted((_scaled(have, one[have]), _scaled(want, one[want])) for one in points.values())).T
    found = float(PchipInterpolator(x, y)(np.clip(_scaled(have, value), x[0], x[-1])))
    return float(np.exp(found)) if want == "kbps" else found


def _scaled(name: str, value: float) -> float:
    """Curves are smooth over the logarithm of the rate."""
    return float(np.log(value)) if name == "kbps" else value


def matched(searched: Mapping[str, Points], judged: Mapping[str, Points], metric: str, crfs: list[str]) -> dict[str, float]:
    """Of one clip: size in % and what is judged, less that of the plain encode, means over CRFs; both by arm."""
    rows = []
    for crf in crfs:
        plain = searched[PLAIN][crf]
        kbps = read_at(searched[GUIDED], SEARCHED[metric], plain[SEARCHED[metric]], "kbps")
        row = {"bytes": 100 * (kbps / plain["kbps"] - 1)}
        for eye in JUDGED:
            if all(eye in one for arm in (PLAIN, GUIDED) for one in judged[arm].values()):
                row[eye] = read_at(judged[GUIDED], "kbps", kbps, eye) - judged[PLAIN][crf][eye]
        rows.append(row)
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    add_clip_arguments(parser, "all")
    parser.add_argument("--maps", type=Path, required=True, help="folder of CLIP.mkv")
    parser.add_argument("--work", type=Path, required=True, help="that of measure_front.py")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    front = read("front")
    judged = {arm: front["settings"][arm]["points"] for arm in (PLAIN, GUIDED)}
    searched = as_searched(given, clip_files(given.data, given.split, given.clips), front["how"])
    inner = [f"{crf:g}" for crf in sorted(parse_crfs(front["how"]["crf"]))[1:-1]]
    summary: dict[str, Any] = {}
    for metric in SEARCHED:
        clips = {clip: matched(of_clip(searched, clip), of_clip(judged, clip), metric, inner) for clip in searched[PLAIN]}
        summary[metric] = {}
        for eye in ("bytes", *JUDGED):
            values = {clip: one[eye] for clip, one in clips.items() if eye in one}
            if values:
                interval = bootstrap(list(values.values()))
                worst = (max if eye == "bytes" else min)(values, key=values.__getitem__)
                summary[metric][eye] = {**vars(interval), "worst": [worst, values[worst]]}
    save(given.out, crfs=inner, summary=summary)


if __name__ == "__main__":
    main()
