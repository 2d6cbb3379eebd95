"""Match of a test's files: a preference speaks of an encoder only at equal rate or equal quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from stcodec.evaluate.results import Evaluation, Metric, Point

RATE_TOLERANCE_PERCENT = 3.0
QUALITY_TOLERANCES = {"dB": 0.15, "JOD": 0.1, "": 0.5}
"""Differences that hardly anybody sees, by unit; of SSIM 0.002."""
_SSIM_TOLERANCE = 0.002


@dataclass(frozen=True)
class Matching:
    """Two files of a test, the second against the first."""

    candidates: tuple[int, int]
    rate_percent: float
    """Difference in rate."""
    quality: dict[str, float]
    """Differences by metric, over the whole video."""
    matched_by: tuple[str, ...]
    """"rate" and names of metrics."""

    @property
    def is_matched(self) -> bool:
        """Whether anything is equal, so that the rest can be compared."""
        return bool(self.matched_by)


def matchings(results: Evaluation) -> list[Matching]:
    """The match of each two files."""
    points = [curve.points[0] for curve in results.curves]
    return [
        _matching((one, other), points[one], points[other], results.metrics)
        for one, other in combinations(range(len(points)), 2)
    ]


def matching_lines(found: Sequence[Matching], names: Sequence[str], metrics: Sequence[Metric]) -> list[str]:
    """Lines for people: how each two are matched, or a warning."""
    labels = {metric.name: metric for metric in metrics}
    lines = []
    for one in found:
        first, second = (names[place] for place in one.candidates)
        whole = next((name for name in ("vmaf-whole", *one.quality) if name in one.quality), None)
        quality = f", {one.quality[whole]:+.2f} {labels[whole].label}" if whole else ""
        text = f"{second} against {first}: {one.rate_percent:+.1f} % rate{quality}"
        by = ", ".join(labels[name].label if name in labels else name for name in one.matched_by)
        if one.is_matched:
            lines.append(f"{text}; matched in {by}")
        else:
            lines.append(
                f"{text}; warning: matched neither in rate (within {RATE_TOLERANCE_PERCENT:g} %) nor in quality, so that "
                "who is preferred may only have had more bits: encode one of them again (--bitrate, --match-crf)"
            )
    return lines


def _matching(candidates: tuple[int, int], one: Point, other: Point, metrics: Sequence[Metric]) -> Matching:
    rate = 100 * (other.kbps / one.kbps - 1)
    quality = {}
    for metric in metrics:
        ours, theirs = one.scores.get(metric.name), other.scores.get(metric.name)
        if ours is not None and theirs is not None:
            quality[metric.name] = theirs - ours
    looked_at = [metric for metric in metrics if metric.region != "background" and metric.name in quality]
    equal = [metric.name for metric in looked_at if abs(quality[metric.name]) <= _tolerance(metric)]
    by = (*(("rate",) if abs(rate) <= RATE_TOLERANCE_PERCENT else ()), *equal)
    return Matching(candidates, rate, quality, by)


def _tolerance(metric: Metric) -> float:
    return _SSIM_TOLERANCE if metric.name.startswith("ssim") else QUALITY_TOLERANCES[metric.unit]
