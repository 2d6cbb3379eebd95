"""Bjøntegaard deltas between two rate-distortion curves, their mean over clips, and the reason where there is none.

The interpolation is the package `bjontegaard`'s (Herglotz et al., "The Bjøntegaard bible", IEEE TIP 33, 2024): Akima, with
PCHIP beside it. Percentages: negative = saving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stcodec.errors import StcodecError

MIN_POINTS = 4
"""Least number of points, from Bjøntegaard's own proposal (VCEG-M33): fewer leave the curve to the interpolation."""
MIN_OVERLAP = 0.5
"""Share of the union of the two ranges that both curves must cover."""

RealArray = NDArray[np.float64]


@dataclass(frozen=True)
class Delta:
    """The mean distance of a test curve from the anchor's; None with a reason if it can't be told."""

    value: float | None
    """By Akima interpolation: % of the anchor's rate (BD-rate), or the metric's own unit (BD-PSNR)."""
    pchip: float | None
    """The same by PCHIP: far from `value`, the points are too few or too rough."""
    overlap: float
    """Range that both curves cover as a share of the union of their ranges, in [0, 1] (0 if it can't be told)."""
    reason: str | None = None
    """Reason why there is no value."""


@dataclass(frozen=True)
class Interval:
    """A mean over clips with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    clips: int


def bd_rate(
    anchor_kbps: Sequence[float],
    anchor_quality: Sequence[float],
    test_kbps: Sequence[float],
    test_quality: Sequence[float],
    min_overlap: float = MIN_OVERLAP,
) -> Delta:
    """BD-rate in %, negative = the test saves bits at equal quality; overlap is that of the ranges of quality.

    Points in any order; quality is any metric that grows with quality. No number (see `Delta.reason`) with fewer than 4
    points a curve, values that are not finite, rates of 0, a curve whose quality does not rise strictly with its rate, or
    an overlap below `min_overlap`.
    """
    return _delta(_OVER_QUALITY, (anchor_kbps, anchor_quality), (test_kbps, test_quality), min_overlap)


def bd_quality(
    anchor_kbps: Sequence[float],
    anchor_quality: Sequence[float],
    test_kbps: Sequence[float],
    test_quality: Sequence[float],
    min_overlap: float = MIN_OVERLAP,
) -> Delta:
    """BD-PSNR: the mean gain in quality at equal rate, in the metric's unit, positive = the test is better.

    As `bd_rate`; overlap is that of the ranges of the logarithm of the rate.
    """
    return _delta(_OVER_RATE, (anchor_kbps, anchor_quality), (test_kbps, test_quality), min_overlap)


def bootstrap(values: Sequence[float], seed: int = 0, draws: int = 10_000) -> Interval:
    """Mean of one value a clip, and the 2.5 and 97.5 percentiles of the means of clips drawn with replacement.

    Raises ValueError if there are no values. One clip gives an interval of no width.
    """
    if not len(values):
        raise ValueError("there are no clips to take the mean of")
    known = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(known), (draws, len(known)))
    low, high = np.percentile(known[drawn].mean(axis=1), [2.5, 97.5])
    return Interval(float(known.mean()), float(low), float(high), len(known))


def share_of_saving(arm_percent: float, human_percent: float) -> float | None:
    """The share of the human arm's saving that an arm realises: 1 = all of it; None if the human arm saves nothing."""
    return arm_percent / human_percent if human_percent < 0 else None


def check_sign() -> None:
    """Raises StcodecError unless half the rate at equal quality reads -50 %, and the double +100 %."""
    kbps, quality = np.array([500.0, 1000.0, 2000.0, 4000.0, 8000.0]), np.array([30.0, 33.0, 36.0, 39.0, 42.0])
    for factor, expected in ((0.5, -50.0), (2.0, 100.0)):
        found = bd_rate(kbps.tolist(), quality.tolist(), (kbps * factor).tolist(), quality.tolist())
        for value in (found.value, found.pchip):
            if value is None or abs(value - expected) > 1e-6:
                raise StcodecError(
                    f"the self-test of BD-rate failed: {factor:g} times the rate reads {value} %, not {expected:g} %: "
                    "reinstall the package bjontegaard"
                )


class _Kind(NamedTuple):
    """One of the two deltas."""

    function: str
    """Its name in the package."""
    ranges: str
    """Axis of integration, for messages."""
    along: Callable[[RealArray], RealArray]
    """The same, [N], of a curve [N, 2]."""


_OVER_QUALITY = _Kind("bd_rate", "qualities", lambda curve: curve[:, 1])
_OVER_RATE = _Kind("bd_psnr", "rates", lambda curve: np.log(curve[:, 0]))

_Points = tuple[Sequence[float], Sequence[float]]
"""kbps and quality."""


def _delta(kind: _Kind, anchor_points: _Points, test_points: _Points, min_overlap: float) -> Delta:
    import bjontegaard

    curves = []
    for name, points in (("anchor", anchor_points), ("test", test_points)):
        curve = np.array(sorted(zip(*points, strict=True)), np.float64).reshape(-1, 2)
        fault = _fault(curve)
        if fault is not None:
            return Delta(None, None, 0.0, f"the {name} curve {fault}")
        curves.append(curve)
    anchor, test = curves
    overlap = _overlap(kind.along(anchor), kind.along(test))
    if overlap == 0 or overlap < min_overlap:
        needed = f"{min_overlap:.0%} are needed" if min_overlap > 0 else "some is needed"
        return Delta(None, None, overlap, f"the {kind.ranges} of the curves overlap by {overlap:.0%}: {needed}")
    function = getattr(bjontegaard, kind.function)
    akima, pchip = (
        float(function(*anchor.T, *test.T, method=method, require_matching_points=False, min_overlap=0))
        for method in ("akima", "pchip")
    )
    return Delta(akima, pchip, overlap)


def _fault(curve: RealArray) -> str | None:
    """Reason why a curve [N, 2] of kbps and quality, sorted by rate, is unusable."""
    if len(curve) < MIN_POINTS:
        return f"has {len(curve)} points: {MIN_POINTS} are needed"
    if not np.isfinite(curve).all():
        return "has values that are not finite"
    if curve[0, 0] <= 0:
        return "has a rate that is not positive"
    if np.any(np.diff(curve, axis=0) <= 0):
        return "does not rise: its quality must grow with its rate from point to point"
    return None


def _overlap(anchor: RealArray, test: RealArray) -> float:
    common = min(anchor[-1], test[-1]) - max(anchor[0], test[0])
    return float(max(0.0, common) / (max(anchor[-1], test[-1]) - min(anchor[0], test[0])))
