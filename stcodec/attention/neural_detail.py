"""The inner workings of one map of the neural source, for those who want to see them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray, TimeArray


@dataclass(frozen=True)
class NeuralDetail:
    """How one map came about. k tokens passed the gate; they looked at m tokens of the window."""

    pts_seconds: float
    gate_score: FloatArray
    """[H/16, W/16] in [0, 1]: motion and change beside the camera's."""
    token_index: NDArray[np.int64]
    """[k] the gated tokens' positions in that grid, flattened."""
    openness: FloatArray
    """[k] in [0, 1): how far the gate is open for each."""
    attention_share: FloatArray
    """[heads, k, m] how much each token looks at each of the window; sums to 1 over m."""
    window_pts_seconds: TimeArray
    """[m] when the window's tokens were shown."""
    window_position: FloatArray
    """[m, 2] where they lie, x and y in frame widths from the centre of the shot's first frame."""
    spatial_density: FloatArray
    """[H/8, W/8] the density by the spatial branch alone, sums to 1."""
    temporal_gain: FloatArray
    """[H/8, W/8] what the temporal branch adds to its logarithm, less the mean over the frame."""
    temporal_share: float
    """The temporal branch's share of the map, 0 to 1: of the sum of both branches' standard deviations of the logits."""


def branch_maps(spatial: FloatArray, temporal: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """(spatial_density, temporal_gain, temporal_share) of the logits [h, w] of both branches."""
    weight = np.exp(spatial - spatial.max())
    spread = float(spatial.std()), float(temporal.std())
    share = spread[1] / sum(spread) if sum(spread) > 0 else 0.0
    return weight / weight.sum(), temporal - temporal.mean(), share
