"""Made-up viewers: files of fixations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

Place = tuple[float, float]


def make_gaze(
    path: Path, places: Sequence[Place], *, observers: int = 4, seconds: float = 1.0, spread_px: float = 3.0
) -> Path:
    """Every observer looks at one place after another, at equal times; (x, y) in px, off by a little each."""
    rng = np.random.default_rng(7)
    lines = ["observer,start_ms,duration_ms,x_px,y_px"]
    each_ms = 1000 * seconds / len(places)
    for observer in range(1, observers + 1):
        for number, (x, y) in enumerate(places):
            off = rng.normal(0, spread_px, 2)
            lines.append(f"{observer},{number * each_ms:.0f},{each_ms:.0f},{x + off[0]:.1f},{y + off[1]:.1f}")
    path.write_text("\n".join(lines) + "\n")
    return path
