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
COSTS = {"psnr-whole": "whole-frame PSNR", "vmaf-whole": "whole-frame VMAF"}
COLOURS = {"human": "#0072b2", "neural": "#d55e00"}  # Okabe and Ito's, told apart by colour-blind eyes


def drawn(axes: Any, found: dict[str, Any], cost: str) -> None:
    """Attended saving over the cost by one metric; a line joins the settings that nothing beats."""
    for arm, colour in COLOURS.items():
        points = {one["name"]: (one["arms"][arm][cost], -one["arms"][arm]["psnr-attended"]) for one in found["settings"]}
        axes.scatter(*zip(*points.values(), strict=True), s=14, color=colour, alpha=0.5, linewidths=0)
        front = sorted(points[name] for name in found["on_front"][arm][cost])
        axes.plot(*zip(*front, strict=True), color=colour, marker="o", markersize=4, label=arm)
        axes.annotate("default", points["default"], textcoords="offset points", xytext=(6, -12), fontsize=8, color=colour)
    axes.set_xlabel(f"bits more at the same {COSTS[cost]}, %")
    axes.grid(alpha=0.3)


def main() -> None:
    found = json.loads((ROOT / "data" / "results" / "offset_sweep.json").read_text())
    plt.rcParams["svg.hashsalt"] = "stcodec"
    figure, axes = plt.subplots(1, len(COSTS), figsize=(9, 3.8), sharey=True)
    for one, cost in zip(axes, COSTS, strict=True):
        drawn(one, found, cost)
    axes[0].set_ylabel("bits saved at the same attended PSNR, %")
    axes[0].legend(title="guided by")
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "offset_sweep.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
