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
    """The reference with its attended luma taken from the distorted picture.

    Its chroma, which VMAF does not look at, is the reference's own.
    Attended is where the density [h, w], read bilinearly at each pixel, is at or above the 75th percentile of its cells,
    and not zero: with an even density all of the frame. Raises ValueError if the density is zero everywhere or has
    negative values, or if the pictures' shapes differ.
    """
    if density.min() < 0 or density.max() <= 0:
        raise ValueError("a density must be >= 0 and not zero everywhere")
    (luma, *chroma), other = reference, distorted[0]
    if luma.shape != other.shape or luma.dtype != other.dtype:
        raise ValueError(f"planes of {luma.shape} {luma.dtype} and {other.shape} {other.dtype} can't be put together")
    # Compared in the density's own precision: an even one must not fall below itself by rounding.
    least = max(float(np.percentile(density, ATTENDED_PERCENTILE)) * (1 - 1e-5), float(np.finfo(np.float32).tiny))
    return [np.where(upsampled(density, luma.shape) >= least, other, luma), *chroma]
