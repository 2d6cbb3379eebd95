"""Foveated weights: against acuity written out for each viewer, their limits, and what they say of real videos."""

from __future__ import annotations

from pathlib import Path

import command
import media
import numpy as np
import pytest
import viewers
from clips import FIXED_SETTINGS
from hypothesis import given, strategies as st

import stcodec.evaluate as ev
from stcodec.errors import OptionsError
from stcodec.metrics.fidelity import error_means, ssim_means, weighted_mean
from stcodec.metrics.foveated import (
    acuity,
    cutoff_cycles_per_degree,
    eccentricity_degrees,
    foveated_weights,
    nyquist_cycles_per_degree,
)

PICTURE = (540, 960)
VIEWING_PX = 3.0 * PICTURE[0]
SIZE = (384, 216)
FRAMES = 12


def gaze_at(row: int, col: int, shape: tuple[int, int] = (27, 48)) -> np.ndarray:
    density = np.zeros(shape, np.float32)
    density[row, col] = 1
    return density


def test_geisler_and_perry_s_limits() -> None:
    """Contrast threshold 1 at the cut-off, half the fovea's at 2.3 degrees; a pixel is a 28th of a degree from 3 heights."""
    fovea, half = cutoff_cycles_per_degree(np.array([0.0, 2.3]))
    assert fovea == pytest.approx(39.23, abs=0.01) and half == pytest.approx(fovea / 2)
    for degrees in (0.0, 5.0, 20.0):
        cutoff = cutoff_cycles_per_degree(np.array(degrees))
        assert np.exp(0.106 * cutoff * (degrees + 2.3) / 2.3) / 64 == pytest.approx(1)
    assert eccentricity_degrees(np.array(VIEWING_PX), VIEWING_PX) == pytest.approx(45)
    assert nyquist_cycles_per_degree(VIEWING_PX) == pytest.approx(0.5 / np.degrees(np.arctan(1 / VIEWING_PX)))


def test_all_that_a_screen_shows_counts_where_it_can_be_seen() -> None:
    nyquist = nyquist_cycles_per_degree(VIEWING_PX)
    off_px = VIEWING_PX * np.tan(np.radians([0.0, 4.0, 10.0]))
    near, still, far = acuity(off_px, VIEWING_PX)
    assert near == still == 1
    assert far == pytest.approx((39.23 * 2.3 / 12.3 / nyquist) ** 2, rel=1e-3)


@FIXED_SETTINGS
@given(st.integers(1, 30), st.integers(1, 40), st.floats(0.5, 20), st.integers(0, 10_000))
def test_the_mean_over_viewers(rows: int, cols: int, heights: float, seed: int) -> None:
    """By a density: the mean of the errors that each viewer's own acuity gives, whatever the density's scale."""
    random = np.random.default_rng(seed)
    density = np.where(random.random((rows, cols)) < 0.2, random.random((rows, cols)), 0).astype(np.float32)
    density[rows // 2, cols // 2] = 1
    error = random.random((rows, cols))
    viewing_px = heights * PICTURE[0]
    y, x = (np.arange(count) * side / count for count, side in zip((rows, cols), PICTURE, strict=True))
    expected = 0.0
    for row, col in zip(*np.nonzero(density), strict=True):
        seen = acuity(np.hypot((y - y[row])[:, None], x - x[col]), viewing_px)
        expected += density[row, col] * float((seen * error).sum() / seen.sum())
    for scale in (1, 37):
        weights = foveated_weights(np.float32(scale) * density, PICTURE, viewing_px)
        assert weights.dtype == np.float32 and weights.min() >= 0 and weights.sum() == pytest.approx(1, abs=1e-4)
        assert float((weights * error).sum()) == pytest.approx(expected / float(density.sum()), rel=1e-3)


def test_errors_count_less_the_farther_off_they_are() -> None:
    weights = foveated_weights(gaze_at(13, 4), PICTURE, VIEWING_PX)
    along = weights[13, 4:]
    assert (np.diff(along) <= 1e-9).all()
    assert along[5] == pytest.approx(along[0], rel=1e-4)  # 100 px are 3.5 degrees: all is seen
    assert along[-1] < 0.1 * along[0]
    error = np.zeros(PICTURE, np.float32)
    error[:, PICTURE[1] // 2 :] = 100
    seen = [weighted_mean(error, foveated_weights(gaze_at(13, col), PICTURE, VIEWING_PX)) for col in (4, 43)]
    assert 5 < seen[0] < 30 and seen[0] + seen[1] == pytest.approx(100, abs=2)


def test_of_few_lines_the_eye_sees_all() -> None:
    """240 lines from 3 heights: nothing is lost up to 12 degrees, 0.63 heights; in the corners of 416 columns half is."""
    weights = foveated_weights(gaze_at(13, 24), (240, 416), 720.0)
    assert weights[:, 15:34].max() / weights[:, 15:34].min() < 1.02
    assert 0.4 < weights.min() / weights.max() < 0.6


def test_means_of_error_and_ssim() -> None:
    random = np.random.default_rng(1)
    reference = random.integers(0, 256, (60, 96)).astype(np.uint8)
    distorted = random.integers(0, 256, (60, 96)).astype(np.uint8)
    density = random.random((6, 8)).astype(np.float32)
    weights = foveated_weights(density, (60, 96), 180.0)
    means = error_means(reference, distorted, density, weights)
    error = (reference.astype(np.float32) - distorted) ** 2
    assert means.foveated == pytest.approx(weighted_mean(error, weights), rel=1e-6)
    assert means.attended == error_means(reference, distorted, density).attended
    assert error_means(reference, distorted, density).foveated is None
    assert ssim_means(reference, reference, density, weights).foveated == pytest.approx(1, abs=1e-6)


def test_what_can_t_be_weighed_is_refused() -> None:
    for density in (np.zeros((2, 2), np.float32), np.array([[1, -1]], np.float32)):
        with pytest.raises(ValueError, match=">= 0 and not zero"):
            foveated_weights(density, PICTURE, VIEWING_PX)
    with pytest.raises(ValueError, match="must be above 0"):
        foveated_weights(gaze_at(0, 0), PICTURE, 0.0)


# --- videos ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.make_video(tmp_path_factory.mktemp("foveated") / "video.mp4", size=SIZE, frames=FRAMES)


@pytest.fixture(scope="module")
def right_blurred(video: Path) -> Path:
    """The video with its right third blurred."""
    path = video.with_name("blurred.mkv")
    third = SIZE[0] // 3
    blur = f"[0]split[a][b];[b]crop={third}:{SIZE[1]}:{2 * third}:0,boxblur=4[c];[a][c]overlay={2 * third}:0"
    media.run_ffmpeg("-i", video, "-filter_complex", blur, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", path)
    return path


def scores(video: Path, other: Path, x_px: float, heights: float = 3.0) -> dict[str, float | None]:
    gaze = viewers.make_gaze(video.with_name(f"{x_px:g}.csv"), [(x_px, SIZE[1] / 2)])
    options = ev.CompareOptions(gaze=gaze, metrics=("psnr", "ssim"), jobs=1, viewing_distance=heights)
    return dict(ev.compare(video, [other], options=options).curves[0].points[0].scores)


def test_what_lies_beside_the_gaze_counts_less_but_counts(video: Path, right_blurred: Path) -> None:
    near, far = (scores(video, right_blurred, x) for x in (330.0, 20.0))
    assert near["psnr-whole"] == far["psnr-whole"]
    for kind, least in (("psnr", 3.0), ("ssim", 0.02)):
        attended, foveated, whole = (far[f"{kind}-{region}"] for region in ("attended", "foveated", "whole"))
        assert attended is not None and foveated is not None and whole is not None
        close = near[f"{kind}-foveated"]
        assert close is not None
        assert close < whole < foveated < attended
        assert foveated - close > least


def test_the_viewing_distance(video: Path, right_blurred: Path) -> None:
    """From nearby pixels are so coarse that the eye makes them out at any place; from afar only where it looks."""
    whole = scores(video, right_blurred, 20.0)["psnr-whole"]
    seen = [scores(video, right_blurred, 20.0, heights)["psnr-foveated"] for heights in (0.5, 3.0, 10.0)]
    assert seen[0] == pytest.approx(whole, abs=0.05)
    near, usual, far = (one or 0.0 for one in seen)
    assert near + 0.5 < usual < far - 0.5


@pytest.mark.parametrize("heights", ["0", "-3", "nan", "100"])
def test_distances_that_nobody_looks_from(
    video: Path, right_blurred: Path, heights: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(OptionsError, match="heights of the picture"):
        ev.EvaluateOptions(viewing_distance=float(heights))
    words = f"viewing-distance is {float(heights):g}: allowed is 0.5 to 20 heights"
    command.assert_refused(capfd, tmp_path, 2, words, "compare", video, right_blurred, "--viewing-distance", heights)
