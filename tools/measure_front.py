"""Measure what attention saves where people look, and what it costs every other eye, against a plain encode.

    python tools/measure_front.py --data ../shared/data/video-gaze --maps neural=MAPS --work build/front \
        --out data/results/front.json

Maps of `neural` are files CLIP.mkv in a folder, made in cross-validation, so that no network has seen its clip; those of
`box` and `peak` come from tools/rival_maps.py. Half of the observers guide the setting `human`, the other half judge
everything. The settings are those of `front` and `rivals`, and any more of `--also "NAME | SOURCE | floor=0.9 strength=1.5 |
aq-mode=3 | libx265"` (source none: the encoder alone; what is left out is the default). Scores of all points are
kept, so that runs with other metrics, clips or settings add to the file: `--metrics psnr` for all, `psnr,ssim,vmaf,fvvdp`
for a few with `--only`. What was encoded is not encoded again. BD-rates are against plain; "same CRF" is what becomes of
the scores when a plain encode's CRF is kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from headline import add_clip_arguments, clip_files, show
from results import command, parser_for

import stcodec.evaluate as ev
from stcodec.evaluate.gaze import split_observers
from stcodec.evaluate.options import CLIP, ArmChoice, parse_crfs
from stcodec.evaluate.results import PLAIN
from stcodec.evaluate.summary import LEAST_OVERLAP
from stcodec.metrics.bd import bd_rate, bootstrap
from stcodec.options import POLICIES, EncodeOptions, OffsetPolicy

Scores = dict[str, dict[str, float]]
"""By CRF, as text: kbps, bytes and each metric."""
_COUNTS = ("kbps", "bytes")


@dataclass(frozen=True)
class Setting:
    """One way of encoding."""

    name: str
    source: str
    """A source of attention in which the names of --maps stand for their files; human; none."""
    policy: Mapping[str, float | str] = field(default_factory=dict)
    """Fields of OffsetPolicy that differ from BASE."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Options of the encoder; the plain encode that it is compared with has none."""
    encoder: str = "libx264"

    @property
    def how(self) -> tuple[str, ...]:
        """What settings that are encoded together have in common."""
        return (self.encoder, repr(sorted(self.policy.items())), repr(sorted(self.extra.items())))


BASE = OffsetPolicy(strength=1.0, floor=0.6, anchor="attended")
"""What settings are told against, whatever the default is by now."""
CRFS = {"libx265": "23:38:5", "libsvtav1": "45:63:6"}
"""Of encoders other than x264: of about the same rates."""
PRESETS = {"libsvtav1": "8"}
BLENDS = {"neural": "neural", "0.7+0.3 centre": "0.7*neural+0.3*center", "0.5+0.5 centre": "0.5*neural+0.5*center"}


def changes(policy: OffsetPolicy) -> dict[str, float | str]:
    """The fields in which a policy differs from BASE."""
    return {key: value for key, value in vars(policy).items() if value != vars(BASE)[key]}


def front() -> list[Setting]:
    """The named policies, sources by floor and strength, and what needs no map."""
    found = [Setting(PLAIN, "none"), *(Setting(f"aq-mode {mode}", "none", {}, {"aq-mode": str(mode)}) for mode in (2, 3))]
    for name, named in POLICIES.items():
        found.append(Setting(name, "neural", changes(named)))
    for floor in (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95):
        found.append(Setting(f"neural, floor {floor:g}", "neural", {"floor": floor}))
    for name, source in BLENDS.items():
        for floor in (0.8, 0.85, 0.9):
            policy = {"floor": floor, "strength": 1.5}
            found.append(Setting(f"{name}, floor {floor:g}, strength 1.5", source, policy))
    for name in ("center", "human"):
        found += [Setting(f"{name}, floor {floor:g}", name, {"floor": floor}) for floor in (0.6, 0.8, 0.9)]
    return found


def rivals() -> list[Setting]:
    """What else there is: other offsets on x264, and other encoders with and without offsets."""
    as_is: dict[str, float | str] = {"floor": 1e-3, "anchor": "mean", "step_qp": 0.0, "smoothing_seconds": 0.0}
    balanced, strong = changes(POLICIES["balanced"]), changes(POLICIES["strong"])
    return [
        Setting("static centre box", "box", as_is),
        Setting("centre prior, balanced", "center", balanced),
        Setting("human, balanced", "human", balanced),
        Setting("x265", "none", encoder="libx265"),
        Setting("x265, balanced", "neural", balanced, encoder="libx265"),
        Setting("x265, strong", "neural", strong, encoder="libx265"),
        Setting("x265, one Gaussian at the peak", "peak", as_is, encoder="libx265"),
        Setting("SVT-AV1", "none", encoder="libsvtav1"),
    ]


def setting_of(text: str) -> Setting:
    """A setting from "NAME | SOURCE | FIELD=VALUE ... | OPTION=VALUE ... | ENCODER"; the last three may be left out."""
    name, source, *rest = [part.strip() for part in text.split("|")]
    fields, options, encoder = (*rest, "", "", "")[:3]
    policy, extra = (dict(one.split("=", 1) for one in part.split()) for part in (fields, options))
    numbers: dict[str, float | str] = {key: value if value.isalpha() else float(value) for key, value in policy.items()}
    return Setting(name, source, numbers, extra, encoder or Setting.encoder)


def halves(data: Path, clips: Sequence[Path], seed: int, folder: Path) -> tuple[Path, Path]:
    """Two folders of gaze, CLIP.csv each: of the observers who guide, and of those who judge."""
    guide, judge = folder / "guide", folder / "judge"
    for clip in clips:
        source = data / "fixations" / f"{clip.stem}.csv"
        split = split_observers(source, seed)
        for place, kept in ((guide, split.guiding), (judge, split.judging)):
            place.mkdir(parents=True, exist_ok=True)
            with source.open(newline="") as file, (place / source.name).open("w", newline="") as out:
                rows = csv.DictReader(file)
                table = csv.DictWriter(out, rows.fieldnames or ())
                table.writeheader()
                table.writerows(row for row in rows if int(float(row["observer"])) in kept)
    return guide, judge


def evaluation_of(settings: Sequence[Setting], given: argparse.Namespace, clips: Sequence[Path]) -> ev.EvaluateOptions:
    """The evaluation of settings with the same policy and encoder options: its arms are named by `arm_name`."""
    guide, judge = halves(given.data, clips, given.split_seed, given.work / "gaze")
    maps = {name: f"map:{folder}/{CLIP}.mkv" for name, folder in (one.split("=", 1) for one in given.maps)}
    maps["human"] = f"gaze:{guide}/{CLIP}.csv"
    arms = [ArmChoice(PLAIN, "none")]
    arms += [
        ArmChoice(arm_name(at, one), source_text(one.source, maps))
        for at, one in enumerate(settings)
        if one.source != "none"
    ]
    encoder = settings[0].encoder
    return ev.EvaluateOptions(
        encoders=(encoder,),
        presets={"": given.preset, **PRESETS},
        crfs=parse_crfs(CRFS.get(encoder, given.crf)),
        arms=tuple(arms),
        encode=EncodeOptions(policy=replace(BASE, **settings[0].policy), extra=settings[0].extra),  # type: ignore[arg-type]
        gaze=judge,
        metrics=tuple(given.metrics.split(",")),
        observers=given.observers,
        frames=given.frames,
        halve=True,
        instants=0,
    )


def arm_name(at: int, setting: Setting) -> str:
    """The arm of a setting that is the at-th of its evaluation."""
    return PLAIN if setting.source == "none" else f"arm {at}"


def encoded(
    settings: Sequence[Setting], given: argparse.Namespace, clips: Sequence[Path]
) -> tuple[dict[str, dict[str, Scores]], Mapping[str, str]]:
    """Scores by setting and clip, of settings with the same policy and encoder options; the versions they came of."""
    options = evaluation_of(settings, given, clips)
    running = ev.EvaluateRun(jobs=given.jobs, overwrite=True)
    results = ev.run(clips, given.work, options=options, running=running, progress=show)
    for failure in results.failures:
        print(f"failed: {failure}", file=sys.stderr)
    by_arm: dict[str, dict[str, Scores]] = {}
    for curve in results.curves:
        points: Scores = {}
        for point in curve.points:
            known = {key: round(value, 4) for key, value in point.scores.items() if value is not None}
            points[f"{point.crf:g}"] = {"kbps": round(point.kbps, 3), "bytes": point.video_bytes, **known}
        by_arm.setdefault(curve.arm, {})[curve.clip] = points
    names = {arm_name(at, one): one.name for at, one in enumerate(settings)}
    return {names[arm]: found for arm, found in by_arm.items() if arm in names}, results.versions


def source_text(text: str, maps: Mapping[str, str]) -> str:
    """A source, or a blend of them, with files for the names of --maps."""
    parts = [part.rpartition("*") for part in text.split("+")]
    return "+".join(f"{factor}{star}{maps.get(name.strip(), name.strip())}" for factor, star, name in parts)


def add_points(stored: dict[str, Any], setting: Setting, found: Mapping[str, Scores]) -> None:
    """Put a setting's points, or more metrics of them, to what is known."""
    mine = stored.setdefault(
        setting.name,
        {
            "encoder": setting.encoder,
            "source": setting.source,
            "policy": {**setting.policy},
            "extra": {**setting.extra},
        },
    )
    for clip, points in found.items():
        for crf, scores in points.items():
            mine.setdefault("points", {}).setdefault(clip, {}).setdefault(crf, {}).update(scores)


# --- what follows -------------------------------------------------------------------------------------------------------


def curve(points: Scores, metric: str) -> tuple[list[float], list[float]]:
    """Rates and scores of the points that have a metric."""
    known = [one for one in points.values() if metric in one]
    return [one["kbps"] for one in known], [one[metric] for one in known]


def bd_rates(plain: Mapping[str, Scores], mine: Mapping[str, Scores], metric: str) -> dict[str, float]:
    """BD-rate by clip in %, of those clips that have one."""
    found = {}
    for clip in mine.keys() & plain.keys():
        value = bd_rate(*curve(plain[clip], metric), *curve(mine[clip], metric), min_overlap=LEAST_OVERLAP).value
        if value is not None:
            found[clip] = value
    return dict(sorted(found.items()))


def same_crf(plain: Mapping[str, Scores], mine: Mapping[str, Scores], metric: str) -> dict[str, float]:
    """By clip the mean over CRFs of a setting's score less the plain encode's; of counts their ratio, in % less 100."""
    found = {}
    for clip in mine.keys() & plain.keys():
        pairs = [
            (plain[clip][crf][metric], scores[metric])
            for crf, scores in mine[clip].items()
            if metric in scores and metric in plain[clip].get(crf, {})
        ]
        if pairs:
            each = [100 * (b / a - 1) if metric in _COUNTS else b - a for a, b in pairs]
            found[clip] = float(np.mean(each))
    return dict(sorted(found.items()))


def summary(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Of each setting the means over clips: BD-rates with their intervals, and what becomes of a CRF.

    Against plain x264; of other encoders with offsets also against themselves without.
    """
    plain = stored[PLAIN]["points"]
    alone = {one["encoder"]: one["points"] for one in stored.values() if one["source"] == "none" and not one["extra"]}
    metrics = sorted({key for points in plain.values() for one in points.values() for key in one})
    pooled = [one for one in metrics if one not in _COUNTS and not one.endswith("-worst5") and one != "cambi-whole"]
    table: dict[str, Any] = {}
    for name, one in stored.items():
        if name == PLAIN:
            continue
        rates = {metric: _mean(bd_rates(plain, one["points"], metric)) for metric in pooled}
        kept = {metric: _mean(same_crf(plain, one["points"], metric)) for metric in ("bytes", *pooled)}
        table[name] = {
            "bd_rate_percent": {key: value for key, value in rates.items() if value},
            "same_crf": {key: value for key, value in kept.items() if value},
        }
        own = alone.get(one["encoder"], plain)
        if own is not plain and one["points"] is not own:
            rates = {metric: _mean(bd_rates(own, one["points"], metric)) for metric in pooled}
            table[name]["bd_rate_own_percent"] = {key: value for key, value in rates.items() if value}
    return table


def _mean(by_clip: Mapping[str, float]) -> dict[str, Any] | None:
    """With the interval over clips, and the clips at both ends."""
    if not by_clip:
        return None
    interval = bootstrap(list(by_clip.values()))
    ends = {"lowest": min(by_clip, key=lambda clip: by_clip[clip]), "highest": max(by_clip, key=lambda clip: by_clip[clip])}
    numbers = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    extremes = {key: [clip, round(by_clip[clip], 3)] for key, clip in ends.items()}
    return {**{key: round(value, 3) for key, value in numbers.items()}, "clips": interval.clips, **extremes}


def groups(settings: Iterable[Setting]) -> list[list[Setting]]:
    """Settings that are encoded in one evaluation: with one policy and one set of encoder options."""
    found: dict[tuple[str, ...], list[Setting]] = {}
    for one in settings:
        how = (*one.how, "none") if one.source == "none" else one.how
        found.setdefault(how, []).append(one)
    return list(found.values())


def parsed(doc: str | None = __doc__) -> argparse.Namespace:
    """The command line."""
    parser = parser_for(doc, gaze_data=True)
    add_clip_arguments(parser, "all")
    parser.add_argument("--maps", nargs="*", default=[], metavar="NAME=FOLDER", help="of files CLIP.mkv")
    parser.add_argument("--only", nargs="*", help="settings, by a part of their names")
    parser.add_argument(
        "--also", nargs="*", default=[], metavar="SETTING", help="further ones; only these with --only and no name"
    )
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--crf", default="23:38:5")
    parser.add_argument("--frames", type=int, default=36)
    parser.add_argument("--metrics", default="psnr")
    parser.add_argument("--observers", type=int, default=1, help="along whose scanpaths fvvdp looks")
    parser.add_argument("--split-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--work", type=Path, required=True, help="folder for the cache")
    parser.add_argument("--out", type=Path, required=True, help="file that the results are added to")
    return parser.parse_args()


def chosen_settings(given: argparse.Namespace) -> list[Setting]:
    """The settings that a command line asks for."""
    chosen = [one for one in (*front(), *rivals()) if given.only is None or any(part in one.name for part in given.only)]
    return chosen + [setting_of(text) for text in given.also]


def opened(given: argparse.Namespace) -> dict[str, Any]:
    """The file of results as it is; this command is added to it."""
    how = {"frames": given.frames, "crf": given.crf, "preset": given.preset, "observers": given.observers}
    result: dict[str, Any] = {"how": how, "commands": [], "versions": {}, "settings": {}}
    if given.out.exists():
        result = json.loads(given.out.read_text())
        if result["how"] != how:
            raise SystemExit(f"{given.out}: was made with {result['how']}, not with {how}: give another file")
    result["commands"].append(command())
    return result


def keep(result: dict[str, Any], out: Path) -> None:
    """Write the file of results."""
    if PLAIN in result["settings"]:
        result["summary"] = summary(result["settings"])
    out.write_text(json.dumps(result, indent=None, separators=(",", ":")).replace('},"', '},\n"') + "\n")


def main() -> None:
    given = parsed()
    given.work.mkdir(parents=True, exist_ok=True)
    clips = clip_files(given.data, given.split, given.clips)
    chosen, result = chosen_settings(given), opened(given)
    for group in groups(chosen):
        print(f"--- {', '.join(one.name for one in group)}", file=sys.stderr, flush=True)
        found, versions = encoded(group, given, clips)
        result["versions"].update(versions)
        for one in group:
            add_points(result["settings"], one, found.get(one.name, {}))
        keep(result, given.out)
        for one in group:
            rates = result.get("summary", {}).get(one.name, {}).get("bd_rate_percent", {})
            print(f"{one.name:40}", {key: value["mean"] for key, value in rates.items()}, flush=True)


if __name__ == "__main__":
    main()
