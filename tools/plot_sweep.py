"""Draw what each setting of the offsets gains and costs: docs/offset_sweep.svg from data/results/offset_sweep.json.

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
COST = "psnr-whole"


def drawn(axes: Any, run: dict[str, Any]) -> None:
    """Attended saving over whole-frame cost; a line joins the settings that nothing beats."""
    for arm, fronts in run["on_front"].items():
        points = {one["name"]: (one["arms"][arm][COST], -one["arms"][arm]["psnr-attended"]) for one in run["settings"]}
        axes.scatter(*zip(*points.values(), strict=True), s=14, color=COLOURS[arm], alpha=0.5, linewidths=0)
        front = sorted(points[name] for name in fronts[COST])
        axes.plot(*zip(*front, strict=True), color=COLOURS[arm], marker="o", markersize=4, label=arm)
        for name, point in points.items():
            if name.startswith("default"):
                axes.annotate("default", point, textcoords="offset points", xytext=(6, -12), fontsize=8, color=COLOURS[arm])
    axes.set_xlabel("bits more at the same whole-frame PSNR, %")
    axes.grid(alpha=0.3)
    axes.legend(title="guided by")


def main() -> None:
    runs = json.loads((ROOT / "data" / "results" / "offset_sweep.json").read_text())["runs"]
    plt.rcParams["svg.hashsalt"] = "stcodec"
    figure, axes = plt.subplots(1, len(runs), figsize=(4.5 * len(runs), 3.8), sharey=True)
    for one, run in zip(axes, runs, strict=True):
        drawn(one, run)
    axes[0].set_ylabel("bits saved at the same attended PSNR, %")
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "offset_sweep.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
