"""The attention network by torch: on a GPU, and on the CPU to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stcodec.attention.neural_engine import FrameOutput, Fused, TokenSet, absent
from stcodec.model.temporal import Gated
from stcodec.model.weights import load_weights
from stcodec.types import FloatArray

_BATCH = 32
"""Pictures that go through the spatial branch together."""


def gpu_count() -> int:
    """How many GPUs torch can use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


class TorchEngine:
    """The network in float32 on one device."""

    def __init__(self, weights: Path, device: str) -> None:
        """device: "cpu", "cuda" or "cuda:N". Raises AttentionError if it is not there, or the weights can't be used."""
        self._device = torch.device(device)
        if self._device.type == "cuda" and (self._device.index or 0) >= gpu_count():
            raise absent(device, gpu_count())
        net, self.info = load_weights(weights)
        self._net = net.to(self._device)

    @torch.inference_mode()
    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        found = []
        for first in range(0, len(pictures), _BATCH):
            batch = self._sent(np.stack(pictures[first : first + _BATCH]))
            middle, logits = self._net.frames(batch)
            found += [FrameOutput(*one) for one in zip(_array(middle), _array(logits[:, 0]), strict=True)]
        return found

    @torch.inference_mode()
    def tokens(self, middle: FloatArray, motion: FloatArray, index: NDArray[np.int64]) -> FloatArray:
        picked = self._sent(index[None])
        return _array(
            self._net.temporal.tokens(self._sent(middle[None]), self._sent(motion[None]), Gated(picked, picked))[0]
        )

    @torch.inference_mode()
    def fuse(
        self,
        own: TokenSet,
        window: TokenSet,
        index: NDArray[np.int64],
        openness: FloatArray,
        middle: FloatArray,
        motion: FloatArray,
    ) -> Fused:
        seen = torch.ones(1, len(own.tokens), len(window.tokens), dtype=torch.bool, device=self._device)
        tokens, share = self._net.temporal.attention(*(self._sent(one[None]) for one in (*own, *window)), seen)
        gated = Gated(self._sent(index[None]), self._sent(openness[None]))
        logits = self._net.temporal.logits(tokens, gated, self._sent(middle[None]), self._sent(motion[None]))
        return Fused(_array(logits[0, 0]), _array(share[0]))

    def _sent(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)


def _array(values: Tensor) -> FloatArray:
    return np.asarray(values.float().cpu().numpy(), np.float32)
