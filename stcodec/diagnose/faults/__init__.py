"""The named faults of attention: one file each, with definition, unit, threshold and what to try."""

from __future__ import annotations

from collections.abc import Callable

from stcodec.diagnose.faults import background, camera, center, dead, diffusion, drift, flicker, lag
from stcodec.diagnose.faults.base import Fault, Finding
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray

__all__ = ["FAULTS", "Fault", "Finding", "excess", "fault_scores", "find_faults"]

_OF_SERIES = (drift, flicker, diffusion, background, camera, dead, center)
FAULTS: tuple[Fault, ...] = (*(module.FAULT for module in _OF_SERIES), lag.FAULT)
"""All of them."""


def find_faults(series: Series, map_at: Callable[[int], FloatArray]) -> list[Finding]:
    """Every finding in a film, in the order of time. map_at: the map [h, w] of an instant."""
    found = [finding for module in _OF_SERIES for finding in module.find(series)] + lag.find(series, map_at)
    return sorted(found, key=lambda one: (one.start_seconds, one.fault))


def excess(finding: Finding) -> float:
    """How many times its threshold a finding of one of `FAULTS` reached; 1 for others."""
    thresholds = {fault.name: fault.threshold for fault in FAULTS}
    return finding.value / thresholds.get(finding.fault, finding.value or 1.0)


def fault_scores(series: Series) -> dict[str, FloatArray]:
    """[T] for each fault that has a score at every instant (all but lag), in its unit."""
    return {
        drift.FAULT.name: drift.drift_scores(series),
        flicker.FAULT.name: series["flicker_percent"],
        diffusion.FAULT.name: series["area_percent"],
        background.FAULT.name: background.background_scores(series),
        camera.FAULT.name: camera.leak_scores(series),
        dead.FAULT.name: dead.dead_seconds(series),
        center.FAULT.name: series["centre"],
    }
