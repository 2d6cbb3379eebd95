"""The network's input made on the device, for those whose frames are there already.

The same filter as on the CPU, where swscale averages over the area of each pixel. Nothing is copied to the host.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from stcodec.model.config import THUMBNAIL_SIDE_PX

_KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Shares of red and of blue in luma."""


def pictures_of_rgb(frames: Tensor, shape: tuple[int, int]) -> Tensor:
    """Frames [T, H, W, 3] uint8 -> the network's input [T, 3, *shape] float32 in [-1, 1], on the frames' device."""
    height, width = frames.shape[1:3]
    return _averaged(frames.movedim(3, 1), (height, width), shape) / 127.5 - 1


def pictures_of_nv12(luma: Tensor, chroma: Tensor, shape: tuple[int, int], matrix: str = "bt601") -> Tensor:
    """The same for frames as hardware decoders leave them: luma [T, H, W] and chroma [T, H/2, W/2, 2] uint8, of limited
    range. matrix: "bt601" (which swscale takes where a video names none), "bt709" or "bt2020".

    Averages are taken before colours are converted: that is linear, and so the same.
    """
    kr, kb = _KR_KB[matrix]
    frame = (luma.shape[1], luma.shape[2])
    y = (_averaged(luma[:, None], frame, shape)[:, 0] - 16) * (255 / 219)
    blue, red = ((_averaged(chroma.movedim(3, 1), frame, shape) - 128) * (127.5 / 112)).unbind(1)
    r = y + 2 * (1 - kr) * red
    b = y + 2 * (1 - kb) * blue
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    return torch.stack([r, g, b], dim=1).clamp(0, 255) / 127.5 - 1


def _averaged(planes: Tensor, frame: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """[T, C, H, W] uint8 -> [T, C, *shape] float32: rows and columns by a product with the share that each has in each.

    frame: (height, width) of the whole frame, of which the thumbnail would be made that the CPU shows the network.
    """
    # GPUs multiply float16 many times as fast, and it holds 0 to 255 to a sixteenth.
    kind = torch.float16 if planes.is_cuda else torch.float32
    scale = min(1.0, THUMBNAIL_SIDE_PX / max(frame))
    rows, cols = (
        (area_weights(max(1, round(whole * scale)), want) @ area_weights(have, max(1, round(whole * scale)))).to(
            planes.device, kind
        )
        for have, whole, want in zip(planes.shape[2:], frame, shape, strict=True)
    )
    return (rows @ (planes.to(kind) @ cols.T)).float()


@lru_cache(maxsize=16)
def area_weights(have: int, want: int) -> Tensor:
    """[want, have] float32: the share of each old pixel in each new one, by the area in common; rows sum to 1."""
    edges = torch.arange(want + 1, dtype=torch.float64) * (have / want)
    pixels = torch.arange(have)
    shared = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (shared.clamp(min=0) * (want / have)).float()
