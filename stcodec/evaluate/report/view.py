"""Parts of an evaluation, besides series and pictures, as plain values for the page's JSON.

Keys are the fields' names of `stcodec.evaluate.results`, so that the page's scripts and results.json speak alike.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from stcodec.evaluate.results import ClipInfo, Evaluation, Headline, Saving
from stcodec.evaluate.summary import leading_arm
from stcodec.web.page import finite


def page_data(results: Evaluation) -> dict[str, Any]:
    """The page's first block of data."""
    encoders = list(dict.fromkeys(curve.encoder for curve in results.curves)) or [""]
    families = _families(results)
    slim = replace(
        results,
        clips=(),
        curves=tuple(
            replace(curve, points=tuple(replace(point, series={}) for point in curve.points)) for curve in results.curves
        ),
        viewers=(),
    )
    data = {
        **asdict(slim),
        "clips": [_clip(clip) for clip in results.clips],
        "viewers": [
            asdict(replace(viewer, frames=()))
            | {"frames": [{"seconds": frame.seconds, "scores": frame.scores} for frame in viewer.frames]}
            for viewer in results.viewers
        ],
        "encoders": encoders,
        "families": families,
        "headline_family": next(
            (index for index, one in enumerate(families) if results.headline_metric in (one["attended"], one["whole"])), 0
        ),
        "main_arms": [
            leading_arm(results.headlines, [arm.name for arm in results.arms], encoder, results.headline_metric)
            for encoder in encoders
        ],
        "has_series": any(point.series for curve in results.curves for point in curve.points),
    }
    return {key: finite(value) for key, value in data.items()}


def _comparisons(results: Evaluation) -> tuple[Headline | Saving, ...]:
    return (*results.headlines, *results.savings)


def _clip(clip: ClipInfo) -> dict[str, Any]:
    return asdict(replace(clip, seconds=(), scored=(), shots=())) | {"frames": len(clip.seconds)}


def _families(results: Evaluation) -> list[dict[str, str | None]]:
    """Each measure by region, those with a BD-rate and the headline's.

    An attended measure without a whole-frame one of its kind is guarded by the first whole-frame measure there is.
    """
    compared = {one.metric for one in _comparisons(results)} | {results.headline_metric}
    metrics = [metric for metric in results.metrics if metric.name in compared and metric.higher_is_better]
    guard = next((metric.name for metric in metrics if metric.region == "whole"), None)
    found: dict[str, dict[str, str | None]] = {}
    for metric in metrics:
        if metric.region == "background":
            continue
        kind = metric.name.removesuffix(f"-{metric.region}")
        family = found.setdefault(kind, {"label": metric.label, "attended": None, "foveated": None, "whole": None})
        family[metric.region] = metric.name
        if metric.region == "whole":
            family["label"] = metric.label
    for family in found.values():
        family["whole"] = family["whole"] or guard
    return list(found.values()) or [{"label": "", "attended": None, "foveated": None, "whole": None}]
