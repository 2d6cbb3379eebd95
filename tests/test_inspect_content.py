"""What the video does, as `inspect` tells it from pictures: pans, what moves, and what only flickers."""

from __future__ import annotations

import numpy as np
import pytest
from clips import make_video
from moving_scenes import HEIGHT, WIDTH, Disc, pan, still, times, video
from numpy.typing import NDArray

from stcodec.diagnose.content import Content, ContentWatch

AT = times(13)


def seen(pictures: NDArray[np.uint8]) -> Content:
    """What is known at the last picture."""
    watch = ContentWatch(make_video((WIDTH, HEIGHT)))
    found = [watch.see(float(now), index == 0, one) for index, (now, one) in enumerate(zip(AT, pictures, strict=True))]
    return found[-1]


def boiling(pictures: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Noise that is new at every instant over the left part of the frame."""
    noisy = pictures.astype(np.float32)
    side = round(share * WIDTH)
    noisy[:, :, :side] += np.random.default_rng(1).normal(0, 40, (len(noisy), HEIGHT, side, 1))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def streaming(pictures: NDArray[np.uint8], share: float, step_px: int) -> NDArray[np.uint8]:
    """Grain that runs to the right over the left part of the frame."""
    side, drawn = round(share * WIDTH), pictures.copy()
    grain = np.random.default_rng(2).integers(0, 256, (HEIGHT // 3, 200)).repeat(3, axis=0).repeat(3, axis=1)
    for index, picture in enumerate(drawn):
        start = 300 - step_px * index
        picture[:, :side] = grain[:, start : start + side, None]
    return drawn


def test_a_still_video_does_nothing() -> None:
    content = seen(video("coffee", still, AT))
    assert content.camera_speed < 0.005
    assert not content.moves.any()
    assert not content.flickers.any()
    assert not content.recent.any()


def test_a_pan_is_the_cameras() -> None:
    content = seen(video("coffee", pan(0.1), AT))
    assert content.camera_speed == pytest.approx(0.1, rel=0.15)
    assert content.moves.mean() < 0.1
    assert content.flickers.mean() < 5


def test_an_object_moves_and_does_not_flicker() -> None:
    content = seen(video("coffee", still, AT, Disc(-0.1, 0.0, 0.15)))
    assert content.moves.any()
    assert content.moves.mean() < 0.3
    assert content.flickers.mean() < 0.02
    assert content.camera_speed < 0.01


def test_noise_flickers_where_it_is() -> None:
    content = seen(boiling(video("coffee", still, AT), 0.3))
    side = content.flickers.shape[1]
    assert content.flickers[:, : round(0.25 * side)].mean() > 0.8
    assert content.flickers[:, round(0.4 * side) :].mean() < 0.02


def test_what_streams_in_one_direction_hardly_flickers() -> None:
    streams, boils = streaming(video("coffee", still, AT), 0.2, 8), boiling(video("coffee", still, AT), 0.2)
    assert seen(streams).flickers.mean() < 0.05
    assert seen(boils).flickers.mean() > 0.15


def test_a_cut_forgets() -> None:
    watch = ContentWatch(make_video((WIDTH, HEIGHT)))
    for now, picture in zip(AT, boiling(video("coffee", still, AT), 0.3), strict=True):
        watch.see(float(now), bool(now == AT[0]), picture)
    after = watch.see(float(AT[-1]) + 0.2, True, video("astronaut", still, AT[:1])[0])
    assert not after.flickers.any()
    assert not after.recent.any()
    assert after.jump_percent == 0
