"""What runs the network: the CPU by ONNX Runtime, or torch; both behind one interface of numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stcodec.errors import AttentionError, OptionsError
from stcodec.model.weights_file import WeightsInfo
from stcodec.types import FloatArray

DEVICES = "auto, cpu, cuda, cuda:N or torch"
_DEVICE = re.compile(r"auto|cpu|torch|cuda(:\d{1,3})?")
_GPU_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")


class FrameOutput(NamedTuple):
    """What the spatial branch says of one picture; both are kept where the engine works, as its own kind of array."""

    middle: Any
    """[C, H/16, W/16] features."""
    logits: Any
    """[H/8, W/8]."""


class TokenSet(NamedTuple):
    """Tokens of one frame."""

    tokens: Any
    """[k, C], the engine's own kind of array."""
    position: FloatArray
    """[k, 3] x and y in frame widths at the shot's first instant, and seconds since then."""


@dataclass(frozen=True)
class Gated:
    """A frame, and which of its tokens enter the temporal branch, most active first."""

    frame: FrameOutput
    motion: FloatArray
    """[4, H/8, W/8]."""
    index: NDArray[np.int64]
    """[k] position in the flattened grid."""
    openness: FloatArray
    """[k] in [0, 1): the share of its update that a token takes."""


class Look(NamedTuple):
    """A frame's tokens and those that they look at."""

    gated: Gated
    own: TokenSet
    window: Sequence[TokenSet]
    """Of each frame in the window; the same object wherever it is the same frame's, so that it is taken once."""


class Fused(NamedTuple):
    """What both branches say of one frame."""

    spatial: FloatArray
    """[H/8, W/8] logits."""
    temporal: FloatArray
    """[H/8, W/8] logits."""
    share: FloatArray | None
    """[heads, k, m] how much each token of the frame looks at each of the window; sums to 1 over m. None: not asked for."""


class Engine(Protocol):
    """The network, with its weights. All items of a call are of one shape."""

    info: WeightsInfo

    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        """The spatial branch on pictures [3, H, W] in [-1, 1]."""

    def tokens(self, gated: Sequence[Gated]) -> list[Any]:
        """The gated tokens [k, C] of each frame."""

    def fuse(self, looks: Sequence[Look], shares: bool = False) -> list[Fused]:
        """The temporal branch: tokens look at their window. shares: whether it is asked how much at which."""


def checked_device(text: str) -> str:
    """The name of a device. Raises OptionsError if it is none."""
    if not _DEVICE.fullmatch(text):
        raise OptionsError(f"device {text!r}: allowed are {DEVICES}")
    return text


def finds_gpu() -> bool:
    """Whether torch can use a GPU; without a GPU's device files torch is not even imported, which takes seconds."""
    if not any(Path(node).exists() for node in _GPU_NODES):
        return False
    from stcodec.attention.neural_torch import gpu_count

    return gpu_count() > 0


@lru_cache(maxsize=4)
def open_engine(device: str, weights: Path) -> Engine:
    """The network on a device: "auto", "cpu", "cuda", "cuda:N", or "torch" (torch on the CPU).

    Raises OptionsError for another name, and AttentionError if the device is not there or the weights can't be used.
    """
    checked_device(device)
    if device == "auto":
        device = "cuda" if finds_gpu() else "cpu"
    if device == "cpu":
        from stcodec.attention.neural_onnx import OnnxEngine

        return OnnxEngine(weights)
    from stcodec.attention.neural_torch import TorchEngine

    return TorchEngine(weights, "cpu" if device == "torch" else device)


def absent(device: str, count: int) -> AttentionError:
    """The error for a GPU that is not there."""
    there = f"torch sees {count} GPU{'s' if count != 1 else ''}" if count else "torch sees no GPU"
    return AttentionError(f"device {device}: {there}: use --device cpu, or auto")
