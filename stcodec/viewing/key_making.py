"""The key of a pair test that was made."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from stcodec.evaluate.catalogue import pooled
from stcodec.evaluate.results import Evaluation, Metric
from stcodec.media.paths import display_name
from stcodec.viewing.excerpts import Excerpt
from stcodec.viewing.key import Key, KeyMetric
from stcodec.viewing.options import PairTestOptions
from stcodec.viewing.trials import Trial, secret_id


def key_of_test(
    results: Evaluation,
    excerpts: Sequence[Excerpt],
    ids: Sequence[Sequence[str]],
    trials: Sequence[Trial],
    options: PairTestOptions,
    command: str,
    lines: Sequence[str],
    least: Sequence[Sequence[float]],
) -> Key:
    """The key of a test: names, files and trials, each excerpt's scores, and the facts of how it was made."""
    metrics = results.metrics
    scores = tuple(
        tuple(_scores(curve.points[0].series, excerpt, metrics) for curve in results.curves) for excerpt in excerpts
    )
    facts = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": display_name(command),
        "reference": results.clips[0].path,
        "kbps": [round(curve.points[0].kbps, 3) for curve in results.curves],
        "settings": {**results.settings, **{f"ab-{name}": value for name, value in asdict(options).items()}},
        "excerpts": [asdict(excerpt) for excerpt in excerpts],
        "least_psnr_db": [[round(one, 2) if math.isfinite(one) else None for one in row] for row in least],
        "messages": list(lines),
    }
    return Key(
        test=secret_id(),
        names=tuple(arm.name for arm in results.arms),
        files={name: (excerpt, place) for excerpt, row in enumerate(ids) for place, name in enumerate(row)},
        trials={trial.id: trial for trial in trials},
        metrics=tuple(KeyMetric(one.name, one.label, one.unit, one.higher_is_better, one.decimals) for one in metrics),
        scores=scores,
        facts=facts,
    )


def _scores(
    series: Mapping[str, Sequence[float | None]], excerpt: Excerpt, metrics: Sequence[Metric]
) -> dict[str, float | None]:
    """Each metric over an excerpt's frames, pooled as over a whole clip; None where no frame has a finite value."""
    scores: dict[str, float | None] = {}
    for metric in metrics:
        frames = series.get(metric.name, ())[excerpt.first_frame : excerpt.end_frame]
        known = [value for value in frames if value is not None]
        # PSNR is pooled over squared errors, and these are what `pooled` takes.
        raw = [255**2 / 10 ** (value / 10) for value in known] if metric.unit == "dB" and _is_psnr(metric) else known
        score = pooled(metric.name, raw)[metric.name]
        scores[metric.name] = round(score, 6) if math.isfinite(score) else None
    return scores


def _is_psnr(metric: Metric) -> bool:
    return metric.name.startswith("psnr")
