"""What runs the network: the CPU by ONNX Runtime, or torch; both behind one interface of numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stcodec.errors import AttentionError, OptionsError
from stcodec.model.weights_file import WeightsInfo
from stcodec.types import FloatArray

DEVICES = "auto, cpu, cuda, cuda:N or torch"
_DEVICE = re.compile(r"auto|cpu|torch|cuda(:\d{1,3})?")
_GPU_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")


class FrameOutput(NamedTuple):
    """What the spatial branch says of one picture."""

    middle: FloatArray
    """[C, H/16, W/16] features."""
    logits: FloatArray
    """[H/8, W/8]."""


class TokenSet(NamedTuple):
    """Tokens of one frame, or of several together."""

    tokens: FloatArray
    """[k, C]."""
    position: FloatArray
    """[k, 3] x and y in frame widths at the shot's first instant, and seconds since then."""


class Fused(NamedTuple):
    """What the temporal branch says of one frame."""

    logits: FloatArray
    """[H/8, W/8]."""
    share: FloatArray
    """[heads, k, m] how much each token of the frame looks at each of the window; sums to 1 over m."""


class Engine(Protocol):
    """The network, with its weights."""

    info: WeightsInfo

    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        """The spatial branch on pictures [3, H, W] of one size, in [-1, 1]."""

    def tokens(self, middle: FloatArray, motion: FloatArray, index: NDArray[np.int64]) -> FloatArray:
        """[k, C]: the tokens at positions [k] of features [C, H/16, W/16] and motion [4, H/8, W/8]."""

    def fuse(
        self,
        own: TokenSet,
        window: TokenSet,
        index: NDArray[np.int64],
        openness: FloatArray,
        middle: FloatArray,
        motion: FloatArray,
    ) -> Fused:
        """The temporal branch: own tokens [k] look at the window's [m]."""


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
