"""Put files of tools/measure_front.py and tools/measure_jod.py together.

    python tools/merge_front.py build/more.json build/jod.json --anew fvvdp --out data/results/front.json

What --out has stays and the files add to it. Scores of metrics that --anew names are dropped from --out first, so that all
of them are of one measurement (of JOD: along the same viewers' scanpaths). Then: `python tools/make_tables.py` and
`python tools/front_tables.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure_front import keep
from results import RESULTS, parser_for

from stcodec.options import POLICIES

_CLOSE = 1e-3


def merged(base: dict[str, Any], others: Sequence[Mapping[str, Any]], anew: Sequence[str] = ()) -> dict[str, Any]:
    """Results with those of other files; raises SystemExit where both have a score and they differ."""
    for setting in base["settings"].values():
        for points in setting["points"].values():
            for scores in points.values():
                for name in [one for one in scores if one.removesuffix("-worst5") in anew]:
                    del scores[name]
    for other in others:
        differing = {key: (base["how"][key], value) for key, value in other["how"].items() if base["how"][key] != value}
        if set(differing) - {"observers"}:
            raise SystemExit(f"measured in another way: {differing}")
        if "fvvdp" in anew:
            base["how"]["observers"] = other["how"]["observers"]
        for name, setting in other["settings"].items():
            _add(base["settings"].setdefault(name, {**setting, "points": {}}), setting, name)
        base["commands"] = list(dict.fromkeys([*base["commands"], *other["commands"]]))
        base["versions"] = {**other["versions"], **base["versions"]}
    base["settings"] = {name: base["settings"][name] for name in sorted(base["settings"], key=lambda one: _place(base, one))}
    return base


def _add(mine: dict[str, Any], setting: Mapping[str, Any], name: str) -> None:
    if any(mine[key] != setting[key] for key in ("encoder", "source", "policy", "extra")):
        raise SystemExit(f"{name}: is another setting in the other file")
    for clip, points in setting["points"].items():
        for crf, scores in points.items():
            known = mine["points"].setdefault(clip, {}).setdefault(crf, {})
            for metric, score in scores.items():
                if abs(known.setdefault(metric, score) - score) > _CLOSE * abs(score):
                    raise SystemExit(f"{name}, {clip}, crf {crf}: {metric} is {known[metric]:g} here and {score:g} there")


def _place(base: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """Plain, the policies, other maps of the network, other offsets, other encoders."""
    setting = base["settings"][name]
    floor = setting["policy"].get("floor", 0.6)
    if name == "plain":
        return (0,)
    if setting["encoder"] != "libx264":
        return (4, setting["encoder"] == "libsvtav1", setting["source"] != "none", name)
    if name in POLICIES:
        return (1, -floor)
    return (2 if setting["source"] == "neural" and not setting["extra"] else 3, floor, name)


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--anew", nargs="*", default=[], metavar="METRIC")
    parser.add_argument("--out", type=Path, default=RESULTS / "front.json")
    given = parser.parse_args()
    read = [json.loads(file.read_text()) for file in given.files if file.exists()]
    keep(merged(json.loads(given.out.read_text()), read, given.anew), given.out)


if __name__ == "__main__":
    main()
