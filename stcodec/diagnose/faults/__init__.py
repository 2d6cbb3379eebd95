"""The named faults of attention, each with definition, unit, threshold and what to try."""

from __future__ import annotations

from collections.abc import Callable

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.faults.of_content import BACKGROUND, CAMERA, background_scores, leak_scores
from stcodec.diagnose.faults.of_maps import CENTRE, DEAD, DIFFUSION, dead_seconds, describe_dead
from stcodec.diagnose.faults.over_time import DRIFT, FLICKER, LAG, drift_scores, find_lags
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

__all__ = ["FAULTS", "Fault", "Finding", "excess", "fault_scores", "find_faults"]

FAULTS = (DRIFT, FLICKER, DIFFUSION, BACKGROUND, CAMERA, DEAD, CENTRE, LAG)
_TEXTS = {
    DRIFT.name: "the map went {value:.0f} % of the frame's width within a second, and nothing under it moved",
    FLICKER.name: "{value:.0f} % of the map's mass went away and came back from one instant to the next",
    DIFFUSION.name: "the map spreads over {value:.0f} % of the frame",
    BACKGROUND.name: "{value:.0f} % of the map's mass lies on places that only flicker",
    CAMERA.name: "the map as a whole is {value:.0f} % brighter than with a still camera",
    DEAD.name: "{value:.1f}",
    CENTRE.name: "the map correlates {value:.2f} with a blob in the centre",
}
"""Of a finding, with its value in it."""


def find_faults(series: Series, map_at: Callable[[int], FloatArray]) -> list[Finding]:
    """Every finding in a video, in the order of time. map_at: the map [h, w] of an instant."""
    found = find_lags(series, map_at)
    scores = fault_scores(series)
    for fault in FAULTS[:-1]:
        findings = find_runs(fault, scores[fault.name], series.seconds, _TEXTS[fault.name])
        found += [describe_dead(series, one) for one in findings] if fault is DEAD else findings
    return sorted(found, key=lambda one: (one.start_seconds, one.fault))


def excess(finding: Finding) -> float:
    """Value of a finding of one of `FAULTS` in multiples of the threshold; 1 for others."""
    thresholds = {fault.name: fault.threshold for fault in FAULTS}
    return finding.value / thresholds.get(finding.fault, finding.value or 1.0)


def fault_scores(series: Series) -> dict[str, FloatArray]:
    """[T] for each fault that has a score at every instant (all but lag), in its unit."""
    return {
        DRIFT.name: drift_scores(series),
        FLICKER.name: series["flicker_percent"],
        DIFFUSION.name: series["area_percent"],
        BACKGROUND.name: background_scores(series),
        CAMERA.name: leak_scores(series),
        DEAD.name: dead_seconds(series),
        CENTRE.name: series["centre"],
    }
