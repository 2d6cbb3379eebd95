"""Statistics of pair tests, and which excerpts are shown in which order."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from stcodec.evaluate import CompareOptions
from stcodec.viewing.excerpts import VideoContent, choose_excerpts
from stcodec.viewing.statistics import answers_needed, bradley_terry, pearson, power, sign_test, spearman, wilson
from stcodec.viewing.trials import PLANS, make_plans, make_trials

SIZE = (96, 64)
PSNR = CompareOptions(metrics=("psnr",), jobs=1)

# --- statistics -------------------------------------------------------------------------------------------------------


def test_wilson_is_as_published() -> None:
    """Newcombe 1998, table I: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0, 0.1611), abs=5e-5)


@given(st.integers(1, 300), st.data())
def test_wilson_mirrors(answers: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, answers))
    one, other = wilson(wins, answers), wilson(answers - wins, answers)
    assert one.low <= one.value <= one.high
    assert one == pytest.approx((1 - other.value, 1 - other.high, 1 - other.low))


def test_the_sign_test_is_exact() -> None:
    assert sign_test(9, 10) == pytest.approx(2 * 11 / 1024)
    assert sign_test(5, 10) == 1
    assert sign_test(0, 6) == pytest.approx(2 / 64)


def test_power_is_what_happens() -> None:
    wins = np.random.default_rng(1).binomial(40, 0.7, 20_000)
    found = np.mean([sign_test(int(one), 40) <= 0.05 and one > 20 for one in wins])
    assert power(40, 0.7) == pytest.approx(found, abs=0.01)


def test_answers_needed_is_the_least_number_that_suffices() -> None:
    for share in (0.65, 0.75, 0.9):
        needed = answers_needed(share)
        assert power(needed - 1, share) < 0.8
        assert all(power(more, share) >= 0.8 for more in range(needed, needed + 40))
    with pytest.raises(ValueError, match=r"0\.5: 0\.505 to 1"):
        answers_needed(0.5)


def test_bradley_terry_finds_what_made_the_answers() -> None:
    """2000 answers to each two, in the shares that strengths of 4, 2 and 1 give."""
    strength = np.array([4.0, 2.0, 1.0])
    wins = 2000 * strength[:, None] / (strength[:, None] + strength)
    np.fill_diagonal(wins, 0)
    found = bradley_terry(wins)
    mean = strength.prod() ** (1 / 3)
    assert [one.value for one in found] == pytest.approx(list(strength / (strength + mean)), abs=2e-3)
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        drawn = np.zeros((3, 3))
        for one, other in ((0, 1), (0, 2), (1, 2)):
            drawn[one, other] = rng.binomial(60, strength[one] / (strength[one] + strength[other]))
            drawn[other, one] = 60 - drawn[one, other]
        range_ = bradley_terry(drawn)[0]
        held += range_.low <= strength[0] / (strength[0] + mean) <= range_.high
    assert 0.91 <= held / 200 <= 0.99
    never_lost = bradley_terry(np.array([[0, 10, 10], [0, 0, 5], [0, 5, 0.0]]))
    assert 0.85 < never_lost[0].value < 1
    with pytest.raises(ValueError, match="never compared"):
        bradley_terry(np.array([[0, 3, 0], [1, 0, 0], [0, 0, 0.0]]))


def test_correlations() -> None:
    one, other = [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0, 50.0]
    line, ranks = pearson(one, other), spearman(one, other)
    assert line is not None and ranks is not None
    assert line.value == pytest.approx(np.corrcoef(one, other)[0, 1]) and ranks.value == pytest.approx(1)
    assert line.low == pytest.approx(math.tanh(math.atanh(line.value) - 1.959964 / math.sqrt(2)), abs=1e-6)
    tied = spearman([1, 1, 2, 3], [1, 2, 2, 3])
    assert tied is not None and tied.value == pytest.approx(np.corrcoef([0.5, 0.5, 2, 3], [0, 1.5, 1.5, 3])[0, 1])
    assert pearson([1, 2, 3], [1, 2, 3]) is None and pearson(one, [1.0] * 5) is None


# --- excerpts and orders ----------------------------------------------------------------------------------------------


def content(seconds: float, cuts: list[float], flat: tuple[float, float] = (-1, -1)) -> VideoContent:
    times = np.arange(round(25 * seconds)) / 25
    starts = np.isin(np.round(times, 3), [0.0, *cuts])
    return VideoContent(times, starts, (times >= flat[0]) & (times < flat[1]))


def test_excerpts_lie_all_over_the_video_and_avoid_cuts_and_black() -> None:
    seen = content(100, cuts=[3.0, 20.0, 21.0, 50.0, 62.0, 75.0], flat=(25, 37))
    found = choose_excerpts(seen, 8, 4)
    assert [one.start_seconds // 25 for one in found] == [0, 1, 2, 3]
    assert [one.frames for one in found] == [200] * 4 and [one.seconds for one in found] == pytest.approx([8] * 4)
    assert [one.cuts for one in found] == [0] * 4
    assert found[0].start_seconds == 3 and found[3].start_seconds == 75  # with their shots
    assert found[1].start_seconds >= 37
    assert all(one.end_frame <= other.first_frame for one, other in pairwise(found))


def test_short_videos() -> None:
    assert len(choose_excerpts(content(20, []), 8, 8)) == 2
    (whole,) = choose_excerpts(content(3, []), 8, 8)
    assert (whole.first_frame, whole.frames) == (0, 75)
    slides = VideoContent(np.array([0.0, 2.0, 4.0]), np.array([True] * 3), np.array([False] * 3))
    found = choose_excerpts(slides, 1, 6)
    assert [(one.first_frame, one.frames) for one in found] == [(0, 1), (1, 1), (2, 1)]
    (picture,) = choose_excerpts(VideoContent(np.zeros(1), np.ones(1, bool), np.zeros(1, bool)), 8, 8)
    assert (picture.first_frame, picture.frames) == (0, 1)


@pytest.mark.parametrize(("candidates", "excerpts"), [(2, 8), (2, 1), (3, 4)])
def test_orders_are_blind_and_even(candidates: int, excerpts: int) -> None:
    rng = np.random.default_rng(3)
    trials = make_trials(candidates, excerpts, rng)
    kinds = Counter(trial.kind for trial in trials)
    pairs = excerpts * math.comb(candidates, 2)
    assert kinds["pair"] == pairs and kinds["practice"] == 1 and kinds["same"] >= 1 and kinds["repeat"] >= 1
    plans = make_plans(trials, rng)
    assert len(plans) == PLANS
    for number, plan in enumerate(plans):
        assert plan[0].trial.kind == "practice"
        assert sorted(showing.trial.id for showing in plan) == sorted(trial.id for trial in trials)
        shown = {showing.trial.id: showing for showing in plan}
        places = {showing.trial.id: place for place, showing in enumerate(plan)}
        for showing in plan:
            if showing.trial.of:
                assert showing.first == shown[showing.trial.of].second
                assert pairs < 8 or abs(places[showing.trial.id] - places[showing.trial.of]) >= 4
        if number % 2:
            before = {showing.trial.id: showing for showing in plans[number - 1]}
            assert all(one.first == before[name].second for name, one in shown.items())
    assert len({tuple(showing.trial.id for showing in plan) for plan in plans}) > 1
    again = make_plans(trials, np.random.default_rng(3))
    assert again == make_plans(trials, np.random.default_rng(3))
