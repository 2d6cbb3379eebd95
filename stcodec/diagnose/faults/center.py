"""Centre collapse: the map is the centre prior, whatever is shown."""

from __future__ import annotations

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.series import Series

FAULT = Fault(
    name="centre",
    title="Centre collapse",
    definition="Correlation of the map with the centre prior over its cells.",
    unit="correlation",
    threshold=0.95,
    least_seconds=1.0,
    hint="if what matters is not in the middle: give the other branch more weight (neural:balance=0.7), train with less "
    "centre bias, or use another source",
)


def find(series: Series) -> list[Finding]:
    """The stretches in which the map is the centre prior."""
    text = "the map correlates {value:.2f} with a blob in the centre"
    return find_runs(FAULT, series["centre"], series.seconds, text)
