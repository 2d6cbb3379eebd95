"""Gaze-weighted error and SSIM, regions and pooling: against sums written out, against scikit-image, and their limits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from clips import FIXED_SETTINGS
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from stcodec.metrics.fidelity import (
    Luma,
    background,
    error_means,
    pool,
    psnr_db,
    squared_error,
    ssim_map,
    ssim_means,
    upsampled,
    weighted_mean,
)

ERROR = np.random.default_rng(3).random((24, 40)).astype(np.float32)


def test_an_even_density_gives_the_plain_mean() -> None:
    assert weighted_mean(ERROR, np.full((3, 5), 0.2, np.float32)) == pytest.approx(float(ERROR.mean()), rel=1e-4)


def test_a_density_of_the_error_s_size_weighs_pixel_by_pixel() -> None:
    density = np.random.default_rng(4).random(ERROR.shape).astype(np.float32)
    assert weighted_mean(ERROR, density) == pytest.approx(float((ERROR * density).sum() / density.sum()), rel=1e-4)


def test_only_what_is_looked_at_counts() -> None:
    error = np.zeros((32, 32), np.float32)
    error[:, 16:] = 9
    density = np.zeros((4, 4), np.float32)
    density[:, 0] = 1
    assert weighted_mean(error, density) == 0
    assert weighted_mean(error, density[:, ::-1]) == pytest.approx(9)


def test_psnr_of_known_errors() -> None:
    one = np.full((8, 8), 100, np.uint8)
    assert squared_error(one, one + np.uint8(5)).mean() == 25
    assert psnr_db([25.0, 25.0]) == pytest.approx(10 * np.log10(255**2 / 25))
    assert psnr_db([0.0]) == float("inf")


def test_what_can_t_be_weighed_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be compared"):
        squared_error(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    for density in (np.zeros((2, 2), np.float32), np.array([[1, -1]], np.float32)):
        with pytest.raises(ValueError, match=">= 0 and not zero"):
            weighted_mean(ERROR, density)


def pair(size: tuple[int, int], bits: int, seed: int) -> tuple[Luma, Luma]:
    """A picture with flat, black, white and noisy parts, and a distorted one that agrees with it here and there."""
    random, peak = np.random.default_rng(seed), 2**bits - 1
    height, width = size
    one = random.integers(0, peak + 1, size)
    one[: height // 2, : width // 3] = random.integers(0, peak + 1)
    one[height // 2 :, : width // 4], one[: height // 4] = 0, peak
    other = np.clip(one + random.integers(-peak // 8, peak // 8 + 1, size), 0, peak)
    other[:, 2 * width // 3 :] = one[:, 2 * width // 3 :]
    other[height // 4 : height // 3, : width // 2] = random.choice([0, peak])
    if bits == 8:
        return one.astype(np.uint8), other.astype(np.uint8)
    return one.astype(np.uint16), other.astype(np.uint16)


def scikit_image(reference: Luma, distorted: Luma, peak: float) -> tuple[float, NDArray[np.float64]]:
    one, other = reference.astype(np.float64), distorted.astype(np.float64)
    mean, full = structural_similarity(one, other, data_range=peak, full=True)  # type: ignore[no-untyped-call]
    return float(mean), full


@FIXED_SETTINGS
@given(st.integers(7, 80), st.integers(7, 80), st.sampled_from([8, 10]), st.integers(0, 10_000))
def test_ssim_is_scikit_image_s_at_every_pixel(height: int, width: int, bits: int, seed: int) -> None:
    reference, distorted = pair((height, width), bits, seed)
    mean, full = scikit_image(reference, distorted, 2.0**bits - 1)
    ours = ssim_map(reference, distorted, 2.0**bits - 1)
    assert ours.shape == full.shape
    assert np.allclose(ours, full, atol=2e-6)
    density = np.ones((3, 4), np.float32)
    assert ssim_means(reference, distorted, density, peak=2.0**bits - 1).whole == pytest.approx(mean, abs=2e-6)


@pytest.mark.parametrize("bits", [8, 10])
def test_ssim_of_large_pictures(bits: int) -> None:
    """They are done some rows at a time."""
    reference, distorted = pair((407, 211), bits, 1)
    _, full = scikit_image(reference, distorted, 2.0**bits - 1)
    assert np.allclose(ssim_map(reference, distorted, 2.0**bits - 1), full, atol=2e-6)


@pytest.mark.parametrize("bits", [8, 10])
def test_ssim_survives_the_largest_contrast(bits: int) -> None:
    peak = 2**bits - 1
    board = (np.indices((40, 40)).sum(axis=0) % 2 * peak).astype(np.uint16)
    for other in (board, peak - board, np.zeros_like(board), np.full_like(board, peak)):
        _, full = scikit_image(board, other.astype(np.uint16), peak)
        assert np.allclose(ssim_map(board, other.astype(np.uint16), peak), full, atol=2e-6)


def test_ssim_is_weighted_like_the_error() -> None:
    reference, distorted = pair((60, 96), 8, 3)
    density = np.random.default_rng(5).random((6, 8)).astype(np.float32)
    _, full = scikit_image(reference, distorted, 255)
    means = ssim_means(reference, distorted, density)
    assert means.attended == pytest.approx(weighted_mean(full.astype(np.float32), density), abs=1e-5)
    assert means.background == pytest.approx(weighted_mean(full.astype(np.float32), background(density)), abs=1e-5)
    same = ssim_means(reference, reference, density)
    assert (same.attended, same.whole, same.background) == pytest.approx((1, 1, 1), abs=1e-6)


def test_pictures_that_ssim_can_t_compare_are_refused() -> None:
    for one, other in (((6, 40), (6, 40)), ((40, 40), (40, 41))):
        with pytest.raises(ValueError, match="7x7 px or more"):
            ssim_map(np.zeros(one, np.uint8), np.zeros(other, np.uint8))
    with pytest.raises(ValueError, match="at most 10 bits"):
        ssim_map(np.zeros((8, 8), np.uint16), np.zeros((8, 8), np.uint16), 4095)


def test_regions_of_the_error() -> None:
    density = np.array([[4, 3, 2, 1]], np.float32)
    reference, distorted = np.zeros((8, 64), np.uint8), np.zeros((8, 64), np.uint8)
    distorted[:, 56:] = 10
    means = error_means(reference, distorted, density)
    assert means.whole == pytest.approx(100 / 8)
    # The outermost eighth reads the last cell alone: 1 of 10 by the density, 1 of 4 in the background.
    assert means.attended == pytest.approx(100 * 8 * 1 / (16 * 10))
    assert means.background == pytest.approx(100 * 8 / 32)
    assert means == error_means(reference + np.uint8(50), distorted + np.uint8(50), density)


@FIXED_SETTINGS
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
def test_at_least_half_of_the_frame_is_background(seed: int, rows: int, cols: int) -> None:
    density = np.random.default_rng(seed).integers(0, 5, (rows, cols)).astype(np.float32)
    region = background(density)
    assert set(np.unique(region)) <= {0, 1}
    assert region.mean() >= 0.5
    assert density[region == 1].max() <= density[region == 0].min(initial=5)


def test_nobody_looking_anywhere_makes_all_of_it_background() -> None:
    assert background(np.full((3, 4), 0.3, np.float32)).all()


@pytest.mark.parametrize("picture", [(24, 40), (97, 131), (200, 40), (7, 7)])
@pytest.mark.parametrize("cells", [(5, 7), (1, 1), (64, 3)])
def test_a_density_is_read_bilinearly_and_alike_everywhere(picture: tuple[int, int], cells: tuple[int, int]) -> None:
    random = np.random.default_rng(6)
    density, error = (random.random(shape).astype(np.float32) for shape in (cells, picture))
    weights = upsampled(density, picture)
    assert np.allclose(weights, cv2.resize(density, picture[::-1], interpolation=cv2.INTER_LINEAR), atol=1e-5)
    assert weighted_mean(error, density) == pytest.approx(float((error * weights).sum() / weights.sum()), rel=1e-4)


def test_pooling() -> None:
    scores = [float(score) for score in np.random.default_rng(1).permutation(np.arange(1, 101))]
    pooled = pool(scores)
    assert (pooled.mean, pooled.worst_5_percent, pooled.percentile_5) == (50.5, 3.0, 5.0)
    assert sum(score >= pooled.percentile_5 for score in scores) >= 95
    few = pool([3.0, 1.0, 2.0])
    assert (few.mean, few.worst_5_percent, few.percentile_5) == (2, 1, 1)
    perfect = pool([float("inf")] * 3)
    assert (perfect.mean, perfect.worst_5_percent, perfect.percentile_5) == (float("inf"),) * 3
    with pytest.raises(ValueError, match="no frames"):
        pool([])
