"""Draw what each setting of the offsets gains and costs: docs/offset_sweep.svg from the sweeps in data/results.

python tools/plot_sweep.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
COLOURS = {"human": "#0072b2", "neural": "#d55e00"}  # Okabe and Ito's, told apart by colour-blind eyes
COSTS = {"psnr-whole": "PSNR", "vmaf-whole": "VMAF"}


def drawn(axes: Any, run: dict[str, Any], cost: str, title: str) -> None:
    """Attended saving over whole-frame cost; a line joins the settings that nothing beats."""
    for arm, fronts in run["on_front"].items():
        means = {one["name"]: one["arms"][arm].get("compared", one["arms"][arm]) for one in run["settings"]}
        points = {name: (each[cost], -each["psnr-attended"]) for name, each in means.items() if each is not None}
        axes.scatter(*zip(*points.values(), strict=True), s=14, color=COLOURS[arm], alpha=0.5, linewidths=0)
        front = sorted(points[name] for name in fronts[cost])
        axes.plot(*zip(*front, strict=True), color=COLOURS[arm], marker="o", markersize=4, label=arm)
        for name, point in points.items():
            if name.startswith("default"):
                axes.annotate(
                    "floor 0.6", point, textcoords="offset points", xytext=(6, -12), fontsize=8, color=COLOURS[arm]
                )
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(f"bits more at the same whole-frame {COSTS[cost]}, %")
    axes.set_ylabel("bits saved at the same attended PSNR, %")
    axes.grid(alpha=0.3)
    axes.legend(title="guided by")


def panels() -> list[tuple[dict[str, Any], str, str]]:
    """What is drawn: a run, the cost, and a title."""
    found = []
    for name in ("offset_sweep", "offset_sweep_encoders"):
        sweep = json.loads((ROOT / "data" / "results" / f"{name}.json").read_text())
        for run in sweep["runs"]:
            costs = [cost for cost in COSTS if cost in next(iter(run["on_front"].values()))]
            count = len(run.get("compared_clips", sweep["clips"]))
            found += [(run, cost, f"{count} clips, {sweep['frames']} frames") for cost in costs]
    return found


def main() -> None:
    plt.rcParams["svg.hashsalt"] = "stcodec"
    shown = panels()
    figure, axes = plt.subplots((len(shown) + 1) // 2, 2, figsize=(9, 3.8 * ((len(shown) + 1) // 2)), sharey=True)
    for one, panel in zip(axes.flat, shown, strict=False):
        drawn(one, *panel)
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "offset_sweep.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
