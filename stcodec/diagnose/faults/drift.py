"""Attention drift: the map moves while the content doesn't."""

from __future__ import annotations

import numpy as np

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

WINDOW_SECONDS = 1.0
STILL_CAMERA = 0.01
"""Frame widths a second: below it the camera stands."""
_STILL_MASS_PERCENT = 15.0
"""Share of the map's mass on places that moved or changed, above which the content explains the map's motion."""

FAULT = Fault(
    name="drift",
    title="Attention drift",
    definition="How far the map's centre of mass went within a second of one shot, while the camera stood (below "
    f"{STILL_CAMERA:g} frame widths a second) and at most {_STILL_MASS_PERCENT:g} % of the map's mass lay on places that "
    "moved or changed within the last second.",
    unit="% of the frame's width a second",
    threshold=5.0,
    least_seconds=0.3,
    hint="smooth the maps more (--smoothing), use a shorter window (neural:window=0.4), or give the spatial branch more "
    "weight (neural:balance=0.3)",
)


def drift_scores(series: Series) -> FloatArray:
    """[T] % of the frame's width a second; 0 where content moves, NaN where the shot is shorter than the window."""
    seconds, scores = series.seconds, np.full(len(series), np.nan, np.float32)
    x, y = series["x_widths"], series["y_widths"]
    explained = (series["camera_speed"] >= STILL_CAMERA) | (series["active_percent"] > _STILL_MASS_PERCENT)
    for shot in series.shots():
        for now in range(shot.start, shot.stop):
            then = int(np.searchsorted(seconds, seconds[now] - WINDOW_SECONDS - 1e-3))
            if then < shot.start or seconds[now] - seconds[then] < 0.7 * WINDOW_SECONDS:
                continue
            way = float(np.hypot(x[now] - x[then], y[now] - y[then])) / float(seconds[now] - seconds[then])
            scores[now] = 0.0 if explained[then : now + 1].any() else 100 * way
    return scores


def find(series: Series) -> list[Finding]:
    """The moments of drift."""
    text = "the map went {value:.0f} % of the frame's width within a second, and nothing under it moved"
    return find_runs(FAULT, drift_scores(series), series.seconds, text)
