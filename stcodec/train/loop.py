"""The training loop: one for both stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from stcodec.model.network import AttentionNet
from stcodec.train.config import StageConfig

Loss = Callable[[AttentionNet, int], Tensor]
"""Draws the batch of a step, counted from 0, and computes its loss; the same step gives the same batch."""
_CLIP_NORM = 1.0
_SAVE_EVERY = 20


def parameter_groups(net: AttentionNet, stage: StageConfig) -> Iterator[tuple[list[nn.Parameter], float]]:
    """Parameters that a stage trains, with the peak learning rate of each; everything else is frozen."""
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    later = [one for block in list(net.stem.blocks)[5:] for one in block.parameters()]
    spatial = [*net.spatial.parameters(), *net.head.parameters(), net.prior]
    temporal = list(net.temporal.parameters())
    for group, rate in ((later, stage.stem_rate), (spatial, stage.spatial_rate), (temporal, stage.temporal_rate)):
        if rate > 0:
            for parameter in group:
                parameter.requires_grad_(True)
            yield group, rate


def fit(
    net: AttentionNet,
    stage: StageConfig,
    loss_of: Loss,
    *,
    averaging: float | None = None,
    checkpoint: Path | None = None,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train a network in place; batch normalisation of the stem stays as it came.

    averaging: decay of the running mean of the weights over the second half
    of the steps, which the network ends with; checkpoint: written every few steps, and gone on from if it is there.
    """
    groups = list(parameter_groups(net, stage))
    optimiser = torch.optim.AdamW([{"params": group, "lr": rate} for group, rate in groups], weight_decay=stage.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [rate for _, rate in groups], total_steps=stage.steps, pct_start=stage.rising_share
    )
    everything = [one for group, _ in groups for one in group]
    mean: dict[str, Tensor] | None = None
    first = 0
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        mean, first = state["mean"], state["step"]
    for step in range(first, stage.steps):
        net.train()
        net.stem.eval()
        loss = loss_of(net, step)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(everything, _CLIP_NORM)
        optimiser.step()
        schedule.step()
        if averaging is not None and step >= stage.steps // 2:
            mean = _averaged(mean, net, averaging)
        if report is not None:
            report(step + 1, float(loss.detach()))
        if checkpoint is not None and (step + 1) % _SAVE_EVERY == 0:
            state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
            partial = checkpoint.with_suffix(".part")
            torch.save({**state, "random": torch.get_rng_state(), "mean": mean, "step": step + 1}, partial)
            partial.replace(checkpoint)
    if mean is not None:
        net.load_state_dict(mean, strict=False)
    net.eval()


def _averaged(mean: dict[str, Tensor] | None, net: AttentionNet, decay: float) -> dict[str, Tensor]:
    now = {key: value.detach().clone() for key, value in net.state_dict().items() if value.dtype.is_floating_point}
    if mean is None:
        return now
    return {key: decay * mean[key] + (1 - decay) * value for key, value in now.items()}
