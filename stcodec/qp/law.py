"""The law that turns attention into QP offsets.

Minimising the weighted distortion sum(w D) at a given rate, with D ~ 2^(QP/3), gives delta_QP = -3 log2(w / w_bar), w_bar
the geometric mean (the form that XPSNR uses: Helmrich et al., ITU Journal: ICT Discoveries 3(1), 2020, eq. 17, and VVenC's
perceptual QP adaptation). The weight that is right in expectation is the expected gaze density.
"""

from __future__ import annotations

import numpy as np

from stcodec.options import OffsetPolicy
from stcodec.qp.grid import BlockAverage, block_areas
from stcodec.types import BlockGrid, FloatArray

QP_PER_HALVING = 3.0
"""QP steps that halve the distortion (the squared error) in the high-rate model D ~ 2^(QP/3)."""


class QpLaw:
    """Turns saliency maps into QP offsets on one block grid."""

    def __init__(self, grid: BlockGrid, policy: OffsetPolicy) -> None:
        self.grid = grid
        self.policy = policy
        self._areas = block_areas(grid)
        self._averages: dict[tuple[int, int], BlockAverage] = {}

    def __call__(self, saliency: FloatArray) -> FloatArray:
        """Offsets [rows, cols] in QP steps for a map [h, w] in coded orientation, values >= 0 on any scale."""
        return self.offsets(self.blocks(saliency))

    def offsets(self, blocks: FloatArray) -> FloatArray:
        """Offsets [rows, cols] for saliency that is on the block grid already."""
        weights = self.weights(blocks)
        delta: FloatArray = np.float32(-QP_PER_HALVING * self.policy.strength) * np.log2(weights)
        delta -= self._mean(delta)
        delta = np.clip(delta, self.policy.min_delta_qp, self.policy.max_delta_qp)
        delta -= self._mean(delta)
        delta += self._anchor_shift(blocks, delta)
        if self.policy.step_qp > 0:
            delta = np.rint(delta / self.policy.step_qp) * self.policy.step_qp
        return delta.astype(np.float32)

    def blocks(self, saliency: FloatArray) -> FloatArray:
        """A map [h, w] in coded orientation, averaged over the blocks: [rows, cols]."""
        height, width = saliency.shape
        if (height, width) not in self._averages:
            self._averages[height, width] = BlockAverage(self.grid, height, width)
        return self._averages[height, width](saliency)

    def weights(self, blocks: FloatArray) -> FloatArray:
        """Weights [rows, cols] with mean 1 over the frame, from block saliency: mixed with an even share, the floor.

        A map of zeros says nothing and gives even weights.
        """
        mean = self._mean(blocks)
        if mean <= 0:
            return np.ones_like(blocks)
        floor = self.policy.floor
        return ((1 - floor) * blocks / mean + floor).astype(np.float32)

    def _mean(self, values: FloatArray) -> float:
        return float((values * self._areas).sum())

    def _anchor_shift(self, blocks: FloatArray, delta: FloatArray) -> float:
        """QP steps to add to offsets whose mean is 0, for block saliency."""
        anchor = self.policy.anchor
        if anchor == "mean":
            return 0.0
        if anchor in ("attended", "half"):
            shift = attended_shift(blocks * self._areas, delta) if blocks.any() else 0.0
            return shift if anchor == "attended" else shift / 2
        return float(anchor)


def attended_shift(weights: FloatArray, delta: FloatArray) -> float:
    """The shift that keeps the attended quality of a plain encode with the same constant rate factor.

    To first order that is the shift that makes the weighted mean of the offsets zero: attended blocks keep their QP on
    average. docs/calibration.md has what becomes of quality then. >= 0 when the offsets favour what the weights do.
    """
    return -float((weights * delta).sum() / weights.sum())
