"""The scripts that score sources against gaze: on pictures with a known answer, and on a clip where the data are there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import stcodec

TOOLS = Path(__file__).parents[1] / "tools"
SMALL_CLIP = "BasketballPass"


@pytest.fixture(scope="module")
def tools() -> dict[str, ModuleType]:
    """The scripts, as if the folder were where Python looks: it is no package, and they import each other."""
    sys.path.insert(0, str(TOOLS))
    try:
        return {name: __import__(name) for name in ("gaze_clips", "human_maps", "score_sources", "spectral_residual")}
    finally:
        sys.path.remove(str(TOOLS))


def test_the_spectral_residual_finds_what_breaks_a_pattern(tools: dict[str, ModuleType]) -> None:
    pattern = np.tile(np.array([[0.2, 0.8], [0.8, 0.2]]), (18, 32)).astype(np.float64)
    pattern[20:25, 40:45] = np.eye(5)
    saliency = tools["spectral_residual"].spectral_residual(pattern)
    row, column = np.unravel_index(np.argmax(saliency), saliency.shape)
    assert max(abs(int(row) - 22), abs(int(column) - 42)) <= 3
    assert saliency.max() == 1
    assert np.median(saliency) < 0.2
    assert (tools["spectral_residual"].spectral_residual(np.full((36, 64), 0.4)) == 1).all()


def test_either_half_of_the_observers_predicts_the_other(tools: dict[str, ModuleType]) -> None:
    gaze, human = tools["gaze_clips"], tools["human_maps"]
    count = 12
    random = np.random.default_rng(0)
    clip = gaze.GazeClip(
        name="made up",
        video=Path("none.avi"),
        seconds=3.0,
        start_seconds=np.zeros(count),
        end_seconds=np.full(count, 2.0),
        x=random.random(count),
        y=random.random(count),
        observer=np.arange(count),
        width_px=320,
        height_px=180,
        split="dev",
    )
    found = list(human.halves(clip, splits=2, seed=1))
    # Two instants, two splits, either way round; at 2.5 s nobody fixates any more.
    assert [half.seconds for half in found] == [0.5, 0.5, 1.5, 1.5] * 2
    for half in found:
        known, wanted = set(half.known[0]), set(half.wanted[0])
        assert known | wanted == set(clip.x)
        assert len(known) == len(wanted) == 6
    assert {tuple(found[0].known[0])} == {tuple(found[1].wanted[0])}
    assert set(found[0].known[0]) != set(found[4].known[0]), "another split"
    density = human.HumanMaps(0.03, 0.2).density(*found[0].known)
    assert density.sum() == pytest.approx(1)
    assert density.min() > 0


def test_scores_of_a_clip_with_gaze(tools: dict[str, ModuleType], shared_data: Path, tmp_path: Path) -> None:
    score = tools["score_sources"]
    clips = tools["gaze_clips"].read_clips(shared_data / "video-gaze", "all")
    (clip,) = [one for one in clips if one.name == SMALL_CLIP]
    assert len(clips) == 21
    stcodec.maps(clip.video, tmp_path / f"{clip.name}.mkv", attention="center")
    center, filed = (
        score.score_clip(clip, score.source_predictions(clip, score.opened(text, clip)), clips)
        for text in ("center", f"ours={tmp_path}")
    )
    for grid in ("frame", "blocks"):
        assert center[grid]["gain_bits"] == pytest.approx(0, abs=0.01)
        assert filed[grid] == pytest.approx(center[grid], abs=0.02)
        assert 0.4 < center[grid]["auc_shuffled"] < 0.7
        assert center[grid]["auc_judd"] > 0.7
    human = score.score_clip(clip, score.human_predictions(clip, tools["human_maps"].HumanMaps(0.03, 0.2), 1), clips)
    for grid in ("frame", "blocks"):
        for name in ("nss", "auc_judd", "auc_shuffled", "cc", "sim", "gain_bits"):
            assert human[grid][name] > center[grid][name]
        assert human[grid]["kl_nats"] < center[grid]["kl_nats"]
