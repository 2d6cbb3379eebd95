"""Faults over time: attention drift, flicker, and lag after a sudden change."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from stcodec.diagnose.faults.base import STILL_CAMERA, Fault, Finding
from stcodec.diagnose.measures import density_of, moved_percent
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray, TimeArray

WINDOW_SECONDS = 1.0
_STILL_MASS_PERCENT = 15.0
"""Share of the map's mass on places that moved or changed, above which the content explains the map's motion."""

DRIFT = Fault(
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


FLICKER = Fault(
    name="flicker",
    title="Flicker",
    definition="Share of the map's mass that leaves a place and is back an instant later: half of the way before-now-after "
    "beyond the way before-after, in total variation. The maps are carried along with the content's motion, if that makes "
    "it less.",
    unit="% of the map's mass",
    threshold=12.0,
    least_seconds=0.0,
    hint="smooth the maps more (--smoothing 0.4), or use a longer window (neural:window=1.6)",
)

_SETTLED_SECONDS = (1.5, 2.2)
"""After the change: the mean map of this time is what the map was heading for."""
_LEAST_SETTLED_SECONDS = 0.7
"""A shot that ends earlier says nothing."""
_TAIL_SECONDS = 0.5
_LEAST_MOVE_PERCENT = 20.0
"""Share of the mass that must end up elsewhere: else there is nothing to be late with."""
_JUMP_PERCENT = 2.0
"""Share of the frame that changes strongly in a sudden change."""
_JUMP_RATIO = 3.0
"""Ratio of a sudden change to the instants around it; continuous motion does not stand out."""
_QUIET_SECONDS = 0.6

LAG = Fault(
    name="lag",
    title="Lag after a sudden change",
    definition="How long after a cut, or after a change of the picture that stands out from the time before, the map is "
    "nearer (in total variation) to the one just before it than to the mean one 1.5 to 2.2 s after it. Counted where "
    f"{_LEAST_MOVE_PERCENT:g} % of the mass moves for good.",
    unit="s",
    threshold=0.3,
    least_seconds=0.0,
    hint="smooth the maps less (--smoothing 0.1), or use a shorter window (neural:window=0.4)",
)


def lag_seconds(before: FloatArray, after: FloatArray, since: TimeArray) -> float | None:
    """Time for which densities [T, h, w] after a change stay nearer to the density before it than to where they end up.

    since: [T] seconds since the change. None if the maps end too soon, or end up where they were.
    """
    settled = (since >= _SETTLED_SECONDS[0]) & (since <= _SETTLED_SECONDS[1])
    if not settled.any():
        if not len(since) or since[-1] < _LEAST_SETTLED_SECONDS:
            return None
        settled = since >= since[-1] - _TAIL_SECONDS
    goal = after[settled].mean(axis=0)
    if moved_percent(before, goal) < _LEAST_MOVE_PERCENT:
        return None
    late = [moved_percent(one, before) < moved_percent(one, goal) for one in after]
    arrived = next((index for index, is_late in enumerate(late) if not is_late), None)
    return None if arrived is None else float(since[arrived])


def sudden_changes(series: Series) -> list[int]:
    """The instants at which a shot begins or the picture changes out of the blue; not the video's first."""
    seconds, jump, starts = series.seconds, series["jump_percent"], series.starts
    found = []
    for now in range(1, len(series)):
        first = int(np.searchsorted(seconds, seconds[now] - _QUIET_SECONDS))
        last = int(np.searchsorted(seconds, seconds[now] + _QUIET_SECONDS, side="right"))
        quiet = seconds[now] - seconds[0] >= _QUIET_SECONDS and not starts[first : now + 1].any()
        around = np.concatenate([jump[first:now], jump[now + 1 : last]])
        usual = float(around.max()) if len(around) else 0.0
        if starts[now] or (quiet and jump[now] >= max(_JUMP_PERCENT, _JUMP_RATIO * usual)):
            found.append(now)
    return found


def find_lags(series: Series, map_at: Callable[[int], FloatArray]) -> list[Finding]:
    """The changes that the map followed too late. map_at: the map [h, w] of an instant."""
    seconds, found = series.seconds, []
    changes = sudden_changes(series)
    for now, following in pairwise([*changes, len(series)]):
        last = min(int(np.searchsorted(seconds, seconds[now] + _SETTLED_SECONDS[1] + 1e-3)), following)
        after = np.stack([density_of(map_at(index)) for index in range(now, last)])
        lag = lag_seconds(density_of(map_at(now - 1)), after, seconds[now:last] - seconds[now])
        if lag is not None and lag >= LAG.threshold - 1e-6:
            what = "cut" if series.starts[now] else "sudden change"
            start = float(seconds[now])
            text = f"for {lag:.2f} s after a {what} the map was that of before"
            found.append(Finding(LAG.name, start, start + lag, start + lag / 2, lag, text))
    return found
