"""The attention network behind one interface of numpy arrays, whichever run-time computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.center import center_density
from stcodec.attention.neural_input import FrameMotion, open_gate
from stcodec.model.weights_file import WeightsInfo
from stcodec.types import Arrays, FloatArray, TimeArray


class FrameOutput(NamedTuple):
    """Output of the spatial branch for one picture, kept where the engine works, as its own kind of array."""

    middle: Any
    """[C, H/16, W/16] features."""
    logits: Any
    """[H/8, W/8]."""


class TokenSet(NamedTuple):
    """Tokens of one frame."""

    tokens: Any
    """[k, C], the engine's own kind of array."""
    position: FloatArray
    """[k, 3] x and y in frame widths at the shot's first instant, and seconds since then."""


@dataclass(frozen=True, eq=False, repr=False)
class GatedFrame(Arrays):
    """A frame and the tokens that the gate lets into the temporal branch, most active first."""

    frame: FrameOutput
    motion: FloatArray
    """[4, H/8, W/8]."""
    index: NDArray[np.int64]
    """[k] position in the flattened grid."""
    openness: FloatArray
    """[k] in [0, 1): the share of its update that a token takes."""


class Look(NamedTuple):
    """A frame's tokens and those that they look at."""

    gated: GatedFrame
    own: TokenSet
    window: Sequence[TokenSet]
    """Of each frame in the window; the same object wherever it is the same frame's, so that it is taken once."""


class BranchLogits(NamedTuple):
    """Logits of both branches for one frame."""

    spatial: FloatArray
    """[H/8, W/8] logits."""
    temporal: FloatArray
    """[H/8, W/8] logits."""
    share: FloatArray | None
    """[heads, k, m] how much each token of the frame looks at each of the window; sums to 1 over m. None: not asked for."""


class Engine(Protocol):
    """The network, with its weights. All items of a call are of one shape."""

    info: WeightsInfo

    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        """The spatial branch on pictures [3, H, W] in [-1, 1]."""

    def tokens(self, gated: Sequence[GatedFrame]) -> list[Any]:
        """The gated tokens [k, C] of each frame."""

    def fuse(self, looks: Sequence[Look], shares: bool = False) -> list[BranchLogits]:
        """The temporal branch: tokens look at their window. shares: whether it is asked how much at which."""


class Network:
    """The network with its gate and the sum of its branches; stateless."""

    def __init__(self, engine: Engine, balance: float, token_share: float) -> None:
        self._engine = engine
        self._balance = balance
        self._token_share = token_share

    def frames(self, pictures: list[FloatArray]) -> list[FrameOutput]:
        """The spatial branch on pictures."""
        return self._engine.frames(pictures)

    def gated(self, frames: list[FrameOutput], motions: list[FrameMotion]) -> list[tuple[GatedFrame, Any]]:
        """The gate on frames: each with the tokens that it lets through."""
        found = [
            GatedFrame(frame, motion.channels, *open_gate(motion.score, self._token_share))
            for frame, motion in zip(frames, motions, strict=True)
        ]
        return list(zip(found, self._engine.tokens(found), strict=True))

    def fused(self, looks: list[Look], shares: bool) -> list[BranchLogits]:
        """The temporal branch on frames and the tokens that they see."""
        return self._engine.fuse(looks, shares)

    def log_density(self, spatial: FloatArray, temporal: FloatArray) -> FloatArray:
        """Logits [h, w] of both branches -> log of the calibrated fixation density, which sums to 1."""
        calibration = self._engine.info.calibration
        both = min(1.0, 2 * (1 - self._balance)) * spatial + min(1.0, 2 * self._balance) * temporal
        density = _log_softmax(_log_softmax(both) / np.float32(calibration.temperature))
        if calibration.center_share == 0:
            return density
        center = center_density(*density.shape)
        return np.log((1 - calibration.center_share) * np.exp(density) + calibration.center_share * center)

    def confidence(self, sharpness_bits: float) -> float | None:
        """Expected NSS of a map so sharp; None if the weights don't tell."""
        fitted = self._engine.info.confidence
        return None if fitted is None else fitted.expected_nss(sharpness_bits)


@dataclass(frozen=True, eq=False, repr=False)
class NeuralDetail(Arrays):
    """Inner workings of one map. k tokens passed the gate; they looked at m tokens of the window."""

    pts_seconds: float
    looked_at: bool
    """False: what the spatial branch saw in an earlier picture stands for this one."""
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


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max()
    found: FloatArray = shifted - np.log(np.exp(shifted).sum())
    return found
