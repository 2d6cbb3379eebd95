"""The network on a run of instants at once, each with its own window: what its step-by-step use computes."""

from __future__ import annotations

import torch
from torch import Tensor

from stcodec.model.config import LEAST_OPENNESS, SLACK_SECONDS
from stcodec.model.network import AttentionNet
from stcodec.train.runs import Run


def run_logits(net: AttentionNet, run: Run, ahead: bool) -> Tensor:
    """[T, 1, H/8, W/8] for a run of T instants; ahead: later instants may be looked at, too."""
    low, middle, high = (one.float() for one in run.taps)
    features = net.features((low, middle, high))
    gated = net.open_gate(run.score)
    tokens = net.temporal.tokens(features.middle, run.motion, gated)
    count, kept = gated.index.shape
    where = run.position.gather(1, gated.index[:, :, None].expand(-1, -1, 2))
    when = run.seconds[:, None, None].expand(count, kept, 1)
    position = torch.cat([where, when], dim=2).reshape(1, count * kept, 3)
    flat = tokens.reshape(1, count * kept, -1)
    seen = _seen(run, gated.openness, net.config.window_seconds, ahead)
    attended, _ = net.temporal.attention(flat, position, flat, position, seen)
    return features.logits + net.temporal.logits(attended.reshape(tokens.shape), gated, features.middle, run.motion)


def _seen(run: Run, openness: Tensor, window_seconds: float, ahead: bool) -> Tensor:
    """[1, T * k, T * k] bool: which tokens each may look at: its own instant's, and the open ones of its window."""
    count, kept = openness.shape
    age = run.seconds[:, None] - run.seconds[None, :]
    within = (age <= window_seconds + SLACK_SECONDS) & (run.shot[:, None] == run.shot[None, :])
    within &= age >= (-window_seconds if ahead else 0) - SLACK_SECONDS
    open_enough = (openness > LEAST_OPENNESS).reshape(1, count * kept)
    own = torch.eye(count, dtype=torch.bool).repeat_interleave(kept, dim=1)
    allowed = within.repeat_interleave(kept, dim=1) & open_enough | own
    return allowed.repeat_interleave(kept, dim=0)[None]
