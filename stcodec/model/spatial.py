"""The spatial branch: attention within one frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcodec.model.stem import TAP_CHANNELS, Taps


class SpatialAttention(nn.Module):
    """Self-attention over all positions of a feature map (Vaswani et al., NeurIPS 2017), pre-norm, with an MLP.

    Positions come from a depthwise convolution in front (Chu et al., "Conditional positional encodings", ICLR 2023), so
    that a frame of any shape will do.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] -> the same shape."""
        x = x + self.position(x)
        shape = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        query, key, value = self.qkv(self.norm(tokens)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        share = torch.softmax(query @ key.transpose(2, 3) * query.shape[3] ** -0.5, dim=3)
        mixed = (share @ value).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.mlp(tokens)
        out: Tensor = tokens.transpose(1, 2).reshape(shape)
        return out


class Separable(nn.Module):
    """A residual depthwise-separable convolution."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.filter = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.mix = nn.Conv2d(channels, channels, 1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.dropout(self.mix(F.relu(self.filter(self.norm(x)))))
        return out


class SpatialBranch(nn.Module):
    """Features of the stem -> features at strides 16 and 8 that know the whole frame."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, channels, 1), nn.GroupNorm(8, channels), nn.ReLU()) for count in TAP_CHANNELS
        )
        self.attention = SpatialAttention(channels, heads)
        self.middle = nn.Sequential(Separable(channels, dropout), Separable(channels, dropout))
        self.fine = nn.Sequential(Separable(channels, dropout), Separable(channels, dropout))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, taps: Taps) -> tuple[Tensor, Tensor]:
        """[N, C, H/16, W/16] and [N, C, H/8, W/8]."""
        low, middle, high = (self.dropout(enter(tap)) for enter, tap in zip(self.enter, taps, strict=True))
        whole = self.attention(high)
        middle = self.middle(middle + doubled(whole))
        return middle, self.fine(low + doubled(middle))


def doubled(x: Tensor) -> Tensor:
    """[N, C, h, w] -> [N, C, 2h, 2w], bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
