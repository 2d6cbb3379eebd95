"""Results from the points of all curves: BD-rates clip by clip, their means, the share of the ceiling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from stcodec.evaluate.catalogue import frame_scores, pooled
from stcodec.evaluate.results import HUMAN, PLAIN, Arm, Curve, Headline, Metric, Point, Saving
from stcodec.metrics.bd import bd_quality, bd_rate, bootstrap, share_of_saving

LEAST_OVERLAP = 0.25
"""Of the curves' ranges of quality. At equal CRF attention lowers whole-frame quality by some dB, so that these curves
share less than half of their ranges; to leave out the clips where it does so most would flatter the mean."""


def scores_of(raw: Mapping[str, Sequence[float]], scored: Sequence[bool]) -> dict[str, float | None]:
    """Pooled scores of a clip from the raw values of its frames, [T] each; scored: [T], False = left out."""
    scores: dict[str, float | None] = {}
    for metric, values in raw.items():
        kept = [value for value, counts in zip(values, scored, strict=True) if counts]
        scores |= {name: _known(score) for name, score in pooled(metric, kept).items()}
    return scores


def series_of(raw: Mapping[str, Sequence[float]]) -> dict[str, tuple[float | None, ...]]:
    """Each frame's value by metric."""
    return {metric: tuple(map(_known, frame_scores(metric, values))) for metric, values in raw.items()}


def savings(curves: Sequence[Curve], metrics: Sequence[Metric]) -> tuple[Saving, ...]:
    """Every curve but the plain ones against the plain one of its clip and encoder, in all metrics that BD-rates are of."""
    plain = {(curve.clip, curve.encoder): curve for curve in curves if curve.arm == PLAIN}
    found = []
    for curve in curves:
        anchor = plain.get((curve.clip, curve.encoder))
        if curve.arm != PLAIN:
            found += [_saving(anchor, curve, metric) for metric in metrics if metric.higher_is_better]
    return tuple(found)


def headlines(
    found: Sequence[Saving], encoders: Sequence[str], arms: Sequence[Arm], metrics: Sequence[Metric]
) -> tuple[Headline, ...]:
    """The means over clips, by encoder, arm and metric."""
    lines = []
    for encoder in encoders:
        for metric in metrics:
            of_metric = [one for one in found if one.encoder == encoder and one.metric == metric.name]
            human = [one for one in of_metric if one.arm == HUMAN]
            for arm in arms:
                of_arm = [one for one in of_metric if one.arm == arm.name]
                if of_arm:
                    lines.append(_headline(of_arm, human))
    return tuple(lines)


def best_arm(lines: Iterable[Headline], encoder: str, metric: str) -> str | None:
    """The arm that saves most at equal quality; the human one only if no other has a BD-rate, none that is self-weighted."""
    known = [
        (line.bd_rate_percent, line.arm)
        for line in lines
        if (line.encoder, line.metric, line.self_weighted) == (encoder, metric, False) and line.bd_rate_percent is not None
    ]
    models = [one for one in known if one[1] != HUMAN]
    return min(models or known, default=(None, None))[1]


def leading_arm(lines: Sequence[Headline], arms: Iterable[str], encoder: str, metric: str) -> str | None:
    """The arm that a report leads with: the best one, else the first that was compared and is not human, else human.

    None if no arm is compared with the plain one under this encoder.
    """
    compared = {line.arm for line in lines if line.encoder == encoder}
    names = sorted((arm for arm in arms if arm in compared and arm != PLAIN), key=lambda arm: arm == HUMAN)
    return best_arm(lines, encoder, metric) or next(iter(names), None)


def _saving(anchor: Curve | None, curve: Curve, metric: Metric) -> Saving:
    def refused(why: str, overlap: float | None = None) -> Saving:
        named = (curve.clip, curve.encoder, curve.arm, metric.name, curve.self_weighted and metric.region != "whole")
        return Saving(*named, None, None, None, overlap, why)

    if anchor is None:
        return refused("the plain arm has no points")
    ours, theirs = _points(curve, metric.name), _points(anchor, metric.name)
    rate = bd_rate(*theirs, *ours, min_overlap=LEAST_OVERLAP)
    if rate.value is None:
        return refused(rate.reason or "no BD-rate could be made", rate.overlap)
    quality = bd_quality(*theirs, *ours, min_overlap=LEAST_OVERLAP)
    return Saving(
        curve.clip,
        curve.encoder,
        curve.arm,
        metric.name,
        curve.self_weighted and metric.region != "whole",
        rate.value,
        rate.pchip,
        quality.value,
        rate.overlap,
    )


def _points(curve: Curve, metric: str) -> tuple[list[float], list[float]]:
    """Rates and qualities of the points that have the metric."""
    pairs = [(point.kbps, score) for point in curve.points if (score := point.scores.get(metric)) is not None]
    return [kbps for kbps, _ in pairs], [score for _, score in pairs]


def _headline(of_arm: Sequence[Saving], human: Sequence[Saving]) -> Headline:
    one = of_arm[0]
    counted = [saving for saving in of_arm if saving.bd_rate_percent is not None]
    rates = [saving.bd_rate_percent for saving in counted if saving.bd_rate_percent is not None]
    interval = bootstrap(rates) if len(rates) > 1 else None
    return Headline(
        encoder=one.encoder,
        arm=one.arm,
        metric=one.metric,
        self_weighted=any(saving.self_weighted for saving in of_arm),
        bd_rate_percent=_mean(rates),
        bd_rate_pchip_percent=_mean(saving.bd_rate_pchip_percent for saving in counted),
        low_percent=None if interval is None else interval.low,
        high_percent=None if interval is None else interval.high,
        bd_quality=_mean(saving.bd_quality for saving in counted),
        clips=len(counted),
        refused=tuple(f"{saving.clip}: {saving.refused}" for saving in of_arm if saving.refused),
        share_of_human=_share(counted, human),
    )


def _share(counted: Sequence[Saving], human: Sequence[Saving]) -> float | None:
    """The mean saving as a share of the human arm's, over the clips that both have."""
    ours = {saving.clip: saving.bd_rate_percent for saving in counted}
    theirs = {saving.clip: saving.bd_rate_percent for saving in human if saving.bd_rate_percent is not None}
    both = ours.keys() & theirs.keys()
    mine, ceiling = _mean(ours[clip] for clip in both), _mean(theirs[clip] for clip in both)
    return None if mine is None or ceiling is None else share_of_saving(mine, ceiling)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def by_rate(points: Iterable[Point]) -> tuple[Point, ...]:
    """Points by rising bitrate."""
    return tuple(sorted(points, key=lambda point: point.kbps))
