"""Weights of the attention network in safetensors files, with all that is needed to use them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch

from stcodec.model.network import AttentionNet
from stcodec.model.stem import Stem, load_imagenet
from stcodec.model.weights_file import WEIGHTS_PATH, WeightsInfo, checked, damaged, digest, missing


def save_weights(net: AttentionNet, path: Path, info: WeightsInfo) -> WeightsInfo:
    """Store a network's weights: matrices and filters as float16, the rest as float32.

    info: its config must be the network's. What was stored, with its sha256, comes back.
    """
    if info.config != net.config:
        raise ValueError(f"the network was made with {net.config}, not with {info.config}")
    tensors = {key: _stored(value) for key, value in net.state_dict().items() if value.dtype.is_floating_point}
    whole = replace(info, sha256=digest(safetensors.torch.save(tensors)))
    path.write_bytes(safetensors.torch.save(tensors, whole.metadata()))
    return whole


def load_weights(path: Path = WEIGHTS_PATH) -> tuple[AttentionNet, WeightsInfo]:
    """The network in evaluation mode, float32 on the CPU, and what is stored with it.

    Raises AttentionError if the file is missing, truncated, damaged, or of another version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise missing(path, error) from None
    info = checked(content, path.name)
    net = AttentionNet(info.config)
    try:
        tensors = {key: value.float() for key, value in safetensors.torch.load(content).items()}
        left_out = net.load_state_dict(tensors, strict=False)
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise damaged(path.name, f"the weights don't fit the network ({str(error).splitlines()[0]})") from None
    lacking = [key for key in left_out.missing_keys if not key.endswith("num_batches_tracked")]
    if lacking or left_out.unexpected_keys:
        raise damaged(
            path.name, f"the weights don't fit the network ({', '.join(lacking + left_out.unexpected_keys)[:200]})"
        )
    return net.eval(), info


def load_stem(stem: Stem, path: Path) -> bool:
    """Fill a stem from weights of stcodec (.safetensors), or from ImageNet weights; True if gaze has trained it already.

    Raises AttentionError if the file can't be read, or holds something else.
    """
    if path.suffix != ".safetensors":
        load_imagenet(stem, path)
        return False
    stem.load_state_dict(load_weights(path)[0].stem.state_dict())
    return True


def _stored(value: torch.Tensor) -> torch.Tensor:
    return value.detach().cpu().contiguous().to(torch.float16 if value.dim() > 1 else torch.float32)
