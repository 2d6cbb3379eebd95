"""The two stages of training: pictures with gaze, then video with gaze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stcodec.model.network import AttentionNet
from stcodec.train.config import TrainConfig
from stcodec.train.images import GazedImage, batch_of
from stcodec.train.loop import fit
from stcodec.train.losses import gaze_loss
from stcodec.train.recordings import Recording
from stcodec.train.sequence import run_logits

Report = Callable[[str, int, float], None]
"""Told the stage, the steps done and the loss."""


def train_images(
    net: AttentionNet, images: Sequence[GazedImage], config: TrainConfig, report: Report, checkpoint: Path | None = None
) -> None:
    """The first stage; at its end the video's centre prior is the mean of those of the pictures."""

    def loss_of(net: AttentionNet, step: int) -> Tensor:
        random = np.random.default_rng((config.seed, 0, step))
        with _precision(config):
            return _image_loss(net, images, config.images.batch, config, random)

    torch.manual_seed(config.seed)
    net.to(config.device)
    fit(net, config.images, loss_of, checkpoint=checkpoint, report=lambda step, loss: report("images", step, loss))
    with torch.no_grad():
        net.prior[-1] = net.prior[:-1].mean(0)


def train_video(
    net: AttentionNet,
    recordings: Sequence[Recording],
    images: Sequence[GazedImage],
    config: TrainConfig,
    report: Report,
    checkpoint: Path | None = None,
) -> None:
    """The second stage: runs of video, mirrored or not, with or without a look ahead, and pictures beside them."""
    mirrored = [one.mirrored() for one in recordings]

    def loss_of(net: AttentionNet, step: int) -> Tensor:
        random = np.random.default_rng((config.seed, 1, step))
        with _precision(config):
            losses = []
            for number in random.choice(len(recordings), min(config.video.batch, len(recordings)), replace=False):
                clip = (recordings, mirrored)[int(random.integers(2))][number]
                start = int(random.integers(max(1, len(clip.seconds) - config.instants + 1)))
                losses.append(_run_loss(net, clip.run(start, config.instants), bool(random.integers(2)), config))
            total = torch.stack(losses).mean()
            if images and config.replay:
                total = total + config.replay_weight * _image_loss(net, images, config.replay, config, random)
            return total

    torch.manual_seed(config.seed + 1)
    net.to(config.device)
    fit(
        net,
        config.video,
        loss_of,
        averaging=config.averaging,
        checkpoint=checkpoint,
        report=lambda step, loss: report("video", step, loss),
    )


def _image_loss(
    net: AttentionNet, images: Sequence[GazedImage], count: int, config: TrainConfig, random: np.random.Generator
) -> Tensor:
    pictures, densities, priors = (one.to(config.device) for one in batch_of(list(images), count, random))
    features = net.features(net.stem(pictures), priors)
    return gaze_loss(features.logits, densities, config.cc_weight)


def _run_loss(net: AttentionNet, run: Recording, ahead: bool, config: TrainConfig) -> Tensor:
    if not bool(run.scored.any()):
        return torch.zeros((), device=config.device)
    run = run.on(config.device)
    logits = run_logits(net, run, ahead)
    return gaze_loss(logits[run.scored], run.density[run.scored], config.cc_weight)


def _precision(config: TrainConfig) -> torch.autocast:
    kind = config.device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda")
