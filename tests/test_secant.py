"""The search along QP: it finds the place, asks for no point twice, and says where it can't."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from clips import FIXED_SETTINGS
from hypothesis import example, given, strategies as st

from stcodec.matching.secant import Secant


def searched(difference: Callable[[float], float], **settings: float) -> Secant:
    chosen = {"start": 0.0, "low": -12.0, "high": 12.0, "slope": 0.5, "tolerance": 0.05, **settings}
    secant = Secant(**chosen, most=6)  # type: ignore[arg-type]
    asked = []
    while (qp := secant.next()) is not None:
        assert qp not in asked
        asked.append(qp)
        secant.add(qp, difference(qp))
    assert 1 <= len(asked) <= 6
    return secant


@FIXED_SETTINGS
@given(st.floats(-11, 11), st.floats(0.2, 1.4), st.floats(-0.02, 0.02))
def test_smooth_curves_take_few_points(zero: float, slope: float, bend: float) -> None:
    def difference(qp: float) -> float:
        return slope * (zero - qp) + bend * (zero - qp) * abs(zero - qp) * slope

    secant = searched(difference)
    assert abs(difference(secant.best())) <= 0.06
    assert len(secant.points) <= 4


@FIXED_SETTINGS
@given(st.floats(-11, 11), st.floats(0.3, 1.0), st.integers(0, 1000))
@example(zero=0.5, slope=0.5, seed=324)  # two near points on one side of it, both a good deal off
def test_noise_is_lived_with(zero: float, slope: float, seed: int) -> None:
    """Encodes differ by some hundredths of a dB for no reason."""
    noise = np.random.default_rng(seed)
    secant = searched(lambda qp: slope * (zero - qp) + float(noise.normal(0, 0.03)))
    assert abs(slope * (zero - secant.best())) <= 0.2


def test_a_curve_in_steps() -> None:
    """QPs are whole numbers in the end: the difference jumps."""
    secant = searched(lambda qp: 0.5 * (2.3 - np.floor(qp)))
    assert 1.9 <= secant.best() <= 3.1


@pytest.mark.parametrize(("zero", "end"), [(-30, -12), (30, 12)])
def test_what_lies_beyond_the_range(zero: float, end: float) -> None:
    secant = searched(lambda qp: 0.5 * (zero - qp))
    assert secant.best() == end
    assert secant.expected(end) == pytest.approx(0.5 * (zero - end))
    assert len(secant.points) <= 4


def test_flat_quality() -> None:
    """Black pictures are perfect at any QP: nothing to search, nothing to shift."""
    secant = searched(lambda qp: 0.0)
    assert list(secant.points) == [0.0]
    assert secant.best() == 0.0


def test_whole_steps() -> None:
    secant = searched(lambda qp: 0.25 * (3.4 - qp), step=1.0)
    assert secant.best() == 3.0
    assert all(qp == round(qp) for qp in secant.points)
