"""Raw pictures as planes: their shapes, and the picture that differs from its reference only where people look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stcodec.errors import OptionsError
from stcodec.metrics.fidelity import Luma, upsampled

Planes = Sequence[Luma]
"""Luma [H, W] and the two chroma planes of one picture; uint8, or uint16 for 10 bits."""

ATTENDED_PERCENTILE = 75.0
"""The quarter of the frame with the most attention is kept as distorted in a composite."""

_SUBSAMPLING = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}
"""Luma rows and columns for each of chroma."""
PIX_FMTS = (*_SUBSAMPLING, *(f"{name}10le" for name in _SUBSAMPLING))
"""ffmpeg's names of the formats that can be scored."""


def plane_shapes(width: int, height: int, pix_fmt: str) -> tuple[tuple[int, int], ...]:
    """(rows, columns) of the three planes of a picture. Raises OptionsError for formats that can't be scored."""
    if pix_fmt not in PIX_FMTS:
        raise OptionsError(
            f"pictures of the format {pix_fmt} can't be scored: convert them to one of {', '.join(PIX_FMTS)}",
            value=pix_fmt,
            allowed=PIX_FMTS,
        )
    down, across = _SUBSAMPLING[pix_fmt.removesuffix("10le")]
    chroma = -(-height // down), -(-width // across)
    return (height, width), chroma, chroma


def bytes_a_sample(pix_fmt: str) -> int:
    """1 for formats of 8 bits, 2 for those of 10."""
    return 2 if pix_fmt.endswith("10le") else 1


def composite(reference: Planes, distorted: Planes, density: NDArray[np.float32]) -> list[Luma]:
    """The distorted picture with its background replaced by the reference.

    The background is where the density [h, w], read bilinearly at each pixel, is below the 75th percentile of its cells,
    or zero. An even density has no background. Raises ValueError if the density is zero everywhere or has negative
    values, or if the pictures' shapes differ.
    """
    if density.min() < 0 or density.max() <= 0:
        raise ValueError("a density must be >= 0 and not zero everywhere")
    # Compared in the density's own precision: an even one must not fall below itself by rounding.
    least = max(float(np.percentile(density, ATTENDED_PERCENTILE)) * (1 - 1e-5), float(np.finfo(np.float32).tiny))
    masks: dict[tuple[int, ...], NDArray[np.bool_]] = {}
    out: list[Luma] = []
    for kept, plane in zip(reference, distorted, strict=True):
        if kept.shape != plane.shape or kept.dtype != plane.dtype:
            raise ValueError(f"planes of {kept.shape} {kept.dtype} and {plane.shape} {plane.dtype} can't be put together")
        if plane.shape not in masks:
            masks[plane.shape] = upsampled(density, plane.shape) >= least
        mixed = kept.copy()
        np.copyto(mixed, plane, where=masks[plane.shape])
        out.append(mixed)
    return out
