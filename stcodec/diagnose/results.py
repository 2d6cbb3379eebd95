"""Results of `inspect`, as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stcodec.diagnose.faults.base import Fault, Finding
from stcodec.diagnose.series import Series
from stcodec.web.page import finite

SCHEMA = 1


@dataclass(frozen=True)
class SubjectReport:
    """Findings and measures of one source's maps."""

    attention: str
    findings: tuple[Finding, ...]
    """Faults in the order of time."""
    ranked: tuple[Finding, ...]
    """Moments that are listed worst first: gaze elsewhere, attention moved, sources that differ."""
    measures: Mapping[str, Mapping[str, float | None]]
    """Mean, lowest and highest value of each measure, by name."""
    series: Mapping[str, Any] = field(repr=False)
    """Every measure at each instant, with `seconds`, `starts_shot` and `looked_at`; null = not known."""


@dataclass(frozen=True)
class InspectReport:
    """Results of an inspection."""

    video: str
    width_px: int
    height_px: int
    frames: int
    instants: int
    shots: int
    subjects: tuple[SubjectReport, ...]
    """One, or the two that were compared."""
    faults: tuple[Fault, ...]
    """The rules by which findings were found."""
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Caveats: what could not be shown, and why."""
    schema: int = SCHEMA

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that JSON has no word for are None."""
        plain: dict[str, Any] = finite(dataclasses.asdict(self))
        return plain


def subject_report(
    attention: str, series: Series, looked_at: list[bool], findings: list[Finding], ranked: list[Finding]
) -> SubjectReport:
    """The report on one source."""
    values = {name: series[name] for name in series.names}
    return SubjectReport(
        attention,
        tuple(findings),
        tuple(ranked),
        {name: _summary(column) for name, column in values.items()},
        {
            "seconds": [round(float(one), 4) for one in series.seconds],
            "starts_shot": [bool(one) for one in series.starts],
            "looked_at": looked_at,
            **{name: [round(float(one), 4) for one in column] for name, column in values.items()},
        },
    )


def _summary(values: np.ndarray) -> dict[str, float | None]:
    known = values[np.isfinite(values)].astype(np.float64)
    summaries = {"mean": known.mean, "lowest": known.min, "highest": known.max}
    return {name: round(float(summary()), 4) if len(known) else None for name, summary in summaries.items()}
