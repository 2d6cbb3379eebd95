"""Diffusion: a blurry cloud that says nothing."""

from __future__ import annotations

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.series import Series

FAULT = Fault(
    name="diffusion",
    title="Diffusion",
    definition="Share of the frame that the map spreads over: 2^entropy of the map as a density, over its number of cells. "
    "100 % is uniform.",
    unit="% of the frame",
    threshold=75.0,
    least_seconds=0.5,
    hint="give the branch that is sharper more weight (neural:balance=0.3 or 0.7), use a shorter window "
    "(neural:window=0.4), or another source",
)


def find(series: Series) -> list[Finding]:
    """The moments of diffusion."""
    return find_runs(FAULT, series["area_percent"], series.seconds, "the map spreads over {value:.0f} % of the frame")
