"""The committed demo keeps its promises, and `tools/make_demo.py` still renders it."""

from __future__ import annotations

import importlib.util
import sys
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from media import Luma, frames_of, psnr, streams_of, video_pts

ROOT = Path(__file__).parents[1]
CUT_SECONDS = 3.0


@pytest.fixture(scope="module")
def pictures(demo: Path) -> list[Luma]:
    """The luma of all frames of the demo."""
    return frames_of(demo)


@pytest.fixture(scope="module")
def masks(demo_mask: Path) -> list[Luma]:
    return frames_of(demo_mask)


def load_tool(name: str) -> ModuleType:
    """A script of tools/, imported from its file: tools is no package."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.append(str(ROOT / "tools"))  # where it finds what it shares with others
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_the_video_is_small_and_of_the_promised_shape(demo: Path, demo_mask: Path, pictures: list[Luma]) -> None:
    assert demo.stat().st_size < 1_500_000
    assert demo_mask.stat().st_size < 200_000
    video, audio = streams_of(demo)
    assert (video["kind"], video["codec"], video["width"], video["height"]) == ("video", "h264", 1280, 720)
    assert (audio["kind"], audio["codec"]) == ("audio", "aac")
    assert audio["duration"] == pytest.approx(video["duration"], abs=0.1)
    pts = np.array(video_pts(demo), dtype=float)
    assert len(pts) == len(pictures)
    assert pts == pytest.approx(np.arange(len(pts)) / 30, abs=1e-9)
    assert 5 <= len(pts) / 30 <= 8


def test_the_sound_is_quiet_but_there(demo: Path) -> None:
    with av.open(str(demo)) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    loudness_db = 20 * np.log10(samples.std())
    assert -45 < loudness_db < -25
    assert np.abs(samples).max() < 0.5


def test_every_frame_has_its_mask_at_its_time(demo: Path, demo_mask: Path, masks: list[Luma]) -> None:
    demo_pts, mask_pts = video_pts(demo), video_pts(demo_mask)
    assert len(demo_pts) == len(mask_pts) == len(masks)
    assert max(abs(one - other) for one, other in zip(demo_pts, mask_pts, strict=True)) <= 0.0005
    for mask in masks:
        assert mask.shape == (720, 1280)
        assert set(np.unique(mask)) == {0, 255}
        assert 0.005 < (mask == 255).mean() < 0.2


def test_there_is_one_cut(pictures: list[Luma]) -> None:
    small = [frame[::8, ::8].astype(float) for frame in pictures]
    change = np.array([np.abs(after - before).mean() for before, after in pairwise(small)])
    assert int(change.argmax()) + 1 == round(CUT_SECONDS * 30)
    assert change.max() > 8 * np.sort(change)[-2]


@pytest.mark.parametrize("index", [75, 140])
def test_the_mask_is_on_what_moves_against_the_camera(pictures: list[Luma], masks: list[Luma], index: int) -> None:
    """Three frames apart, with the camera's shift undone, the masked pixels differ far more than the rest."""
    now, later = (pictures[at][::2, ::2].astype(float) for at in (index, index + 3))
    inner = (slice(8, -8), slice(8, -8))
    still = masks[index][::2, ::2][inner] == 0
    shifts = [(down, across) for down in range(-6, 7) for across in range(-6, 7)]
    changes = [np.abs(np.roll(later, shift, (0, 1)) - now)[inner] for shift in shifts]
    best = min(changes, key=lambda change: float(change[still].mean()))
    assert best[~still].mean() > 2 * best[still].mean()


def test_the_recipe_still_renders_the_video(pictures: list[Luma], masks: list[Luma]) -> None:
    tool = load_tool("make_demo")
    for index, (rgb, mask) in enumerate(islice(tool.render(), 30)):
        assert psnr(pictures[index], tool.to_video(rgb).to_ndarray()[:720]) > 42
        assert (masks[index] != mask).mean() < 1e-4
