"""BD-rate: its sign, curves with a known answer, curves that have none, and the mean over clips."""

from __future__ import annotations

import math

import numpy as np
import pytest
from clips import FIXED_SETTINGS
from hypothesis import given, strategies as st

from stcodec.errors import StcodecError
from stcodec.metrics.bd import Delta, bd_quality, bd_rate, bootstrap, check_sign, share_of_saving

KBPS = [600.0, 1000.0, 1700.0, 3100.0, 5800.0]
PSNR = [31.0, 33.4, 35.6, 37.9, 40.1]


def scaled(factor: float) -> list[float]:
    return [rate * factor for rate in KBPS]


def test_half_the_rate_at_equal_quality_is_minus_fifty_percent() -> None:
    check_sign()
    assert bd_rate(KBPS, PSNR, scaled(0.5), PSNR).value == pytest.approx(-50)


@pytest.mark.parametrize("turned", [lambda found: -found, lambda found: found / 100])
def test_a_package_with_another_sign_or_unit_is_noticed(turned: object, monkeypatch: pytest.MonkeyPatch) -> None:
    import bjontegaard

    true = bjontegaard.bd_rate
    monkeypatch.setattr(bjontegaard, "bd_rate", lambda *curves, **options: turned(true(*curves, **options)))  # type: ignore[operator]
    with pytest.raises(StcodecError, match="self-test of BD-rate failed"):
        check_sign()


@FIXED_SETTINGS
@given(st.floats(0.2, 5), st.permutations(range(5)))
def test_a_factor_of_rate_is_found_whatever_the_order_of_the_points(factor: float, order: list[int]) -> None:
    found = bd_rate(KBPS, PSNR, [scaled(factor)[i] for i in order], [PSNR[i] for i in order])
    assert found.value == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert found.pchip == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert (found.overlap, found.reason) == (1, None)


@FIXED_SETTINGS
@given(st.floats(-3, 3))
def test_a_step_of_quality_is_found_at_equal_rate(step: float) -> None:
    found = bd_quality(KBPS, PSNR, KBPS, [value + step for value in PSNR])
    assert found.value == pytest.approx(step, abs=1e-9)
    assert found.pchip == pytest.approx(step, abs=1e-9)
    assert found.overlap == 1


def test_straight_curves_give_the_integral() -> None:
    # log2(rate) = quality against log2(rate) = quality / 2 + 16, over qualities 30 to 34: -1 to +1, so 0 on average.
    anchor, test = [30.0, 31.0, 32.0, 33.0, 34.0], [29.0, 30.0, 32.0, 34.0, 36.0]
    found = bd_rate([2**q for q in anchor], anchor, [2 ** (q / 2 + 16) for q in test], test)
    assert found.value == pytest.approx(0, abs=1e-6)
    assert found.overlap == pytest.approx(4 / 7)
    gain = bd_quality([2**q for q in anchor], anchor, [2 ** (q / 2 + 16) for q in test], test)
    # At equal log2(rate) r from 30.5 to 34 the test has 2 r - 32 against r.
    assert gain.value == pytest.approx(np.mean([30.5, 34]) - 32, abs=1e-6)
    assert gain.overlap == pytest.approx(3.5 / 4)


def test_different_numbers_of_points_are_no_hindrance() -> None:
    assert bd_rate(KBPS, PSNR, scaled(0.8)[:4], PSNR[:4]).value == pytest.approx(-20, abs=0.02)


def changed(values: list[float], index: int, value: float) -> list[float]:
    return [*values[:index], value, *values[index + 1 :]]


@pytest.mark.parametrize(
    ("rates", "qualities", "says"),
    [
        (KBPS[:3], PSNR[:3], "the test curve has 3 points: 4 are needed"),
        ([], [], "the test curve has 0 points"),
        (KBPS, changed(PSNR, 4, math.inf), "the test curve has values that are not finite"),
        (changed(KBPS, 2, math.nan), PSNR, "the test curve has values that are not finite"),
        (changed(KBPS, 0, 0.0), PSNR, "the test curve has a rate that is not positive"),
        (KBPS, changed(PSNR, 2, 33.0), "the test curve does not rise"),
        (KBPS, changed(PSNR, 4, PSNR[3]), "the test curve does not rise"),
        (changed(KBPS, 1, KBPS[0]), PSNR, "the test curve does not rise"),
        (KBPS, [value + 20 for value in PSNR], "overlap by 0%: 50% are needed"),
        (KBPS, [value + 5 for value in PSNR], "overlap by 29%: 50% are needed"),
    ],
)
def test_curves_without_an_answer_give_the_reason(rates: list[float], qualities: list[float], says: str) -> None:
    found = bd_rate(KBPS, PSNR, rates, qualities)
    assert (found.value, found.pchip) == (None, None)
    assert found.reason is not None
    assert says in found.reason
    turned = bd_rate(rates, qualities, KBPS, PSNR)
    assert turned.value is None
    assert turned.reason == found.reason.replace("test", "anchor")
    if "overlap" not in says:
        assert bd_quality(KBPS, PSNR, rates, qualities).reason == found.reason


def test_rates_that_do_not_overlap_have_no_bd_quality() -> None:
    assert bd_quality(KBPS, PSNR, scaled(20), PSNR).reason == "the rates of the curves overlap by 0%: 50% are needed"
    assert bd_rate(KBPS, PSNR, scaled(20), PSNR).value == pytest.approx(1900)


def test_the_bound_of_the_overlap_can_be_lowered_but_some_is_needed() -> None:
    higher = [value + 5 for value in PSNR]
    assert bd_rate(KBPS, PSNR, KBPS, higher, min_overlap=0.2).value is not None
    assert bd_rate(KBPS, PSNR, KBPS, [value + 20 for value in PSNR], min_overlap=0).reason is not None


def test_lists_of_different_lengths_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        bd_rate(KBPS, PSNR[:4], KBPS, PSNR)


def test_values_are_the_package_s_own() -> None:
    import bjontegaard

    rates, qualities = [500.0, 900.0, 1400.0, 2600.0, 5000.0], [31.5, 33.3, 36.0, 38.0, 40.9]
    found = bd_rate(KBPS, PSNR, rates, qualities)
    for value, method in ((found.value, "akima"), (found.pchip, "pchip")):
        assert value == pytest.approx(bjontegaard.bd_rate(KBPS, PSNR, rates, qualities, method=method), abs=1e-9)
    assert found.value != found.pchip
    assert isinstance(found, Delta)


def test_bootstrap_interval() -> None:
    values = [float(value) for value in np.random.default_rng(2).normal(-20, 6, 40)]
    found = bootstrap(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.clips == 40
    half = 1.96 * np.std(values) / math.sqrt(40)
    assert (found.mean - found.low, found.high - found.mean) == pytest.approx((half, half), rel=0.1)
    assert found == bootstrap(values), "the same seed gives the same interval"
    assert found != bootstrap(values, seed=1)
    one = bootstrap([-7.0])
    assert (one.mean, one.low, one.high, one.clips) == (-7, -7, -7, 1)
    with pytest.raises(ValueError, match="no clips"):
        bootstrap([])


def test_share_of_the_human_saving() -> None:
    assert share_of_saving(-20, -40) == 0.5
    assert share_of_saving(5, -40) == -0.125
    assert share_of_saving(-20, 0) is None
    assert share_of_saving(-20, 3) is None
