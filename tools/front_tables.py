"""Tables and the picture of the front, from data/results/front.json: `python tools/front_tables.py` draws docs/front.svg."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from results import read, table

EYES = {
    "psnr-attended": "attended PSNR",
    "psnr-foveated": "foveated PSNR",
    "fvvdp": "foveated JOD",
    "vmaf-whole": "VMAF",
    "psnr-whole": "PSNR",
    "xpsnr-whole": "XPSNR",
}
LOSSES = {"psnr-attended": "dB", "psnr-foveated": "dB", "fvvdp": "JOD", "vmaf-whole": "VMAF", "psnr-whole": "dB"}
COLOURS = {"neural": "#d55e00", "centre": "#0072b2", "human": "#009e73", "none": "#777777"}  # Okabe and Ito's
_SAVED = "psnr-attended"


def front() -> str:
    """Bits at the same quality by every eye, of each setting."""
    found = read("front")["summary"]
    metrics = [metric for metric in EYES if any(metric in one["bd_rate_percent"] for one in found.values())]
    rows = [[name, *(_rate(one["bd_rate_percent"].get(metric)) for metric in metrics)] for name, one in found.items()]
    return table(["setting", *(EYES[metric] for metric in metrics)], rows)


def front_same_crf() -> str:
    """What becomes of size and quality where the CRF of a plain encode is kept."""
    found = read("front")["summary"]
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


TABLES: dict[str, Callable[[], str]] = {"front": front, "front_same_crf": front_same_crf}


def _rate(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return ""
    return f"{one['mean']:+.1f} % [{one['low']:+.1f}, {one['high']:+.1f}]" + _fewer(one)


def _loss(one: Mapping[str, Any] | None, unit: str) -> str:
    return "" if one is None else f"{one['mean']:+.2f} ({one['lowest'][1]:+.2f}) {unit}" + _fewer(one)


def _fewer(one: Mapping[str, Any]) -> str:
    """Of how many clips, where it is not of all."""
    clips = max(len(setting["points"]) for setting in read("front")["settings"].values())
    return "" if one["clips"] == clips else f", {one['clips']} clips"


def _kind(setting: Mapping[str, Any]) -> str:
    source = setting["source"]
    return source if source in COLOURS else "centre" if "center" in source else "neural"


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
        if metric != _SAVED and any(metric in one["bd_rate_percent"] for one in found["summary"].values())
    ]
    figure, axes = plt.subplots(1, len(costs), figsize=(3.1 * len(costs), 3.6), sharey=True)
    for one, cost in zip(axes, costs, strict=True):
        for name, setting in found["summary"].items():
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
