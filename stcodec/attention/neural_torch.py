"""The attention network by torch: on a GPU, and on the CPU to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stcodec.attention.neural_engine import BranchLogits, FrameOutput, GatedFrame, Look
from stcodec.errors import AttentionError
from stcodec.model.inference import LARGEST_BATCH, WINDOW_STEP, Runner, batch_size
from stcodec.model.weights import load_weights
from stcodec.types import FloatArray

T = TypeVar("T")


def gpu_count() -> int:
    """Number of GPUs that torch can use."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


class TorchEngine:
    """The network on one device, in batches; features and tokens stay there, and only logits come back."""

    def __init__(self, weights: Path, device: str, half: bool | None = None) -> None:
        """device: "cpu", "cuda" or "cuda:N"; half: the spatial branch in bfloat16; None = on GPUs that reckon in it.

        Raises AttentionError if the device is not there, or the weights can't be used.
        """
        self._device = torch.device(device)
        if self._device.type == "cuda" and (self._device.index or 0) >= gpu_count():
            raise _absent(device, gpu_count())
        net, self.info = load_weights(weights)
        with self._failing_clearly():
            self._runner = Runner(net, self._device, _reckons_in_half(self._device) if half is None else half)

    def frames(self, pictures: Sequence[FloatArray] | Tensor) -> list[FrameOutput]:
        """pictures: [3, H, W] each, or a tensor [N, 3, H, W] on any device, such as `stcodec.model.pictures` makes."""
        found: list[FrameOutput] = []
        with self._failing_clearly():
            for batch in _batches(pictures):
                tensor = batch if isinstance(batch, Tensor) else self._sent(np.stack(batch))
                middle, logits = self._runner.frames(_filled(tensor, batch_size(len(batch))))
                found += [FrameOutput(middle[index], logits[index]) for index in range(len(batch))]
        return found

    def tokens(self, gated: Sequence[GatedFrame]) -> list[Tensor]:
        found: list[Tensor] = []
        with self._failing_clearly():
            for batch in _batches(gated):
                size = batch_size(len(batch))
                motion, index = (self._stacked([getattr(one, name) for one in batch], size) for name in ("motion", "index"))
                middle = _filled(torch.stack([one.frame.middle for one in batch]), size)
                (tokens,) = self._runner.tokens(middle, motion, index)
                found += tokens[: len(batch)]
        return found

    def fuse(self, looks: Sequence[Look], shares: bool = False) -> list[BranchLogits]:
        found: list[BranchLogits] = []
        with self._failing_clearly():
            for batch in _batches(looks):
                found += self._fused(batch, shares)
        return found

    @contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        """Turn what torch raises (no memory left on a device, a driver that it can't use) into an AttentionError."""
        try:
            yield
        except RuntimeError as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise AttentionError(f"device {self._device}: torch failed there ({said}): use --device cpu") from error

    def _fused(self, looks: Sequence[Look], shares: bool) -> list[BranchLogits]:
        size = batch_size(len(looks))
        run = self._runner.fuse_with_shares if shares else self._runner.fuse
        temporal, *share = run(
            _filled(torch.stack([look.own.tokens for look in looks]), size),
            self._stacked([look.own.position for look in looks], size),
            *self._windows(looks, size),
            *(self._stacked([getattr(look.gated, name) for look in looks], size) for name in ("index", "openness")),
            _filled(torch.stack([look.gated.frame.middle for look in looks]), size),
            self._stacked([look.gated.motion for look in looks], size),
        )
        spatial = torch.stack([look.gated.frame.logits for look in looks])
        both = torch.stack([spatial, temporal[: len(looks)]]).cpu().numpy()  # the only wait for the device
        counts = [sum(len(one.position) for one in look.window) for look in looks]
        kept = [one[..., :count].cpu().numpy() for one, count in zip(share[0], counts, strict=False)] if shares else []
        return [BranchLogits(both[0, index], both[1, index], kept[index] if shares else None) for index in range(len(looks))]

    def _windows(self, looks: Sequence[Look], size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens and positions of the windows, filled up, and [size, 1, m] which of them are real.

        Windows overlap: each frame's tokens are taken once, and dealt out on the device.
        """
        sets = {id(one): one for look in looks for one in look.window}
        ends = np.cumsum([len(one.position) for one in sets.values()])
        rows = {key: np.arange(end - len(one.position), end) for (key, one), end in zip(sets.items(), ends, strict=True)}
        chosen = [np.concatenate([rows[id(one)] for one in look.window]) for look in looks]
        width = -(-max(map(len, chosen)) // WINDOW_STEP) * WINDOW_STEP
        index, seen = np.zeros((size, width), np.int64), np.zeros((size, 1, width), np.bool_)
        for row, one in enumerate(chosen):
            index[row, : len(one)], seen[row, :, : len(one)] = one, True
        pool = torch.cat([one.tokens for one in sets.values()])
        position = np.concatenate([one.position for one in sets.values()])[index]
        return pool[self._sent(index)], self._sent(position), self._sent(seen)

    def _stacked(self, arrays: Sequence[NDArray[Any]], size: int) -> Tensor:
        stacked = np.stack(arrays)
        return self._sent(np.concatenate([stacked, np.zeros((size - len(stacked), *stacked.shape[1:]), stacked.dtype)]))

    def _sent(self, values: NDArray[Any]) -> Tensor:
        """Copy the array to the device without waiting for it."""
        tensor = torch.from_numpy(np.ascontiguousarray(values))
        return tensor.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else tensor


def _absent(device: str, count: int) -> AttentionError:
    """The error for a GPU that is not there."""
    there = f"torch sees {count} GPU{'s' if count != 1 else ''}" if count else "torch sees no GPU"
    return AttentionError(f"device {device}: {there}: use --device cpu, or auto")


def _reckons_in_half(device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported())


def _batches(items: Sequence[T] | Tensor) -> Iterator[Any]:
    for first in range(0, len(items), LARGEST_BATCH):
        yield items[first : first + LARGEST_BATCH]


def _filled(tensor: Tensor, size: int) -> Tensor:
    """A tensor with zeros behind it, [size, ...]."""
    if len(tensor) == size:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(size - len(tensor), *tensor.shape[1:])])
