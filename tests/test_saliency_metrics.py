"""Saliency scores: against pysaliency's own (tools/make_saliency_goldens.py), against their definitions written out,
and on maps that say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import FIXED_SETTINGS
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from stcodec.metrics import saliency as scores
from stcodec.qp import BlockAverage
from stcodec.types import BlockGrid

GOLDENS: dict[str, Any] = json.loads((Path(__file__).parent / "goldens" / "pysaliency.json").read_text())
TRUTH = np.array(GOLDENS["truth"])
CASES = [(f"{case['map']}, {len(case['rows'])}", case) for case in GOLDENS["cases"]]
ONE = np.array([2]), np.array([3])


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_every_score_is_pysaliency_s(case: dict[str, Any]) -> None:
    saliency = np.array(GOLDENS["maps"][case["map"]])
    rows, cols, others = (
        np.array(case["rows"]),
        np.array(case["cols"]),
        np.array([case["negative_rows"], case["negative_cols"]]),
    )
    found = {
        "nss": scores.nss(saliency, rows, cols),
        "auc_judd": scores.auc_judd(saliency, rows, cols),
        "auc_shuffled": scores.auc_shuffled(saliency, rows, cols, *others),
        "cc": scores.cc(saliency, TRUTH),
        "sim": scores.sim(saliency, TRUTH),
        "kl": scores.kl(saliency, TRUTH),
        "information_gain_bits": scores.information_gain_bits(saliency, TRUTH, rows, cols),
    }
    for name, value in case["scores"].items():
        if value is None:  # pysaliency: minus infinity, at a fixation that the map rules out
            assert name == "information_gain_bits"
            assert -52.1 < found[name] < -1
        else:
            assert found[name] == pytest.approx(value, abs=1e-9), name


def test_the_goldens_cover_what_they_should() -> None:
    assert set(GOLDENS["maps"]) >= {"noise", "steps", "negative", "constant", "zero"}
    for name in GOLDENS["cases"][0]["scores"]:
        known = {case["scores"][name] for case in GOLDENS["cases"]} - {None}
        assert len(known) >= 6, f"{name} is the same in nearly all cases"


@pytest.mark.parametrize("level", [0.0, 0.1, 7.0, -3.0])
def test_a_constant_map_says_nothing(level: float) -> None:
    flat = np.full((9, 11), level, np.float32)
    density = scores.fixation_density((9, 11), np.array([0.5]), np.array([0.5]), 1.5)
    assert scores.nss(flat, *ONE) == 0
    assert scores.auc_judd(flat, *ONE) == 0.5
    assert scores.auc_shuffled(flat, *ONE, *ONE) == 0.5
    assert scores.cc(flat, density) == scores.cc(density, flat) == scores.cc(flat, flat) == 0
    assert scores.sim(flat, flat) == pytest.approx(1)
    assert scores.kl(flat, flat) == pytest.approx(0, abs=1e-9)
    assert scores.information_gain_bits(flat, flat, *ONE) == 0
    assert 0 < scores.kl(flat, density) < 10


def test_a_map_that_rules_fixations_out_pays_a_finite_price() -> None:
    left, right = np.zeros((4, 4)), np.zeros((4, 4))
    left[:, 0], right[:, 3] = 1, 1
    assert scores.kl(left, right) == pytest.approx(-np.log(2.2204e-16) - np.log(4), abs=0.01)
    assert scores.sim(left, right) == 0
    assert scores.information_gain_bits(left, right, *ONE) == pytest.approx(np.log2(2.2204e-16 * 4))


def test_perfect_maps() -> None:
    x, y = np.array([0.2, 0.25, 0.7]), np.array([0.3, 0.35, 0.8])
    density = scores.fixation_density((30, 40), x, y, 2.0)
    cells = scores.fixation_cells((30, 40), x, y)
    assert scores.cc(density, density * 3) == pytest.approx(1)
    assert scores.sim(density, density * 3) == pytest.approx(1)
    assert scores.kl(density * 3, density) == pytest.approx(0, abs=1e-9)
    assert scores.auc_judd(density, *cells) > 0.95
    away = scores.fixation_cells((30, 40), 1 - x, y)
    assert scores.auc_shuffled(density, *cells, *away) == 1
    assert scores.auc_shuffled(density, *away, *cells) == 0
    assert scores.information_gain_bits(density, np.ones((30, 40)), *cells) > 3


@FIXED_SETTINGS
@given(st.integers(0, 10_000))
def test_shuffled_auc_is_the_chance_of_being_higher(seed: int) -> None:
    random = np.random.default_rng(seed)
    saliency = random.integers(0, 4, (5, 6))
    rows, cols, other_rows, other_cols = (random.integers(0, side, 8) for side in (5, 6, 5, 6))
    ours, theirs = saliency[rows, cols][:, None], saliency[other_rows, other_cols][None]
    chance = np.mean((ours > theirs) + 0.5 * (ours == theirs))
    assert scores.auc_shuffled(saliency, rows, cols, other_rows, other_cols) == pytest.approx(chance)


def test_every_cell_fixated_leaves_nothing_to_tell_apart() -> None:
    rows, cols = np.divmod(np.arange(6), 3)
    assert scores.auc_judd(np.arange(6.0).reshape(2, 3), rows, cols) == 0.5


@FIXED_SETTINGS
@given(st.integers(0, 10_000), st.floats(0.5, 6), st.floats(0.01, 100), st.floats(-5, 5))
def test_scores_do_not_depend_on_the_scale_of_a_map(seed: int, sigma_px: float, factor: float, shift: float) -> None:
    random = np.random.default_rng(seed)
    density = scores.fixation_density((12, 20), random.random(9), random.random(9), sigma_px)
    cells = scores.fixation_cells((12, 20), random.random(9), random.random(9))
    scaled = density * factor + shift
    assert scores.nss(scaled, *cells) == pytest.approx(scores.nss(density, *cells), abs=1e-6)
    assert scores.cc(scaled, density) == pytest.approx(1)
    truth = random.random((12, 20))
    for score in (scores.sim, scores.kl):
        assert score(density * factor, truth) == pytest.approx(score(density, truth), abs=1e-6)


def test_density_is_the_sum_of_its_gaussians() -> None:
    x, y = np.array([0.25, 0.9]), np.array([0.5, 0.1])
    density = scores.fixation_density((16, 24), x, y, 3.0)
    rows, cols = np.mgrid[:16, :24] + 0.5
    expected = sum(np.exp(-((cols - 24 * a) ** 2 + (rows - 16 * b) ** 2) / (2 * 9)) for a, b in zip(x, y, strict=True))
    assert np.allclose(density, expected / np.sum(expected), atol=1e-12)
    assert density.sum() == pytest.approx(1)
    far = scores.fixation_density((16, 24), np.array([900.0]), np.array([0.5]), 3.0)
    assert np.allclose(far, 1 / (16 * 24))


def test_cells_of_fixations() -> None:
    rows, cols = scores.fixation_cells((10, 20), np.array([0, 0.049, 0.05, 1]), np.array([0, 0.099, 0.1, 1]))
    assert rows.tolist() == [0, 0, 1, 9]
    assert cols.tolist() == [0, 0, 1, 19]
    # 100 lines are 7 blocks of 16, the last for a quarter inside.
    rows, cols = scores.fixation_cells((7, 10), np.array([0.5, 0.999]), np.array([0.5, 0.97]), (7 * 16 / 100, 1.0))
    assert rows.tolist() == [50 // 16, 97 // 16]
    assert cols.tolist() == [5, 9]
    for x, y in ((-0.01, 0.5), (0.5, 1.01)):
        with pytest.raises(ValueError, match="leave out those beside it"):
            scores.fixation_cells((4, 4), np.array([x]), np.array([y]))


def test_blocks_are_scored_after_averaging() -> None:
    grid = BlockGrid(320, 180, 16)
    x, y = np.array([0.3, 0.32, 0.8]), np.array([0.5, 0.52, 0.97])
    density = scores.fixation_density((192, 256), x, y, 6.4)
    blocks = BlockAverage(grid, 192, 256)(density.astype(np.float32))
    cells = scores.fixation_cells(grid.shape, x, y, (grid.rows * 16 / 180, grid.cols * 16 / 320))
    assert (cells[0].max(), cells[1].max()) == (int(0.97 * 180 // 16), int(0.8 * 320 // 16))
    assert scores.nss(blocks, *cells) > 2
    assert scores.cc(blocks, blocks) == pytest.approx(1)


WRONG: dict[str, tuple[NDArray[Any], str]] = {
    "nan": (np.array([[1.0, np.nan]]), "finite"),
    "empty": (np.zeros((0, 3)), "not empty"),
    "flat": (np.ones(4), r"must be \[h, w\]"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("score", [scores.cc, scores.sim, scores.kl])
def test_maps_that_can_t_be_scored_are_refused(kind: str, score: Callable[..., float]) -> None:
    wrong, says = WRONG[kind]
    for pair in ((wrong, np.ones((2, 2))), (np.ones((2, 2)), wrong)):
        with pytest.raises(ValueError, match=says):
            score(*pair)
    with pytest.raises(ValueError, match=says):
        scores.nss(wrong, *ONE)


def test_maps_of_different_shapes_and_no_fixations_are_refused() -> None:
    nowhere = np.array([], np.intp)
    with pytest.raises(ValueError, match="can't be compared"):
        scores.cc(np.ones((2, 3)), np.ones((3, 2)))
    for score in (scores.nss, scores.auc_judd):
        with pytest.raises(ValueError, match="no fixations"):
            score(np.ones((4, 4)), nowhere, nowhere)
    for positives, negatives in (((nowhere, nowhere), ONE), (ONE, (nowhere, nowhere))):
        with pytest.raises(ValueError, match="no fixations"):
            scores.auc_shuffled(np.ones((4, 4)), *positives, *negatives)
    with pytest.raises(ValueError, match="no fixations"):
        scores.fixation_density((4, 4), np.array([]), np.array([]), 1.0)
