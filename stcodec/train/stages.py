"""The stages of training: pictures with gaze, synthetic video made of them, then video with gaze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from stcodec.attention.center import center_density
from stcodec.model.config import DENSITY_CHANNEL, DENSITY_CHANNEL_UNIT, PRIOR_SHAPE
from stcodec.model.network import AttentionNet
from stcodec.train.clip_features import ClipFeatures, clip_logits
from stcodec.train.config import TrainConfig
from stcodec.train.loop import fit
from stcodec.train.losses import gaze_loss
from stcodec.train.views import Views

Report = Callable[[str, int, float], None]
"""Told the stage, the steps done and the loss."""
CENTER_POWER = 0.6
MOTION_POWER = 0.2
_SEEDS = {"images": 0, "video": 1, "synthetic": 2}
"""Numbers that keep the draws of the stages apart."""


def train_images(
    net: AttentionNet, views: Views, config: TrainConfig, report: Report, checkpoint: Path | None = None
) -> None:
    """The first stage; at its end what is known of video is put in as a start (see `expect_video`)."""

    def loss_of(net: AttentionNet, step: int) -> Tensor:
        random = np.random.default_rng((config.seed, _SEEDS["images"], step))
        with _precision(config):
            drawn = views.sample(config.images.batch, random).on(config.device)
            return _views_loss(net, drawn, config, trains_stem=config.trains_stem)

    torch.manual_seed(config.seed)
    net.to(config.device)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU
    fit(net, config.images, loss_of, checkpoint=checkpoint, report=lambda step, loss: report("images", step, loss))
    expect_video(net)


@torch.no_grad()
def expect_video(net: AttentionNet) -> None:
    """Set the start of learning from video: its viewers keep to the centre more than those of pictures, and motion draws.

    The video's centre prior is the mean of those of the pictures times a power of the fitted one; the log of the motion
    source's density over its prior counts for a share. Both powers were chosen in cross-validation (docs/model-card.md).
    """
    center = torch.from_numpy(np.log(center_density(*PRIOR_SHAPE))).to(net.prior)
    net.prior[-1] = net.prior[:-1].mean(0) + CENTER_POWER * center
    net.temporal.direct[DENSITY_CHANNEL] = MOTION_POWER * DENSITY_CHANNEL_UNIT


def train_clips(
    net: AttentionNet,
    stage: Literal["synthetic", "video"],
    clips: Sequence[Sequence[ClipFeatures]],
    pictures: Views,
    config: TrainConfig,
    report: Report,
    checkpoint: Path | None = None,
) -> None:
    """A stage on clips of video, with or without a look ahead, and pictures beside them.

    clips: what is drawn from, each as a few versions of the same (as it is, mirrored). The stem is not trained.
    """
    settings = config.synthetic if stage == "synthetic" else config.video

    def loss_of(net: AttentionNet, step: int) -> Tensor:
        random = np.random.default_rng((config.seed, _SEEDS[stage], step))
        with _precision(config):
            losses = []
            for number in random.choice(len(clips), min(settings.batch, len(clips)), replace=False):
                whole = clips[number][int(random.integers(len(clips[number])))]
                start = int(random.integers(max(1, len(whole) - config.instants + 1)))
                clip = whole.part(start, config.instants).on(config.device)
                losses.append(_clip_loss(net, clip, bool(random.integers(2)), config))
            total = torch.stack(losses).mean()
            if config.replay and settings.spatial_rate > 0:
                drawn = pictures.sample(config.replay, random).on(config.device)
                total = total + config.replay_weight * _views_loss(net, drawn, config)
            return total

    torch.manual_seed(config.seed + _SEEDS[stage])
    net.to(config.device)
    fit(
        net,
        settings,
        loss_of,
        averaging=config.averaging,
        checkpoint=checkpoint,
        report=lambda step, loss: report(stage, step, loss),
    )


def _clip_loss(net: AttentionNet, clip: ClipFeatures, ahead: bool, config: TrainConfig) -> Tensor:
    scored = clip.scored
    if not bool(scored.any()):
        return torch.zeros((), device=config.device)
    logits = clip_logits(net, clip, ahead)
    return gaze_loss(logits[scored], clip.density[scored], config.cc_weight)


def _views_loss(net: AttentionNet, drawn: Views, config: TrainConfig, *, trains_stem: bool = False) -> Tensor:
    low, middle, high = (one.float() for one in drawn.taps)
    if trains_stem:
        low = low.contiguous(memory_format=torch.channels_last)
        middle, high = net.stem.high(low)
    return gaze_loss(net.features((low, middle, high), drawn.prior).logits, drawn.density, config.cc_weight)


def _precision(config: TrainConfig) -> torch.autocast:
    kind = config.device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")
