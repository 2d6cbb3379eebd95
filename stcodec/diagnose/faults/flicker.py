"""Flicker: the map goes to and fro, and motion doesn't explain it."""

from __future__ import annotations

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.measures import moved_percent
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

FAULT = Fault(
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


def flicker_percent(before: FloatArray, now: FloatArray, after: FloatArray) -> float:
    """How much of the mass of three densities in a row only went to and fro; 0 for any steady change."""
    detour = moved_percent(before, now) + moved_percent(now, after) - moved_percent(before, after)
    return max(0.0, detour / 2)


def find(series: Series) -> list[Finding]:
    """The moments of flicker."""
    text = "{value:.0f} % of the map's mass went away and came back from one instant to the next"
    return find_runs(FAULT, series["flicker_percent"], series.seconds, text)
