"""Draw whether the attention network's confidence keeps its word: docs/confidence.svg from data/results/confidence.json.

python tools/plot_confidence.py
"""

from __future__ import annotations

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from results import ROOT, read

COLOURS = {"other clips": "#0072b2", "weak clips": "#d55e00"}  # Okabe and Ito's, told apart by colour-blind eyes


def main() -> None:
    plt.rcParams["svg.hashsalt"] = "stcodec"
    found = read("confidence")
    figure, axes = plt.subplots(figsize=(5.6, 4.6))
    weak = {name for name, one in found["clips"].items() if one["weak"]}
    for label, colour in COLOURS.items():
        points = [one[3:] for one in found["instants"] if (one[0] in weak) == (label == "weak clips")]
        x, y = zip(*points, strict=True)
        axes.scatter(x, y, s=9, color=colour, alpha=0.35, linewidths=0, label=f"an instant, {label}")
    expected, achieved = (np.array([one[name] for one in found["bins"]]) for name in ("expected", "achieved"))
    ends = np.array([one["interval"] for one in found["bins"]])
    axes.vlines(expected, ends[:, 0], ends[:, 1], color="black", linewidth=1)
    axes.plot(expected, achieved, color="black", marker="o", markersize=4, label="mean of a tenth, 95 % interval over clips")
    top = max(one[3] for one in found["instants"])
    axes.plot([0, top], [0, top], color="grey", linestyle=":", label="as expected")
    axes.set_xlabel("confidence: expected NSS")
    axes.set_ylabel("achieved NSS")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "confidence.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
