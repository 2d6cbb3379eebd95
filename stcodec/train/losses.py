"""Distance of a predicted density to where people looked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stcodec.model.network import log_density

_TINY = 1e-9


def divergence(log_predicted: Tensor, target: Tensor) -> Tensor:
    """KL(target || predicted) in nats, [N], of densities [N, h, w] that sum to 1."""
    return (target * ((target + _TINY).log() - log_predicted)).flatten(1).sum(1)


def correlation(predicted: Tensor, target: Tensor) -> Tensor:
    """Pearson's correlation, [N], of maps [N, h, w]."""
    a, b = (one.flatten(1) - one.flatten(1).mean(1, keepdim=True) for one in (predicted, target))
    product: Tensor = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-12)
    return product


def gaze_loss(logits: Tensor, target: Tensor, cc_weight: float) -> Tensor:
    """Mean of KL - cc_weight * CC over logits [N, 1, h, w] and densities [N, h, w]."""
    log_predicted = log_density(logits.float())[:, 0]
    return (divergence(log_predicted, target) - cc_weight * correlation(log_predicted.exp(), target)).mean()


def fixation_map(x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]], shape: tuple[int, int]) -> Tensor:
    """The density [h, w], sums to 1, of fixations x, y [N] in shares of the frame: Gaussians of sigma = width / 40."""
    height, width = shape
    sigma = width / 40

    def gaussians(place: NDArray[np.floating[Any]], cells: int) -> Tensor:
        centres = torch.from_numpy(place.astype(np.float32))[:, None] * cells
        each = torch.exp(-0.5 * (((torch.arange(cells) + 0.5)[None] - centres) / sigma) ** 2)
        return each / (each.sum(1, keepdim=True) + _TINY)

    total = gaussians(y, height).T @ gaussians(x, width)
    return total / total.sum()
