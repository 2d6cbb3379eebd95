"""Parts of an inspection as plain values for the page's JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from stcodec.diagnose.faults import FAULTS, Fault, Finding, fault_scores
from stcodec.diagnose.map_files import Detail
from stcodec.diagnose.peaks import Trail
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray
from stcodec.web.page import finite

_MOST_VALUES = 600
"""Values of a lane of the timeline; of a longer video each is the highest of several."""


def finding_view(finding: Finding, instants: Sequence[float]) -> dict[str, Any]:
    """A finding, with the number of the still that shows it. instants: the times of the stills."""
    still = int(np.abs(np.asarray(instants) - finding.worst_seconds).argmin())
    place = None if finding.place is None else [finding.place.x_widths, finding.place.y_widths]
    return finite({**asdict(finding), "place": place, "still": still})  # type: ignore[no-any-return]


def lanes(
    series: Series, faults: Sequence[Fault], scored: Mapping[str, str], extra: Iterable[tuple[str, str, str]]
) -> list[dict[str, Any]]:
    """The rows of the timeline: the score of each fault, and other measures.

    scored: the measures that some faults go by; extra: (measure, title, unit).
    """
    scores = fault_scores(series) | {name: series[measure] for name, measure in scored.items() if measure in series}
    found = [
        _lane(fault.name, fault.title, fault.unit, scores.get(fault.name), fault.threshold)
        for fault in faults
        if fault.name in scores or fault in FAULTS
    ]
    found += [_lane(name, title, unit, series[name], None) for name, title, unit in extra if name in series]
    return found


def _lane(name: str, title: str, unit: str, values: FloatArray | None, threshold: float | None) -> dict[str, Any]:
    kept = [] if values is None else _thinned(values)
    return {"name": name, "title": title, "unit": unit, "threshold": threshold, "values": kept}


def lane_seconds(series: Series) -> list[float]:
    """The times of a lane's values."""
    return [round(float(one), 3) for one in series.seconds[:: _stride(len(series))]]


def _stride(count: int) -> int:
    return max(1, math.ceil(count / _MOST_VALUES))


def _thinned(values: FloatArray) -> list[float | None]:
    stride = _stride(len(values))
    pools = [values[start : start + stride] for start in range(0, len(values), stride)]
    known = [pool[np.isfinite(pool)] for pool in pools]
    return [round(float(pool.max()), 4) if len(pool) else None for pool in known]


def trails_view(trails: Sequence[Trail]) -> list[list[list[float]]]:
    """The ways of peaks: [x, y] in frame widths, oldest first."""
    return [[[round(x, 4), round(y, 4)] for x, y in trail.places] for trail in trails]


def tokens_view(detail: Detail, now_seconds: float) -> dict[str, Any]:
    """The gate's open tokens of a still, and what each looked at."""
    return {
        "shape": list(detail.gate_score.shape),
        "index": detail.token_index.tolist(),
        "open": _rounded(detail.openness, 2),
        "when": [round(float(one) - now_seconds, 3) for one in detail.when_seconds],
        "profile": [_rounded(row, 3) for row in detail.profile],
        "places": [
            [[int(when), *_rounded(place, 3), round(float(share), 3)] for when, place, share in zip(*token, strict=True)]
            for token in zip(detail.top_when, detail.top_place, detail.top_share, strict=True)
        ],
        "temporal_percent": round(detail.temporal_percent, 1),
    }


def _rounded(values: FloatArray, digits: int) -> list[float]:
    return [round(float(one), digits) for one in values]
