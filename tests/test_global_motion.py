"""The camera's motion is found although much of the frame moves by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from stcodec.attention.global_motion import GlobalMotion, fit_global_motion
from stcodec.types import FloatArray

ROWS, COLS = 36, 64
Model = tuple[complex, complex, complex]


def field(model: Model) -> FloatArray:
    return GlobalMotion(np.array(model, np.complex128), 0.0).velocity(ROWS, COLS)


def noisy(velocity: FloatArray, deviation: float = 0.002) -> FloatArray:
    return velocity + np.random.default_rng(1).normal(0, deviation, velocity.shape).astype(np.float32)


def even() -> FloatArray:
    return np.ones((ROWS, COLS), np.float32)


def worst_miss(found: GlobalMotion, model: Model) -> float:
    return float(np.linalg.norm(found.velocity(ROWS, COLS) - field(model), axis=2).max())


def test_a_pan_is_the_same_everywhere_and_a_zoom_grows_outward() -> None:
    assert np.allclose(field((0.2 + 0.1j, 0, 0)), [0.2, 0.1])
    zoom = field((0, 0.5, 0))
    assert zoom[18, 63] == pytest.approx([0.5 * (63.5 / 64 - 0.5), 0.5 * 0.5 / 64], abs=1e-5)
    assert zoom[0, 32, 1] == pytest.approx(0.5 * (0.5 - 18) / 64, abs=1e-5)


@pytest.mark.parametrize(
    "model", [(0, 0, 0), (0.3 - 0.1j, 0, 0), (0, 0.4, 0), (0.1, 0.2j, 0), (0.05j, 0.1, 0.05 + 0.03j), (1.2, 0, 0)]
)
def test_camera_is_found_beside_an_object_over_a_third_of_the_frame(model: Model) -> None:
    velocity = noisy(field(model))
    velocity[6:30, 12:44] += np.array([0.35, -0.2], np.float32)  # 33 % of the cells
    assert worst_miss(fit_global_motion(velocity, even()), model) < 0.004


def test_two_objects_and_unknown_cells() -> None:
    model = (0.2 + 0.05j, 0.1, 0)
    velocity = noisy(field(model))
    velocity[:12, :20] = [-0.3, 0]
    velocity[20:, 50:] = [0, 0.4]
    velocity[np.random.default_rng(2).random((ROWS, COLS)) < 0.3] = np.nan
    assert worst_miss(fit_global_motion(velocity, even()), model) < 0.005


def test_untrusted_cells_do_not_vote() -> None:
    model = (0.25, 0, 0)
    velocity = noisy(field(model))
    velocity[:, :44] = 0.0  # a clear sky, of which flow tells nothing
    trust = even()
    trust[:, :44] = 0.01
    assert worst_miss(fit_global_motion(velocity, trust), model) < 0.01


def test_tripod_is_preferred_when_half_moves() -> None:
    velocity = noisy(field((0, 0, 0)))
    velocity[:, :32] += np.array([0.2, 0], np.float32)
    assert worst_miss(fit_global_motion(velocity, even()), (0, 0, 0)) < 0.005


def test_scale_is_that_of_the_background() -> None:
    velocity = noisy(field((0.1, 0, 0)), 0.006)
    velocity[6:30, 12:40] += np.float32(0.3)
    assert fit_global_motion(velocity, even()).scale == pytest.approx(0.006, rel=0.25)


@pytest.mark.parametrize("known", [0, 3, 11])
def test_too_little_is_known_for_a_camera(known: int) -> None:
    velocity = np.full((ROWS, COLS, 2), np.nan, np.float32)
    velocity.reshape(-1, 2)[:known] = 0.5
    assert np.array_equal(fit_global_motion(velocity, even()).velocity(ROWS, COLS), field((0, 0, 0)))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_any_field_gives_a_finite_camera(rows: int, cols: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    velocity = (rng.standard_cauchy((rows, cols, 2)) * rng.choice([0, 0.01, 10])).astype(np.float32)
    velocity[rng.random((rows, cols)) < rng.random()] = np.nan
    found = fit_global_motion(velocity, np.ones((rows, cols), np.float32))
    assert np.isfinite(found.velocity(rows, cols)).all()
    again = fit_global_motion(velocity, np.ones((rows, cols), np.float32))
    assert np.array_equal(found.model, again.model)
