"""The motion source: what moves against the camera stands out, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from media import frames_of
from moving_scenes import (
    HEIGHT,
    VIDEO,
    WIDTH,
    Camera,
    Disc,
    attend_in_pieces,
    clip,
    densities,
    pan,
    scene,
    shake,
    still,
    times,
    vectors,
    video,
    zoom,
)
from numpy.typing import NDArray

from stcodec.attention.center import center_density
from stcodec.attention.motion import MIN_STEP_SECONDS, MotionSource
from stcodec.attention.motion_energy import MotionTuning, motion_density
from stcodec.attention.motion_field import DenseFlow, gray_thumbnail
from stcodec.errors import AttentionError
from stcodec.media.clips import read_clip

ROWS, COLS = 36, 64
CAMERAS = {
    "pan": pan(0.25),
    "slow pan": pan(0.03, 0.01),
    "fast pan": pan(0.85, 0.2),
    "zoom in": zoom(0.3),
    "zoom out": zoom(-0.3),
    "shake": shake(0.01),
    "hard shake": shake(0.03),
}
BOTH_INPUTS = pytest.mark.parametrize("use_vectors", [False, True], ids=["flow", "vectors"])


def prior() -> NDArray[np.float64]:
    return center_density(ROWS, COLS).astype(np.float64)


def likeness(density: NDArray[np.float64]) -> float:
    """Correlation with the centre prior."""
    return float(np.corrcoef(density.ravel(), prior().ravel())[0, 1])


def on_disc(disc: Disc, seconds: float) -> NDArray[np.bool_]:
    """[ROWS, COLS], True where a cell's centre lies on the disc."""
    x, y = np.meshgrid((np.arange(COLS) + 0.5) / COLS, (np.arange(ROWS) + 0.5) / COLS)
    at_x, at_y = disc.centre(seconds)
    return np.asarray(np.hypot(x - at_x, y - at_y) < disc.radius)


@BOTH_INPUTS
@pytest.mark.parametrize("photo", ["coffee", "astronaut"])
@pytest.mark.parametrize("name", CAMERAS)
def test_a_moving_camera_lights_up_nothing(name: str, photo: str, use_vectors: bool) -> None:
    track = MotionSource().attend(scene(CAMERAS[name], None, use_vectors, photo))
    assert likeness(densities(track)[1:].mean(axis=0)) >= 0.95
    assert np.median([likeness(density) for density in densities(track)[1:]]) >= 0.95


@BOTH_INPUTS
@pytest.mark.parametrize(
    ("camera", "disc"),
    [
        (still, Disc(0.15, 0.15, 0.2)),
        (pan(0.25), Disc(0.2, 0.42, 0.15)),
        (pan(0.25), Disc(0.25, 0.15, 0)),
        (zoom(0.3), Disc(0.8, 0.42, -0.15)),
        (shake(0.01), Disc(0.85, 0.15, -0.15)),
        (pan(0.85, 0.2), Disc(0.2, 0.42, 0.15)),
    ],
    ids=["tripod", "pan", "camera follows", "zoom", "shake", "fast pan"],
)
def test_a_moving_object_stands_out(camera: Camera, disc: Disc, use_vectors: bool) -> None:
    with_it = scene(camera, disc, use_vectors)
    found = densities(MotionSource().attend(with_it))
    empty = densities(MotionSource().attend(scene(camera, None, use_vectors)))
    for index in range(2, len(with_it)):
        place = on_disc(disc, with_it.pts_seconds[index])
        assert found[index][place].sum() >= 3 * empty[index][place].sum()
        # The blur and the pull of the centre may carry the peak a cell or two over the disc's edge.
        around = on_disc(replace(disc, radius=disc.radius + 1.5 / COLS), with_it.pts_seconds[index])
        assert around.ravel()[found[index].argmax()]


def test_vectors_alone_find_the_object() -> None:
    disc = Disc(0.2, 0.42, 0.15)
    seen = clip(times(), None, vectors(pan(0.25), times(), disc))
    found = densities(MotionSource().attend(seen))[-1]
    place = on_disc(disc, times()[-1])
    assert found[place].sum() > 3 * prior()[place].sum()
    panned = densities(MotionSource().attend(clip(times(), None, vectors(pan(0.25), times()))))
    assert min(likeness(density) for density in panned) > 0.95


@BOTH_INPUTS
def test_a_still_picture_gives_the_prior_itself(use_vectors: bool) -> None:
    track = MotionSource().attend(scene(still, None, use_vectors))
    assert np.allclose(densities(track), prior(), atol=1e-6)


@BOTH_INPUTS
@pytest.mark.parametrize("photo", ["coffee", "astronaut", "rocket"])
def test_noise_on_a_still_picture_is_not_motion(photo: str, use_vectors: bool) -> None:
    at = times(12)
    rng = np.random.default_rng(7)
    noisy = video(photo, still, at) + rng.normal(0, 3, (len(at), HEIGHT, WIDTH, 3))
    seen = clip(at, np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8))
    if use_vectors:
        seen = replace(seen, motion_vectors=vectors(still, at, noise_px=1.0))
    for density in densities(MotionSource().attend(seen)):
        assert likeness(density) > 0.99


def test_flicker_of_the_whole_picture_is_not_motion() -> None:
    at = times(8)
    steps = np.array([0, 4, -3, 5, 0, -4, 3, 0])[:, None, None, None]
    flickering = np.clip(video("coffee", still, at).astype(int) + steps, 0, 255).astype(np.uint8)
    for density in densities(MotionSource().attend(clip(at, flickering))):
        assert likeness(density) > 0.95


def test_a_shot_begins_with_the_prior_and_fades_over() -> None:
    disc = Disc(0.15, 0.15, 0.2)
    seen = replace(scene(still, disc, False, count=10), shot_starts=np.isin(np.arange(10), (0, 5)))
    found = densities(MotionSource().attend(seen))
    assert np.allclose(found[[0, 5]], prior(), atol=1e-6)
    before, first, second = (found[i][on_disc(disc, seen.pts_seconds[i])].sum() for i in (4, 6, 7))
    assert first < 0.8 * before
    assert first < second


def test_a_cut_is_not_motion() -> None:
    at = times(8)
    pictures = np.concatenate([video("coffee", still, at[:4]), video("astronaut", still, at[4:])])
    found = densities(MotionSource().attend(clip(at, pictures, shots=(0, 4))))
    assert np.allclose(found, prior(), atol=1e-6)


def test_what_stopped_is_forgotten() -> None:
    at = times(18)
    moving = video("coffee", still, at[:6], Disc(0.2, 0.2, 0.15))
    found = densities(MotionSource().attend(clip(at, np.concatenate([moving, np.repeat(moving[-1:], 12, axis=0)]))))
    assert likeness(found[5]) < 0.9
    assert likeness(found[-1]) > 0.99


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, 13)), shots=st.sets(st.integers(1, 13)), use_vectors=st.booleans())
def test_maps_do_not_depend_on_how_the_video_is_cut_into_clips(cuts: set[int], shots: set[int], use_vectors: bool) -> None:
    whole = replace(_LONG[use_vectors], shot_starts=np.isin(np.arange(14), [0, *shots]))
    at_once = MotionSource().attend(whole)
    in_pieces = attend_in_pieces(MotionSource(), whole, cuts)
    assert np.array_equal(at_once.saliency, in_pieces.saliency)
    assert np.array_equal(at_once.pts_seconds, in_pieces.pts_seconds)


_LONG = {use_vectors: scene(pan(0.1), Disc(0.2, 0.2, 0.15), use_vectors, count=14) for use_vectors in (False, True)}


@BOTH_INPUTS
def test_many_instants_a_second_cost_no_more_steps_and_still_show_slow_motion(use_vectors: bool) -> None:
    """A blend may ask for more instants than this source wants."""
    disc = Disc(0.2, 0.42, 0.04)
    at = times(60, rate=60)
    motion = vectors(still, at, disc) if use_vectors else None
    track = MotionSource().attend(clip(at, video("coffee", still, at, disc), motion))
    place = on_disc(disc, at[-1])
    assert densities(track)[-1][place].sum() > 4 * prior()[place].sum()
    assert 5 <= np.count_nonzero(np.diff(track.saliency, axis=0).any(axis=(1, 2))) <= 1 / MIN_STEP_SECONDS


@pytest.mark.parametrize("photo", ["astronaut", "chelsea"])
def test_flow_keeps_up_with_a_fast_pan(photo: str) -> None:
    """A fifth of the frame from one instant to the next."""
    before, now = (gray_thumbnail(one) for one in video(photo, pan(1.2), np.array([0.3, 0.3 + 1 / 6])))
    velocity = DenseFlow().velocity(now, before, 1 / 6, None, (ROWS, COLS))
    assert np.median(np.linalg.norm(velocity - [-1.2, 0], axis=2)) < 0.01


def test_where_everything_moves_the_prior_counts_for_more() -> None:
    tuning, even = MotionTuning(), center_density(ROWS, COLS)
    one, crowd = np.zeros((2, ROWS, COLS), np.float32)
    one[10:14, 14:20] = 0.9
    crowd[:, ::2] = 0.5
    crowd[16:24, 28:36] = 0
    miss_of_one = np.log2(motion_density(one, even, 1.0, tuning)[20, 32] / even[20, 32])
    miss_of_crowd = np.log2(motion_density(crowd, even, 1.0, tuning)[20, 32] / even[20, 32])
    assert np.log2(1 - tuning.share) <= miss_of_one < -1.5
    assert -0.8 < miss_of_crowd < 0


def test_vectors_with_too_many_gaps_leave_it_to_the_pictures() -> None:
    seen = scene(pan(0.2), Disc(0.2, 0.2, 0.1), True)
    assert seen.motion_vectors is not None
    holes = seen.motion_vectors.copy()
    holes[:, :30] = np.nan
    by_flow = MotionSource().attend(replace(seen, motion_vectors=None))
    assert np.array_equal(MotionSource().attend(replace(seen, motion_vectors=holes)).saliency, by_flow.saliency)
    nothing = np.full_like(holes, np.nan)
    assert np.array_equal(MotionSource().attend(replace(seen, motion_vectors=nothing)).saliency, by_flow.saliency)
    alone = MotionSource().attend(replace(seen, thumbnails=None, motion_vectors=nothing))
    assert np.allclose(densities(alone), prior(), atol=1e-6)


def test_larger_thumbnails_made_for_another_source_serve_as_well() -> None:
    seen = scene(pan(0.2), Disc(0.2, 0.2, 0.1), False)
    assert seen.thumbnails is not None
    large = np.stack([cv2.resize(one, (320, 180), interpolation=cv2.INTER_CUBIC) for one in seen.thumbnails])
    found = densities(MotionSource().attend(replace(seen, thumbnails=large)))
    assert np.corrcoef(found[-1], densities(MotionSource().attend(seen))[-1])[0, 1] > 0.9


def test_one_instant_and_none() -> None:
    track = MotionSource().attend(clip(times(1), video("coffee", still, times(1))))
    assert np.allclose(densities(track), prior(), atol=1e-6)
    assert len(MotionSource().open(VIDEO).attend(clip(times(0), np.empty((0, HEIGHT, WIDTH, 3), np.uint8)))) == 0


@pytest.mark.parametrize("size", [(16, 8), (1, 1), (2, 160), (160, 3), (12, 9)])
def test_tiny_frames(size: tuple[int, int]) -> None:
    width, height = size
    rng = np.random.default_rng(3)
    thumbnails = rng.integers(0, 256, (6, height, width, 3), dtype=np.uint8)
    video = replace(VIDEO, width_px=width, height_px=height)
    for motion in (None, rng.normal(0, 50, (6, -(-height // 16), -(-width // 16), 2)).astype(np.float32)):
        track = MotionSource().attend(clip(times(6), thumbnails, motion, video=video))
        assert track.saliency.max(axis=(1, 2)) == pytest.approx(1)
        assert max(track.saliency.shape[1:]) == 64


def test_clip_without_anything_to_see_is_refused() -> None:
    with pytest.raises(AttentionError, match="neither thumbnails nor motion vectors"):
        MotionSource().attend(clip(times(3), None))


@BOTH_INPUTS
def test_demo_video(demo: Path, demo_mask: Path, use_vectors: bool) -> None:
    """A real decode: the thing that moves in the demo gets several times its share, at all times after the fade."""
    seen = read_clip(demo, MotionSource.spec)
    assert seen.motion_vectors is not None
    masks = frames_of(demo_mask)
    rate = seen.video.frame_rate
    assert rate is not None
    track = MotionSource().attend(seen if use_vectors else replace(seen, motion_vectors=None))
    starts = seen.pts_seconds[seen.shot_starts]
    gains = []
    for density, seconds in zip(densities(track), seen.pts_seconds, strict=True):
        mask = cv2.resize(masks[round(seconds * float(rate))], density.shape[::-1], interpolation=cv2.INTER_AREA) > 127
        if seconds - starts[starts <= seconds].max() > 0.5 and mask.any():
            gains.append(density[mask].sum() / center_density(*density.shape)[mask].sum())
    assert len(gains) > 10
    assert np.median(gains) > 3


@BOTH_INPUTS
def test_gaze_is_foretold_better_than_by_the_prior(shared_data: Path, use_vectors: bool) -> None:
    """One clip of a panning camera: the gain over the prior is far from 0 (data/results/motion_source.json)."""
    gain = _gain_bits(shared_data / "video-gaze", "ParkScene", use_vectors)
    assert gain > 0.8


def _gain_bits(folder: Path, name: str, use_vectors: bool) -> float:
    table = np.loadtxt(folder / "fixations" / f"{name}.csv", delimiter=",", skiprows=1)
    seen = read_clip(folder / "videos" / f"{name}.avi", MotionSource.spec)
    track = MotionSource().attend(seen if use_vectors else replace(seen, motion_vectors=None))
    gains = []
    for density, seconds in zip(densities(track), seen.pts_seconds - seen.pts_seconds[0], strict=True):
        active = (table[:, 1] <= 1000 * seconds) & (1000 * seconds < table[:, 1] + table[:, 2])
        rows = (table[active, 4] / seen.video.height_px * density.shape[0]).astype(int)
        cols = (table[active, 3] / seen.video.width_px * density.shape[1]).astype(int)
        gains.extend(np.log2(density[rows, cols] / center_density(*density.shape)[rows, cols]))
    return float(np.mean(gains))
