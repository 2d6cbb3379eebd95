"""The temporal branch: attention across frames, for the tokens that move or change only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcodec.model.config import HALF_OPEN, MOTION_CHANNELS
from stcodec.model.spatial import Separable, doubled

__all__ = ["MOTION_CHANNELS", "Gated", "TemporalAttention", "TemporalBranch", "gate", "picked", "rotated", "scattered"]

_SPACE_CYCLES = (0.5, 1.5, 4.0)
"""Cycles per frame width of the rotary position code along x and along y."""
_TIME_CYCLES = (0.25, 1.0)
"""Cycles per second of the rotary position code along time."""


@dataclass(frozen=True)
class Gated:
    """The tokens of one or more frames that pass the gate, most active first."""

    index: Tensor
    """[N, k] int64, position in the flattened grid [h * w]."""
    openness: Tensor
    """[N, k] in [0, 1), how far the gate is open: the share of its update that a token takes."""


def gate(score: Tensor, share: float) -> Gated:
    """The top share of the tokens by a score [N, h, w] >= 0 of motion and change; a score of 0 never opens the gate."""
    flat = score.flatten(1)
    kept = max(1, round(share * flat.shape[1]))
    best, index = torch.topk(flat, kept, dim=1)
    return Gated(index, best / (best + HALF_OPEN))


def picked(x: Tensor, index: Tensor) -> Tensor:
    """Tokens [N, k, C] of a feature map [N, C, h, w]."""
    return x.flatten(2).transpose(1, 2).gather(1, index[:, :, None].expand(-1, -1, x.shape[1]))


def scattered(tokens: Tensor, index: Tensor, like: Tensor) -> Tensor:
    """Tokens [N, k, C] back on a map of the shape of `like` [N, C, h, w], 0 elsewhere."""
    flat = torch.zeros_like(like.flatten(2).transpose(1, 2))
    filled = flat.scatter(1, index[:, :, None].expand(-1, -1, like.shape[1]), tokens.to(flat.dtype))
    return filled.transpose(1, 2).reshape(like.shape)


def position_cycles() -> Tensor:
    """[3, 8] cycles of the rotary position code for each of x, y (in frame widths) and time (in seconds)."""
    each = len(_SPACE_CYCLES)
    cycles = torch.zeros(3, 2 * each + len(_TIME_CYCLES))
    cycles[0, :each] = cycles[1, each : 2 * each] = torch.tensor(_SPACE_CYCLES)
    cycles[2, 2 * each :] = torch.tensor(_TIME_CYCLES)
    return cycles


def rotated(x: Tensor, position: Tensor, cycles: Tensor) -> Tensor:
    """Rotary position code (Su et al., Neurocomputing 568, 2024): scores depend on differences of positions only.

    x: [N, heads, k, 16]; position: [N, k, 3] x and y in frame widths, seconds; cycles: `position_cycles`.
    """
    angle = (position @ cycles * (2 * math.pi))[:, None]
    first, second = x.chunk(2, dim=3)
    return torch.cat(
        [first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()],
        dim=3,
    )


class TemporalAttention(nn.Module):
    """Gated tokens of one frame look at the gated tokens of all frames of the window."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        self.recency = nn.Parameter(torch.linspace(0.5, 4.0, heads))
        self.cycles: Tensor
        self.register_buffer("cycles", position_cycles(), persistent=False)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(
        self, tokens: Tensor, position: Tensor, window: Tensor, window_position: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens [N, k, C] after looking at the window's [N, m, C], and the attention shares [N, heads, k, m].

        position: [N, k, 3], window_position: [N, m, 3], x and y in frame widths with the camera's motion removed, and
        seconds; seen: [N, k or 1, m] bool, False where a token of the window may not be looked at.
        """
        query = rotated(self._split(self.query(self.norm(tokens))), position, self.cycles)
        normed = self.norm(window)
        key = rotated(self._split(self.key(normed)), window_position, self.cycles)
        value = self._split(self.value(normed))
        score = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
        age = (position[:, :, None, 2] - window_position[:, None, :, 2]).abs()
        score = score - self.recency.abs()[None, :, None, None] * age[:, None]
        share = torch.softmax(score.masked_fill(~seen[:, None], -1e4), dim=3)
        tokens = tokens + self.out((share @ value).transpose(1, 2).flatten(2))
        return tokens + self.mlp(tokens), share

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class TemporalBranch(nn.Module):
    """Tokens that move against the camera, seen over time -> their part of the logits."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.enter = nn.Linear(channels + MOTION_CHANNELS, channels)
        self.attention = TemporalAttention(channels, heads)
        self.motion = nn.Sequential(nn.Conv2d(MOTION_CHANNELS, 16, 5, padding=2), nn.ReLU())
        self.mix = nn.Conv2d(channels + 16, channels, 1)
        self.settle = Separable(channels, dropout)
        self.head = nn.Conv2d(channels, 1, 1)
        for start in self.head.parameters():
            nn.init.zeros_(start)  # at first the temporal branch changes nothing
        self.direct = nn.Parameter(torch.zeros(MOTION_CHANNELS))

    def tokens(self, middle: Tensor, motion: Tensor, gated: Gated) -> Tensor:
        """The gated tokens [N, k, C] of features [N, C, H/16, W/16] and motion [N, 4, H/8, W/8]."""
        coarse = F.avg_pool2d(motion, 2)
        entered: Tensor = self.enter(torch.cat([picked(middle, gated.index), picked(coarse, gated.index)], dim=2))
        return entered

    def logits(self, tokens: Tensor, gated: Gated, middle: Tensor, motion: Tensor) -> Tensor:
        """[N, 1, H/8, W/8] out of the tokens after attention."""
        update = scattered(tokens * gated.openness[:, :, None], gated.index, middle)
        x = self.mix(torch.cat([doubled(update), self.motion(motion)], dim=1))
        out: Tensor = self.head(F.relu(self.settle(x))) + (motion * self.direct[:, None, None]).sum(1, keepdim=True)
        return out
