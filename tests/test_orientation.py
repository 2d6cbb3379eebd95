"""Turned as players turn it, in one place."""

from __future__ import annotations

import numpy as np
from test_layers import PACKAGE

from stcodec.orientation import to_coded, to_display
from stcodec.types import BlockGrid, Clip, SaliencyTrack


def test_display_is_clockwise_and_coded_the_way_back() -> None:
    coded = np.array([[1, 2], [3, 4], [5, 6]])
    assert to_display(coded, 90).tolist() == [[5, 3, 1], [6, 4, 2]]
    assert to_display(coded, 180).tolist() == [[6, 5], [4, 3], [2, 1]]
    for degrees in (0, 90, 180, 270):
        assert np.array_equal(to_coded(to_display(coded, degrees), degrees), coded)
    assert np.array_equal(to_display(coded, 0), coded)


def test_nothing_else_turns_arrays() -> None:
    found = [path.name for path in PACKAGE.rglob("*.py") if "rot90" in path.read_text(encoding="utf-8")]
    assert found == ["orientation.py"]


def test_arrays_are_shown_by_their_shape_and_told_apart_by_identity() -> None:
    def track() -> SaliencyTrack:
        return SaliencyTrack(np.zeros((1, 90, 160), np.float32), np.zeros(1), np.ones(1, np.bool_), 1280, 720, "center")

    one, other = track(), track()
    shown = repr(one)
    assert "SaliencyTrack(saliency=float32[1, 90, 160], pts_seconds=float64[1], shot_starts=bool[1]" in shown
    assert one != other
    assert len({one, other}) == 2
    assert Clip.__eq__ is object.__eq__
    assert BlockGrid(16, 16, 8) == BlockGrid(16, 16, 8)
