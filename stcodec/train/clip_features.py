"""Clips as the trained part of the network sees them, and its logits on all instants of one at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stcodec.model.config import LEAST_OPENNESS, SLACK_SECONDS
from stcodec.model.network import AttentionNet
from stcodec.model.stem import Stem, Taps
from stcodec.train.recordings import Instants, Recording
from stcodec.train.views import all_features, low_features


@dataclass(frozen=True, kw_only=True)
class ClipFeatures(Instants):
    """A clip with what the stem, which is not trained on video, makes of its pictures; computed once."""

    taps: Taps
    """[T, channels, h, w] float16, at strides 8, 16 and 32."""

    @property
    def scored(self) -> Tensor:
        """[T] bool, whether enough observers fixate."""
        return self.density.flatten(1).sum(1) > 0

    def part(self, start: int, count: int) -> ClipFeatures:
        """`count` instants from one on, fewer at the end."""
        return self._each(lambda one: one[start : start + count])

    def on(self, device: str) -> ClipFeatures:
        """The same on a device, as torch names it."""
        return self._each(lambda one: one.to(device))

    def through(self, stem: Stem) -> ClipFeatures:
        """The same as a stem sees it that has the same early blocks."""
        return replace(self, taps=all_features(stem, self.taps[0]))

    def _each(self, change: Callable[[Tensor], Tensor]) -> ClipFeatures:
        low, middle, high = map(change, self.taps)
        return ClipFeatures(taps=(low, middle, high), **{name: change(one) for name, one in self.known().items()})


def features_of(recording: Recording, stem: Stem) -> ClipFeatures:
    """A recording as a stem sees it."""
    return ClipFeatures(taps=all_features(stem, low_features(stem, recording.pictures)), **recording.known())


def clip_logits(net: AttentionNet, clip: ClipFeatures, ahead: bool) -> Tensor:
    """[T, 1, H/8, W/8] for a clip of T instants; ahead: later instants may be looked at, too."""
    low, middle, high = (one.float() for one in clip.taps)
    features = net.features((low, middle, high))
    gated = net.open_gate(clip.score)
    tokens = net.temporal.tokens(features.middle, clip.motion, gated)
    count, kept = gated.index.shape
    where = clip.position.gather(1, gated.index[:, :, None].expand(-1, -1, 2))
    when = clip.seconds[:, None, None].expand(count, kept, 1)
    position = torch.cat([where, when], dim=2).reshape(1, count * kept, 3)
    flat = tokens.reshape(1, count * kept, -1)
    seen = _seen(clip, gated.openness, net.config.window_seconds, ahead)
    attended, _ = net.temporal.attention(flat, position, flat, position, seen)
    return features.logits + net.temporal.logits(attended.reshape(tokens.shape), gated, features.middle, clip.motion)


def _seen(clip: ClipFeatures, openness: Tensor, window_seconds: float, ahead: bool) -> Tensor:
    """[1, T * k, T * k] bool: which tokens each may look at: its own instant's, and the open ones of its window."""
    count, kept = openness.shape
    age = clip.seconds[:, None] - clip.seconds[None, :]
    within = (age <= window_seconds + SLACK_SECONDS) & (clip.shot[:, None] == clip.shot[None, :])
    within &= age >= (-window_seconds if ahead else 0) - SLACK_SECONDS
    open_enough = (openness > LEAST_OPENNESS).reshape(1, count * kept)
    own = torch.eye(count, dtype=torch.bool).repeat_interleave(kept, dim=1)
    allowed = within.repeat_interleave(kept, dim=1) & open_enough | own
    return allowed.repeat_interleave(kept, dim=0)[None]
