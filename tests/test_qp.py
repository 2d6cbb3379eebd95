"""Saliency to QP offsets: properties that must hold for every map and policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays

from stcodec.encoders.levels import quantise_levels
from stcodec.errors import OptionsError
from stcodec.options import OffsetPolicy
from stcodec.qp import BlockAverage, MapTimeline, QpLaw
from stcodec.qp.grid import block_areas
from stcodec.qp.law import attended_shift
from stcodec.types import BlockGrid, FloatArray, SaliencyTrack

sizes = st.integers(1, 400)
grids = st.builds(BlockGrid, sizes, sizes, st.sampled_from([8, 16, 64]))
maps = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(0, 1, width=32, allow_subnormal=False)
)
policies = st.builds(
    OffsetPolicy,
    strength=st.floats(0, 2),
    floor=st.floats(0.01, 1),
    min_delta_qp=st.floats(-20, 0),
    max_delta_qp=st.floats(0, 20),
    anchor=st.sampled_from(["attended", "mean", -3.0, 4.5]),
    step_qp=st.just(0.0),
)


@given(grids, maps)
def test_block_averages_stay_within_the_map_and_keep_a_constant(grid: BlockGrid, saliency: FloatArray) -> None:
    average = BlockAverage(grid, *saliency.shape)
    blocks = average(saliency)
    assert blocks.shape == grid.shape
    assert blocks.min() >= saliency.min() - 1e-5 and blocks.max() <= saliency.max() + 1e-5
    assert np.allclose(average(np.full_like(saliency, 0.37)), 0.37, atol=1e-5)


def test_block_average_is_the_mean_over_the_block() -> None:
    """A map as large as the frame: each block's value is the plain mean of its pixels, partial blocks included."""
    grid = BlockGrid(40, 24, 16)
    saliency = np.random.default_rng(1).random((24, 40)).astype(np.float32)
    blocks = BlockAverage(grid, 24, 40)(saliency)
    for row in range(grid.rows):
        for col in range(grid.cols):
            part = saliency[row * 16 : row * 16 + 16, col * 16 : col * 16 + 16]
            # Linear interpolation looks half a pixel beyond the block's edge.
            assert abs(blocks[row, col] - part.mean()) < 0.04


@given(grids)
def test_block_areas_are_shares_of_the_frame(grid: BlockGrid) -> None:
    areas = block_areas(grid)
    assert areas.shape == grid.shape and abs(float(areas.sum()) - 1) < 1e-4
    inner = grid.block_px**2 / (grid.width_px * grid.height_px)
    assert areas.max() <= inner * 1.0001


@given(grids, maps, policies)
def test_offsets_are_finite_and_within_the_clip_about_their_mean(
    grid: BlockGrid, saliency: FloatArray, policy: OffsetPolicy
) -> None:
    delta = QpLaw(grid, policy)(saliency)
    assert delta.shape == grid.shape and delta.dtype == np.float32 and np.isfinite(delta).all()
    width = policy.max_delta_qp - policy.min_delta_qp
    assert delta.max() - delta.min() <= width + 1e-3


@given(grids, maps, policies)
def test_more_attention_never_means_a_higher_qp(grid: BlockGrid, saliency: FloatArray, policy: OffsetPolicy) -> None:
    blocks = BlockAverage(grid, *saliency.shape)(saliency).ravel()
    delta = QpLaw(grid, policy)(saliency).ravel()
    order = np.argsort(blocks)
    assert (np.diff(delta[order]) <= 1e-3).all()


@given(grids, maps, policies)
def test_mean_anchor_keeps_the_mean_at_zero(grid: BlockGrid, saliency: FloatArray, policy: OffsetPolicy) -> None:
    given_policy = replace(policy, anchor="mean")
    delta = QpLaw(grid, given_policy)(saliency)
    assert abs(float((delta * block_areas(grid)).sum())) < 1e-3


@given(grids, maps, policies)
def test_attended_anchor_keeps_the_mean_where_people_look_at_zero(
    grid: BlockGrid, saliency: FloatArray, policy: OffsetPolicy
) -> None:
    given_policy = replace(policy, anchor="attended")
    law = QpLaw(grid, given_policy)
    delta = law(saliency)
    weights = BlockAverage(grid, *saliency.shape)(saliency) * block_areas(grid)
    weights = weights if weights.any() else block_areas(grid)
    assert float((weights * delta).sum() / weights.sum()) == pytest.approx(0, abs=2e-3)


@given(st.floats(0.05, 20))
def test_the_law_is_minus_three_log2(ratio: float) -> None:
    """Two halves of a frame: their offsets differ by -3 strength log2 of the ratio of their weights."""
    grid = BlockGrid(64, 16, 16)
    saliency = np.array([[1.0, 1.0, ratio, ratio]], np.float32) / max(1.0, ratio)
    policy = OffsetPolicy(strength=0.7, floor=0.001, min_delta_qp=-30, max_delta_qp=30, anchor="mean", step_qp=0)
    delta = QpLaw(grid, policy)(saliency)
    weights = QpLaw(grid, policy).weights(BlockAverage(grid, 1, 4)(saliency))
    expected = -3 * 0.7 * np.log2(weights[0, 3] / weights[0, 0])
    assert delta[0, 3] - delta[0, 0] == pytest.approx(expected, abs=1e-3)
    assert weights[0, 3] / weights[0, 0] == pytest.approx(ratio, rel=0.05)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_a_map_that_says_nothing_gives_no_offsets(value: float) -> None:
    delta = QpLaw(BlockGrid(100, 60, 16), OffsetPolicy())(np.full((9, 16), value, np.float32))
    assert np.abs(delta).max() < 1e-4


def test_attended_anchor_raises_the_mean_so_that_the_file_shrinks() -> None:
    saliency = np.zeros((9, 16), np.float32)
    saliency[4, 8] = 1
    delta = QpLaw(BlockGrid(640, 360, 16), OffsetPolicy())(saliency)
    assert delta.mean() > 1 and delta.min() < 1


@given(maps, st.sampled_from([0.5, 1.0, 2.0]))
def test_steps_are_multiples(saliency: FloatArray, step: float) -> None:
    delta = QpLaw(BlockGrid(160, 96, 16), OffsetPolicy(step_qp=step))(saliency)
    assert np.allclose(delta / step, np.rint(delta / step), atol=1e-5)


@given(maps, st.integers(2, 9))
def test_levels_are_few_and_hold_zero_and_come_near(saliency: FloatArray, levels: int) -> None:
    delta = QpLaw(BlockGrid(160, 96, 16), OffsetPolicy())(saliency)
    quantised = quantise_levels(delta, levels)
    distinct = np.unique(np.append(quantised, 0))
    assert len(distinct) <= levels
    span = max(float(delta.max()), 0) - min(float(delta.min()), 0)
    assert np.abs(quantised - delta).max() <= span / (levels - 1) + 1e-4


@pytest.mark.parametrize(
    "field",
    [{"strength": -1}, {"strength": float("nan")}, {"floor": 0}, {"min_delta_qp": 3}, {"max_delta_qp": -1}, {"anchor": "x"}],
)
def test_impossible_policies_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(OptionsError, match="allowed"):
        OffsetPolicy(**field)


def track(times: list[float], starts: list[bool], values: list[float]) -> SaliencyTrack:
    saliency = np.array(values, np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    return SaliencyTrack(saliency, np.array(times), np.array(starts), 64, 64, "test")


def value(found: FloatArray | None) -> float | None:
    return None if found is None else round(float(found[0, 0]), 5)


def test_timeline_interpolates_and_waits_and_stops_at_cuts() -> None:
    timeline = MapTimeline()
    timeline.push(track([0.0, 1.0], [True, False], [0.0, 1.0]))
    assert value(timeline.at(0.25)) == 0.25
    assert value(timeline.at(1.0)) == 1.0
    assert timeline.at(1.1) is None, "what comes next is not known yet"
    timeline.push(track([2.0, 3.0], [True, False], [0.2, 0.4]))
    assert value(timeline.at(1.9)) == 1.0, "a cut at 2.0: the old shot's map holds"
    assert value(timeline.at(2.5)) == 0.3
    assert timeline.at(3.5) is None
    timeline.end()
    assert value(timeline.at(3.5)) == 0.4


def test_timeline_of_a_holding_source_never_waits() -> None:
    timeline = MapTimeline(holds=True)
    timeline.push(track([0.0], [True], [0.7]))
    assert value(timeline.at(100.0)) == 0.7


@settings(max_examples=50)
@given(st.lists(st.floats(0.01, 2), min_size=1, max_size=20), st.lists(st.floats(0, 40), min_size=1, max_size=30))
def test_timeline_pieces_give_what_the_whole_gives(steps: list[float], asked: list[float]) -> None:
    times = list(np.cumsum(steps))
    starts = [index % 5 == 0 for index in range(len(times))]
    values = [(index * 37 % 100) / 100 for index in range(len(times))]
    whole, pieces = MapTimeline(), MapTimeline()
    whole.push(track(times, starts, values))
    for index in range(len(times)):
        pieces.push(track(times[index : index + 1], starts[index : index + 1], values[index : index + 1]))
    whole.end()
    pieces.end()
    for seconds in sorted(asked):
        assert value(whole.at(seconds)) == value(pieces.at(seconds))


def test_shift_is_zero_for_equal_offsets() -> None:
    assert attended_shift(np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)) == 0
