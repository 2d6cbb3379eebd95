"""The per-frame values of each clip, small enough for a page: rounded, and thinned out where a clip is long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stcodec.evaluate.results import ClipInfo, Curve, Evaluation, Metric

MAX_INSTANTS = 600
"""Values of a series in the page; of a longer clip each value is the worst of several frames in a row."""
_WORST_SHARE = 0.05


def series_blocks(results: Evaluation) -> dict[str, Any]:
    """A block of data for each clip that has series, by the page's name of it: "series-0" is that of the first clip."""
    blocks = {}
    for index, clip in enumerate(results.clips):
        curves = [one for one in results.curves if one.clip == clip.name and any(point.series for point in one.points)]
        if curves:
            blocks[f"series-{index}"] = _clip_block(clip, curves, results.metrics)
    return blocks


def _clip_block(clip: ClipInfo, curves: Sequence[Curve], metrics: Sequence[Metric]) -> dict[str, Any]:
    stride = max(1, math.ceil(len(clip.seconds) / MAX_INSTANTS))
    starts = range(0, len(clip.seconds), stride)
    return {
        "stride": stride,
        "seconds": [round(clip.seconds[start], 3) for start in starts],
        "scored": [any(clip.scored[start : start + stride]) for start in starts],
        "curves": [
            {
                "encoder": curve.encoder,
                "arm": curve.arm,
                "self_weighted": curve.self_weighted,
                "points": [
                    {
                        "crf": point.crf,
                        "kbps": point.kbps,
                        "series": {
                            metric.name: _series(point.series[metric.name], clip.scored, metric, stride)
                            for metric in metrics
                            if metric.name in point.series
                        },
                    }
                    for point in curve.points
                ],
            }
            for curve in curves
        ],
    }


def _series(values: Sequence[float | None], scored: Sequence[bool], metric: Metric, stride: int) -> dict[str, Any]:
    """The values, each the worst of `stride` frames, and the value that bounds the worst 5 % of the scored frames."""
    known = [value if value is not None and math.isfinite(value) else None for value in values]
    worst_of = min if metric.higher_is_better else max
    pools = [[one for one in known[start : start + stride] if one is not None] for start in range(0, len(known), stride)]
    worst_first = sorted(
        (value for value, counts in zip(known, scored, strict=False) if counts and value is not None),
        reverse=not metric.higher_is_better,
    )
    count = max(1, round(len(worst_first) * _WORST_SHARE)) if worst_first else 0
    return {
        "values": [round(worst_of(pool), metric.decimals) if pool else None for pool in pools],
        "worst": round(worst_first[count - 1], metric.decimals) if count else None,
    }
