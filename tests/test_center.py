"""The centre prior: its map, its density, and that its constants are what the fit gives."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from moving_scenes import VIDEO, attend_in_pieces, clip, times
from test_demo import load_tool

from stcodec.attention import center
from stcodec.attention.center import CenterSource, center_density, map_shape
from stcodec.types import VideoInfo


def video(width: int, height: int, rotation: int = 0) -> VideoInfo:
    return VideoInfo(width, height, Fraction(1, 90), Fraction(25), None, None, "yuv420p", 8, "h264", rotation)


@given(st.integers(1, 80), st.integers(1, 80))
def test_density_is_a_density_on_any_grid(height: int, width: int) -> None:
    density = center_density(height, width)
    assert density.shape == (height, width)
    assert density.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)
    assert density.min() > 0


def test_coarse_grid_is_the_fine_one_summed_up() -> None:
    fine = center_density(36, 64).astype(np.float64)
    coarse = center_density(9, 16)
    assert np.allclose(fine.reshape(9, 4, 16, 4).sum(axis=(1, 3)), coarse, atol=1e-6)


def test_density_follows_its_constants() -> None:
    density = center_density(200, 400).astype(np.float64)
    gaussian = density - density.min()
    gaussian /= gaussian.sum()
    x, y = (np.arange(400) + 0.5) / 400, (np.arange(200) + 0.5) / 200
    mean_x, mean_y = gaussian.sum(axis=0) @ x, gaussian.sum(axis=1) @ y
    assert (mean_x, mean_y) == pytest.approx((center.MEAN_X, center.MEAN_Y), abs=0.005)
    assert np.sqrt(gaussian.sum(axis=0) @ (x - mean_x) ** 2) == pytest.approx(center.SIGMA_X, abs=0.005)
    assert np.sqrt(gaussian.sum(axis=1) @ (y - mean_y) ** 2) == pytest.approx(center.SIGMA_Y, abs=0.005)
    assert density.min() * density.size == pytest.approx(1 - center.GAUSSIAN_SHARE, abs=0.01)


def test_density_can_not_be_spoilt_by_a_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        center_density(4, 4)[0, 0] = 1


@pytest.mark.parametrize(
    ("width", "height", "rotation", "shape"),
    [(1920, 1080, 0, (36, 64)), (640, 480, 0, (48, 64)), (1920, 1080, 90, (64, 36)), (16, 8, 0, (32, 64)),
     (1, 1, 0, (64, 64)), (4000, 10, 0, (1, 64))],
)  # fmt: skip
def test_map_has_the_aspect_of_the_frame_as_shown(width: int, height: int, rotation: int, shape: tuple[int, int]) -> None:
    assert map_shape(video(width, height, rotation)) == shape
    track = CenterSource().attend(clip(times(2), None, video=video(width, height, rotation)))
    assert track.saliency.shape == (2, *shape)
    assert (track.frame_width_px, track.frame_height_px) == ((height, width) if rotation else (width, height))


def test_the_same_map_comes_out_for_every_instant_however_it_is_cut() -> None:
    whole = clip(times(9), None, shots=(0, 4))
    track = attend_in_pieces(CenterSource(), whole, {1, 2, 7})
    assert np.array_equal(track.pts_seconds, whole.pts_seconds)
    assert np.array_equal(track.shot_starts, whole.shot_starts)
    assert track.source == "center"
    assert track.saliency.max() == 1
    assert np.allclose(track.saliency, center_density(36, 64) / center_density(36, 64).max())


def test_nothing_is_asked_of_the_video() -> None:
    assert CenterSource.spec.maps_per_second == 0
    assert CenterSource.spec.thumbnail_side_px == 0
    assert not CenterSource.spec.motion_vectors
    assert not CenterSource.spec.shots
    assert len(CenterSource().open(VIDEO).attend(clip(times(0), None))) == 0


def test_constants_are_what_the_training_fixations_give(shared_data: Path) -> None:
    gaze_clips = load_tool("gaze_clips")
    tool = load_tool("fit_center_prior")
    folder = shared_data / "video-gaze"
    prior = tool.fit(gaze_clips.read_clips(folder, "train"))
    assert (prior.mean_x, prior.mean_y) == pytest.approx((center.MEAN_X, center.MEAN_Y), abs=2e-4)
    assert (prior.sigma_x, prior.sigma_y) == pytest.approx((center.SIGMA_X, center.SIGMA_Y), abs=2e-4)
    assert prior.gaussian_share == pytest.approx(center.GAUSSIAN_SHARE, abs=2e-4)
    dev = gaze_clips.read_clips(folder, "dev")
    assert tool.gain_bits(prior, dev) > 0.9
