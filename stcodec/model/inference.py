"""The attention network as it is run: batches of fixed sizes, batch normalisation folded, on a GPU captured as graphs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stcodec.model.network import AttentionNet
from stcodec.model.stem import ConvNorm
from stcodec.model.temporal import Gated

Tensors = tuple[Tensor, ...]
_BATCHES = (1, 8, 32)
"""Sizes that batches are filled up to, so that few graphs are captured."""
LARGEST_BATCH = _BATCHES[-1]
WINDOW_STEP = 256
"""Windows are filled up to a multiple of so many tokens."""
_WARM_UPS = 3


def batch_size(count: int) -> int:
    """Size that a batch of so many, at most `LARGEST_BATCH`, is filled up to."""
    return next(size for size in _BATCHES if size >= count)


class Runner:
    """The network on one device. All batches are of fixed sizes (`batch_size`, `WINDOW_STEP`); what fills them is cut off.

    Inputs lie on the device; outputs are the caller's own.
    """

    def __init__(self, net: AttentionNet, device: torch.device, half: bool) -> None:
        """net: in evaluation mode; it is changed. half: whether the spatial branch is reckoned in bfloat16.

        The temporal branch takes a thirtieth of the time, and its clock needs float32.
        """
        self._net = _folded(net).to(device)
        self._device = device
        self._half = half
        if device.type == "cuda":
            self._net = self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.frames = Fixed(self._frames, device)
        """Pictures [N, 3, H, W] -> features [N, C, H/16, W/16] and logits [N, H/8, W/8], float32."""
        self.tokens = Fixed(self._tokens, device)
        """Features, motion [N, 4, H/8, W/8], index [N, k] -> tokens [N, k, C]."""
        self.fuse = Fixed(self._fuse, device)
        """Tokens, position [N, k, 3], those of the window [N, m, C] and [N, m, 3], seen [N, 1, m], index, openness [N, k],
        features, motion -> the temporal branch's logits [N, H/8, W/8]."""
        self.fuse_with_shares = Fixed(self._fuse_with_shares, device)
        """The same, and the attention shares [N, heads, k, m]."""

    def _frames(self, pictures: Tensor) -> Tensors:
        kind = self._device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self._half, cache_enabled=False):
            found = self._net.frames(pictures)
        return found.middle.float(), found.logits[:, 0].float()

    def _tokens(self, middle: Tensor, motion: Tensor, index: Tensor) -> Tensors:
        return (self._net.temporal.tokens(middle, motion, Gated(index, index)),)

    def _fuse(self, *inputs: Tensor) -> Tensors:
        return self._fuse_with_shares(*inputs)[:1]

    def _fuse_with_shares(self, *inputs: Tensor) -> Tensors:
        *looking, index, openness, middle, motion = inputs
        tokens, share = self._net.temporal.attention(*looking)
        return self._net.temporal.logits(tokens, Gated(index, openness), middle, motion)[:, 0], share


class Fixed:
    """A function of tensors whose shapes recur: on a GPU each is captured once as a CUDA graph, then replayed."""

    def __init__(self, function: Callable[..., Tensors], device: torch.device) -> None:
        self._function = function
        self._device = device
        self._idle: dict[tuple[torch.Size, ...], list[_Captured]] = {}
        """Graphs that nobody runs: one at a time may write to their inputs. All work goes to one stream, in order."""

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensors:
        if self._device.type != "cuda":
            return self._function(*inputs)
        idle = self._idle.setdefault(tuple(one.shape for one in inputs), [])
        with torch.cuda.device(self._device):
            try:
                graph = idle.pop()
            except IndexError:
                graph = _Captured(self._function, inputs)
            outputs = graph(inputs)
        idle.append(graph)
        return outputs


class _Captured:
    """A CUDA graph: hundreds of kernels are started by one call, which takes the time of a few."""

    def __init__(self, function: Callable[..., Tensors], examples: Tensors) -> None:
        self._inputs = [one.clone() for one in examples]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # what is set up at first use can't be captured
            for _ in range(_WARM_UPS):
                function(*self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._outputs = function(*self._inputs)

    def __call__(self, inputs: Tensors) -> Tensors:
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return tuple(one.clone() for one in self._outputs)


def _folded(net: AttentionNet) -> AttentionNet:
    """The network with the stem's batch normalisation in its filters."""
    for module in net.modules():
        if isinstance(module, ConvNorm):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()  # type: ignore[assignment]
    return net
