"""Tables and the picture of the front, from data/results/front.json: `python tools/front_tables.py` draws docs/front.svg.

One of them is what a search keeps, from data/results/match_metrics.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from measure_front import bd_rates
from results import read, table

EYES = {
    "psnr-attended": "attended PSNR",
    "ssim-attended": "attended SSIM",
    "psnr-foveated": "foveated PSNR",
    "fvvdp": "foveated JOD",
    "vmaf-whole": "VMAF",
    "psnr-whole": "PSNR",
    "ssim-whole": "SSIM",
    "xpsnr-whole": "XPSNR",
}
LOSSES = {"psnr-attended": "dB", "psnr-foveated": "dB", "fvvdp": "JOD", "vmaf-whole": "VMAF", "psnr-whole": "dB"}
COLOURS = {"neural": "#d55e00", "centre": "#0072b2", "human": "#009e73", "none": "#777777"}  # Okabe and Ito's
_SAVED = "psnr-attended"
_SSIM = ("ssim-attended", "ssim-whole")
"""Left out where there is no room."""


POLICIES = {
    "gentle": ("gentle", "neural, floor 0.95"),
    "balanced": ("balanced", "neural, floor 0.9"),
    "strong": ("strong", "neural, floor 0.6"),
}
"""Of each policy the settings that stand for it, which differ in the anchor: the first that has a metric counts."""
RIVALS = {
    "aq-mode 2": "x264, aq-mode 2",
    "aq-mode 3": "x264, aq-mode 3",
    "static centre box": "x264, `addroi`'s static box in the centre",
    "center, floor 0.9": "x264, centre prior, as balanced",
    "balanced": "**x264, stcodec, balanced (default)**",
    "strong": "**x264, stcodec, strong**",
    "human, floor 0.9": "x264, maps from half of the viewers, as balanced",
    "x265": "x265, plain",
    "x265, one Gaussian at the peak": "x265, its own foveation at our map's peak",
    "x265, balanced": "**x265, stcodec, balanced**",
    "x265, strong": "**x265, stcodec, strong**",
    "SVT-AV1": "SVT-AV1 (preset 8), plain",
}


def front() -> str:
    """Bits at the same quality by every eye, of each setting of x264."""
    found = _of_x264()
    metrics = _measured(one["bd_rate_percent"] for one in found.values())
    rows = [[name, *(_rate(one["bd_rate_percent"].get(metric)) for metric in metrics)] for name, one in found.items()]
    return table(["setting", *(EYES[metric] for metric in metrics)], rows)


def default_by_clip() -> str:
    """What the default saves and costs on each clip, most saved first."""
    points = {arm: read("front")["settings"][arm]["points"] for arm in ("plain", "balanced")}
    rates = {metric: bd_rates(points["plain"], points["balanced"], metric) for metric in EYES}
    shown = [metric for metric in EYES if rates[metric]]
    rows = [
        [clip, *(f"{rates[metric][clip]:+.1f} %" if clip in rates[metric] else "" for metric in shown)]
        for clip in sorted(rates[_SAVED], key=lambda clip: rates[_SAVED][clip])
    ]
    return table(["clip", *(EYES[metric] for metric in shown)], rows)


def rivals() -> str:
    """Bits at the same quality against plain x264, by every eye, of all that there is."""
    found = {label: rates for name, label in RIVALS.items() if (rates := _rates(name))}
    metrics = _measured(found.values())
    rows = [["x264, plain (aq-mode 1)", *("0" for _ in metrics)]]
    rows += [[label, *(_rate(rates.get(metric)) for metric in metrics)] for label, rates in found.items()]
    return table(["encode", *(EYES[metric] for metric in metrics)], rows)


def rivals_own() -> str:
    """Bits at the same quality against the same encoder without offsets."""
    summary, key = read("front")["summary"], "bd_rate_own_percent"
    found = {label: summary[name][key] for name, label in RIVALS.items() if key in summary.get(name, {})}
    metrics = _measured(found.values())
    rows = [[label, *(_rate(rates.get(metric)) for metric in metrics)] for label, rates in found.items()]
    return table(["encode, against plain x265", *(EYES[metric] for metric in metrics)], rows)


def rule() -> str:
    """What the rule for the default asks, by floor and anchor."""
    stored = read("front")
    limited = ("psnr-attended", "fvvdp", "vmaf-whole", "psnr-foveated")
    rows = {}
    for name, one in _of_x264().items():
        setting = stored["settings"][name]
        policy = {"floor": 0.6, "anchor": "attended", **setting["policy"]}
        if setting["source"] == "neural" and not setting["extra"] and set(policy) == {"floor", "anchor"}:
            label = f"floor {policy['floor']:g}, anchor {policy['anchor']}" + f" (`{name}`)" * (name in POLICIES)
            rates = one["bd_rate_percent"]
            rows[-policy["floor"], policy["anchor"]] = [label, *(_rate(rates.get(metric)) for metric in limited)]
    return table(["", *(EYES[metric] for metric in limited)], [rows[key] for key in sorted(rows)])


def policies() -> str:
    """Bits at the same quality, of the named policies."""
    head = {key: name for key, name in EYES.items() if key not in _SSIM} | {_SAVED: "where viewers look (attended PSNR)"}
    rows = []
    for policy in POLICIES:
        rates = _rates(policy)
        label = f"`{policy}`" + (" (default)" if policy == "balanced" else "")
        rows.append([label, *(_rate(rates.get(metric)) for metric in head)])
    return table(["`--policy`", *head.values()], rows)


def front_same_crf() -> str:
    """What becomes of size and quality where the CRF of a plain encode is kept."""
    found = _of_x264()
    metrics = [metric for metric in LOSSES if any(metric in one["same_crf"] for one in found.values())]
    rows = [
        [
            name,
            f"{one['same_crf']['bytes']['mean']:+.1f} %",
            *(_loss(one["same_crf"].get(key), LOSSES[key]) for key in metrics),
        ]
        for name, one in found.items()
    ]
    return table(["setting", "size", *(f"{EYES[metric]}, mean (worst clip)" for metric in metrics)], rows)


def match_metrics() -> str:
    """What a search keeps, by the metric that it goes by."""
    found = read("match_metrics")["summary"]
    judged = {"bytes": ("size", "%"), **{metric: (EYES[metric], unit) for metric, unit in LOSSES.items()}}
    rows = [
        [f"`{metric}`", *(_kept(kept.get(eye), unit) for eye, (_, unit) in judged.items())] for metric, kept in found.items()
    ]
    return table(["search by", *(f"{name}, mean (worst clip)" for name, _ in judged.values())], rows)


TABLES: dict[str, Callable[[], str]] = {
    "front": front,
    "front_same_crf": front_same_crf,
    "default_by_clip": default_by_clip,
    "match_metrics": match_metrics,
    "policies": policies,
    "rule": rule,
    "rivals": rivals,
    "rivals_own": rivals_own,
}


def _measured(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The metrics that any of these means are of."""
    known = {metric for rates in found for metric in rates}
    return [metric for metric in EYES if metric in known]


def _of_x264() -> dict[str, Any]:
    stored = read("front")
    return {name: one for name, one in stored["summary"].items() if stored["settings"][name]["encoder"] == "libx264"}


def _rates(name: str) -> dict[str, Any]:
    """BD-rates of a setting, or of a policy, by metric."""
    found = read("front")["summary"]
    rates: dict[str, Any] = {}
    for one in POLICIES.get(name, (name,)):
        rates = {**found.get(one, {}).get("bd_rate_percent", {}), **rates}
    return rates


def _rate(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    return f"{one['mean']:+.1f} % [{one['low']:+.1f}, {one['high']:+.1f}]" + _fewer(one)


def _loss(one: Mapping[str, Any] | None, unit: str) -> str:
    return "" if one is None else f"{one['mean']:+.2f} ({one['lowest'][1]:+.2f}) {unit}" + _fewer(one)


def _kept(one: Mapping[str, Any] | None, unit: str) -> str:
    digits = 1 if unit == "%" else 2
    return "" if one is None else f"{one['mean']:+.{digits}f} ({one['worst'][1]:+.{digits}f}) {unit}" + _fewer(one)


def _fewer(one: Mapping[str, Any]) -> str:
    """Of how many clips, where it is not of all."""
    clips = max(len(setting["points"]) for setting in read("front")["settings"].values())
    count = one["clips"]
    return "" if count == clips else f", {count} clip{'s' * (count > 1)}"


def _kind(setting: Mapping[str, Any]) -> str:
    source = setting["source"]
    return source if source in COLOURS else "centre" if "center" in source or source == "box" else "neural"


def draw(path: Path) -> None:
    """Attended saving over the cost by each other eye, with the intervals over clips."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "stcodec"
    found = read("front")
    costs = [
        metric
        for metric in EYES
        if metric not in (_SAVED, *_SSIM) and any(metric in one["bd_rate_percent"] for one in found["summary"].values())
    ]
    figure, axes = plt.subplots(1, len(costs), figsize=(3.1 * len(costs), 3.6), sharey=True)
    for one, cost in zip(axes, costs, strict=True):
        for name, setting in _of_x264().items():
            rates = setting["bd_rate_percent"]
            if cost not in rates or _SAVED not in rates:
                continue
            x, y = rates[cost], rates[_SAVED]
            colour = COLOURS[_kind(found["settings"][name])]
            across = [[x["mean"] - x["low"]], [x["high"] - x["mean"]]]
            up = [[y["high"] - y["mean"]], [y["mean"] - y["low"]]]
            one.errorbar(x["mean"], -y["mean"], up, across, fmt="o", color=colour, markersize=4, elinewidth=0.6)
        one.axvline(1, color="#aaaaaa", linewidth=0.8, linestyle=":")
        one.set_xlabel(f"bits more at the same {EYES[cost]}, %", fontsize=8)
        one.grid(alpha=0.3)
    axes[0].set_ylabel("bits saved at the same attended PSNR, %", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(__file__).parents[1] / "docs" / "front.svg")
