"""The attention network: pictures and their motion -> a fixation density, by a spatial and a temporal branch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcodec.model.config import PRIOR_SHAPE, STRIDE, TOKEN_STRIDE, NetworkConfig
from stcodec.model.spatial import SpatialBranch
from stcodec.model.stem import Stem, Taps
from stcodec.model.temporal import Gated, TemporalBranch, gate

__all__ = ["PRIOR_SHAPE", "STRIDE", "TOKEN_STRIDE", "AttentionNet", "FrameFeatures", "NetworkConfig", "log_density"]


class FrameFeatures(NamedTuple):
    """Features of N frames, each by itself."""

    middle: Tensor
    """[N, C, H/16, W/16]."""
    logits: Tensor
    """[N, 1, H/8, W/8], the spatial branch's."""


class AttentionNet(nn.Module):
    """Factorised attention over space, then time; see docs/model-card.md."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        channels = self.config.channels
        self.stem = Stem()
        self.spatial = SpatialBranch(channels, channels // 16, self.config.dropout)
        self.head = nn.Conv2d(channels, 1, 1)
        self.prior = nn.Parameter(torch.zeros(self.config.priors, 1, *PRIOR_SHAPE))
        self.temporal = TemporalBranch(channels, channels // 16, self.config.dropout)

    def frames(self, pictures: Tensor) -> FrameFeatures:
        """The spatial branch on pictures [N, 3, H, W] in [-1, 1]; H and W are multiples of 32."""
        return self.features(self.stem(pictures))

    def features(self, taps: Taps, prior: int | Tensor = -1) -> FrameFeatures:
        """The spatial branch on the stem's features; prior: which of the learnt priors, one or [N]."""
        middle, fine = self.spatial(taps)
        chosen = self.prior[prior] if isinstance(prior, Tensor) else self.prior[prior][None]
        bias = F.interpolate(chosen, size=fine.shape[2:], mode="bilinear", align_corners=False)
        return FrameFeatures(middle, self.head(fine) + bias)

    def open_gate(self, score: Tensor) -> Gated:
        """The gate for scores [N, H/16, W/16]."""
        return gate(score, self.config.token_share)


def log_density(logits: Tensor) -> Tensor:
    """log of a density that sums to 1 over the last two dimensions, of logits [N, 1, h, w] or [N, h, w]."""
    return torch.log_softmax(logits.flatten(-2), dim=-1).reshape(logits.shape)
