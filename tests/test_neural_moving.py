"""What the network makes of moving pictures: pans leave its map alone, new things draw it at once, the past is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from moving_scenes import (
    HEIGHT,
    WIDTH,
    Camera,
    Disc,
    clip,
    densities,
    pan,
    part,
    shake,
    still,
    times,
    video,
)
from numpy.typing import NDArray

from stcodec.attention.neural import NeuralSource, open_engine
from stcodec.attention.neural_engine import GatedFrame, NeuralDetail
from stcodec.attention.neural_options import NeuralOptions
from stcodec.model.config import MAPS_PER_SECOND
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.types import Clip, FloatArray

CAUSAL = NeuralOptions(causal=True, device="cpu")
LOOKAHEAD = NeuralOptions(device="cpu")
MODES = pytest.mark.parametrize("options", [CAUSAL, LOOKAHEAD], ids=["causal", "lookahead"])
Densities = NDArray[np.float64]


def attended(options: NeuralOptions, seen: Clip) -> Densities:
    return densities(NeuralSource(options).attend(seen))


def correlation(one: Densities, other: Densities) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@MODES
@pytest.mark.parametrize("photo", ["coffee", "astronaut", "rocket"])
@pytest.mark.parametrize("camera", [pan(0.125), pan(-0.125, 0.0586)], ids=["right", "left and down"])
def test_the_map_of_a_panning_still_is_that_of_the_still(camera: Camera, photo: str, options: NeuralOptions) -> None:
    at = times(6, MAPS_PER_SECOND)
    pictures = video(photo, camera, at)
    panning = attended(options, clip(at, pictures))
    stills = attended(options, clip(at, pictures, shots=tuple(range(len(at)))))
    assert min(correlation(*pair) for pair in zip(panning, stills, strict=True)) > 0.9
    travel = camera(float(at[2]))[:, 2] - camera(0.0)[:, 2]
    assert correlation(*overlapping(panning[2], stills[0], travel)) > 0.9


def overlapping(later: Densities, first: Densities, travel: NDArray[np.float64]) -> tuple[Densities, Densities]:
    """What both maps [h, w] show of the picture; travel: x and y that the camera went between them, frame widths."""
    rows, cols = first.shape
    across, down = round(travel[0] * cols), round(travel[1] * rows * WIDTH / HEIGHT)
    shifted = np.roll(later, (down, across), axis=(0, 1))
    seen = (slice(max(down, 0), rows + min(down, 0)), slice(max(across, 0), cols + min(across, 0)))
    return shifted[seen], first[seen]


@MODES
@pytest.mark.parametrize("camera", [still, pan(0.1), shake(0.002)], ids=["still", "pan", "shake"])
@pytest.mark.parametrize("disc", [Disc(0.75, 0.4, -0.1), Disc(0.2, 0.12, 0.0), Disc(-0.1, 0.25, 0.6)])
def test_a_sudden_object_is_on_the_map_within_200_ms(disc: Disc, camera: Camera, options: NeuralOptions) -> None:
    at = times(6, MAPS_PER_SECOND)
    assert at[4] - at[3] < 0.2001  # it turns up after instant 3
    without = video("coffee", camera, at)
    pictures = np.concatenate([without[:4], video("coffee", camera, at, disc)[4:]])
    before, after = (attended(options, clip(at, one))[4] for one in (without, pictures))
    inside = covered(disc, float(at[4]), after.shape)
    assert after[inside].mean() > 2 * after.mean()
    assert after[inside].sum() > 1.3 * before[inside].sum()


def covered(disc: Disc, seconds: float, shape: Sequence[int]) -> NDArray[np.bool_]:
    """The cells [h, w] that a disc covers."""
    rows, cols = shape
    x, y = disc.centre(seconds)
    down, across = np.mgrid[:rows, :cols] + 0.5
    return np.asarray((across / cols - x) ** 2 + (down / rows * HEIGHT / WIDTH - y) ** 2 < disc.radius**2)


def moving_scene(count: int = 9) -> Clip:
    at = times(count, MAPS_PER_SECOND)
    return clip(at, video("coffee", pan(0.1), at, Disc(0.3, 0.25, 0.35)))


def details(options: NeuralOptions, seen: Clip) -> list[NeuralDetail]:
    found: list[NeuralDetail] = []
    NeuralSource(options, on_detail=found.append).attend(seen)
    return found


@MODES
def test_what_comes_later_changes_no_branch(options: NeuralOptions) -> None:
    seen = moving_scene()
    whole = details(options, seen)
    for count in (1, 4, 7, 9):
        ending, now = details(options, part(seen, 0, count))[-1], whole[count - 1]
        assert now.window_pts_seconds.max() <= now.pts_seconds
        assert np.array_equal(ending.window_pts_seconds, now.window_pts_seconds)
        assert np.allclose(ending.spatial_density, now.spatial_density, atol=1e-7)
        assert np.allclose(ending.temporal_gain, now.temporal_gain, atol=1e-4)


def test_no_frame_is_reckoned_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine("cpu", WEIGHTS_PATH)
    frames, tokens = engine.frames, engine.tokens
    counts = {"frames": [0], "tokens": [0]}

    def counted_frames(pictures: Sequence[FloatArray]) -> object:
        counts["frames"].append(len(pictures))
        return frames(pictures)

    def counted_tokens(gated: Sequence[GatedFrame]) -> object:
        counts["tokens"].append(len(gated))
        return tokens(gated)

    monkeypatch.setattr(engine, "frames", counted_frames)
    monkeypatch.setattr(engine, "tokens", counted_tokens)
    seen = moving_scene(5)
    session = NeuralSource(CAUSAL).open(seen.video)
    for index in range(len(seen)):
        assert len(session.attend(part(seen, index, index + 1))) == 1
    assert counts == {"frames": [0] + [1] * 5, "tokens": [0] + [1] * 5}
