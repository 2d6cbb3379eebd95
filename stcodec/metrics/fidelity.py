"""Error of a decoded picture against its reference, where people look, elsewhere and as a whole.

EWPSNR, the gaze-weighted PSNR of Li, Qin and Itti, "Visual attention guided bit allocation in video compression", Image and
Vision Computing 29(1), 2011: the squared luma error, weighted by the fixation density at that instant; pooled here as the
mean of the weighted squared errors over all frames, then in dB. SSIM (`stcodec.metrics.ssim`) is weighted in the same way.

Densities are of any scale, [h, w] of any size, covering the whole frame, and read bilinearly between their cells.
Weights for the foveated means are such densities, too (`stcodec.metrics.foveated`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stcodec.metrics.ssim import EDGE_PX, Luma, ssim_map
from stcodec.types import FloatArray

__all__ = [
    "Luma",
    "Pooled",
    "RegionMeans",
    "background",
    "error_means",
    "pool",
    "psnr_db",
    "region_means",
    "squared_error",
    "ssim_map",
    "ssim_means",
    "upsampled",
    "weighted_mean",
]

_STRIP_ROWS = 32


@dataclass(frozen=True)
class RegionMeans:
    """Means of a per-pixel quantity (squared error, SSIM) of one frame."""

    attended: float
    """Under the density of gaze."""
    whole: float
    """Over all pixels; SSIM: over all but 3 px at the edges, as scikit-image has it."""
    background: float
    """Over the half of the frame that is looked at least, `background`."""
    foveated: float | None
    """Under the acuity of eyes that look so; None without weights for that."""


@dataclass(frozen=True)
class Pooled:
    """A score of each frame, as one number for the clip; higher is better."""

    mean: float
    worst_5_percent: float
    """Mean of the lowest 5 % of the frames (rounded to a number of frames, at least one)."""
    percentile_5: float
    """The highest score that 95 % of the frames or more reach."""


def squared_error(reference: Luma, distorted: Luma) -> FloatArray:
    """[H, W] squared difference of two luma planes [H, W]. Raises ValueError if their shapes differ."""
    if reference.shape != distorted.shape:
        raise ValueError(f"pictures of {reference.shape} and {distorted.shape} can't be compared")
    error = np.subtract(reference, distorted, dtype=np.float32)
    return np.square(error, out=error)


def weighted_mean(error: FloatArray, density: FloatArray) -> float:
    """The mean of an error [H, W] under a density [h, w].

    Raises ValueError if the density is zero everywhere or has negative values.
    """
    return _weighted_means(error, [density])[0]


def background(density: FloatArray) -> FloatArray:
    """[h, w]: 1 where a density is at or below its median, else 0: the half of the frame that is looked at least.

    More than half where many cells share the median's value: all of the frame if nobody looks anywhere in particular.
    """
    return (density <= np.median(density)).astype(np.float32)


def region_means(values: FloatArray, density: FloatArray, foveated: FloatArray | None = None) -> RegionMeans:
    """The means of values [H, W] by region; density and errors as for `weighted_mean`.

    foveated: weights of the density's shape, see `stcodec.metrics.foveated.foveated_weights`.
    """
    return _by_region(values, values, density, foveated)


def error_means(reference: Luma, distorted: Luma, density: FloatArray, foveated: FloatArray | None = None) -> RegionMeans:
    """Mean squared errors of a frame: luma [H, W] each, density and foveated [h, w]; for `psnr_db`."""
    return region_means(squared_error(reference, distorted), density, foveated)


def ssim_means(
    reference: Luma, distorted: Luma, density: FloatArray, foveated: FloatArray | None = None, peak: float = 255.0
) -> RegionMeans:
    """SSIM of a frame: luma [H, W] each, density and foveated [h, w]; peak: 255 for 8 bits, 1023 for 10."""
    values = ssim_map(reference, distorted, peak)
    return _by_region(values, values[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX], density, foveated)


def psnr_db(mean_squared_errors: Sequence[float], peak: float = 255.0) -> float:
    """PSNR in dB of the mean over frames of their mean squared errors; infinite for identical pictures."""
    mean = float(np.mean(mean_squared_errors))
    return float("inf") if mean == 0 else float(10 * np.log10(peak**2 / mean))


def pool(scores: Sequence[float]) -> Pooled:
    """Pool the scores of frames (for PSNR, each frame's `psnr_db`; one may be infinite). Raises ValueError for none."""
    if not len(scores):
        raise ValueError("there are no frames to pool")
    ordered = np.sort(np.asarray(scores, np.float64))
    worst = max(1, round(0.05 * len(ordered)))
    return Pooled(float(ordered.mean()), float(ordered[:worst].mean()), float(np.quantile(ordered, 0.05, method="lower")))


def upsampled(density: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """[H, W]: a density [h, w] read at the centre of each pixel of a picture."""
    wide = density @ _bilinear(shape[1], density.shape[1]).T
    out = np.empty(shape, np.float32)
    for rows, cells, weights in _strips(shape[0], density.shape[0]):
        np.matmul(weights, wide[cells], out=out[rows])
    return out


def _by_region(values: FloatArray, whole: FloatArray, density: FloatArray, foveated: FloatArray | None) -> RegionMeans:
    weights = [density, background(density), *([] if foveated is None else [foveated])]
    attended, ignored, *seen = _weighted_means(values, weights)
    return RegionMeans(attended, float(whole.mean(dtype=np.float64)), ignored, seen[0] if seen else None)


def _weighted_means(values: FloatArray, densities: Sequence[FloatArray]) -> list[float]:
    """The mean of values [H, W] under each of some densities [h, w] of one shape."""
    if any(density.min() < 0 or density.max() <= 0 for density in densities):
        raise ValueError("a density must be >= 0 and not zero everywhere")
    (height, width), (down, across) = values.shape, densities[0].shape
    # Weights on the coarse grid times the values gathered onto it: the same sum, without a weight for every pixel.
    gathered = np.zeros((down, width), np.float32)
    for rows, cells, weights in _strips(height, down):
        gathered[cells] += weights.T @ values[rows]
    gathered = gathered @ _bilinear(width, across)
    mass = np.outer(_bilinear(height, down).sum(axis=0), _bilinear(width, across).sum(axis=0))
    return [float((gathered * density).sum() / (mass * density).sum()) for density in densities]


@lru_cache(maxsize=32)
def _strips(size: int, cells: int) -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """Some rows each, the cells that they read, and the weights with which they do: hardly any of them are zero."""
    matrix, found = _bilinear(size, cells), []
    for first in range(0, size, _STRIP_ROWS):
        rows = slice(first, min(size, first + _STRIP_ROWS))
        read = np.flatnonzero(matrix[rows].any(axis=0))
        seen = slice(int(read[0]), int(read[-1]) + 1)
        found.append((rows, seen, np.ascontiguousarray(matrix[rows, seen])))
    return found


@lru_cache(maxsize=32)
def _bilinear(size: int, cells: int) -> NDArray[np.float32]:
    """[size, cells]: the weights with which each pixel reads the cells."""
    position = np.clip((np.arange(size) + 0.5) / size * cells - 0.5, 0, cells - 1)
    low = np.minimum(position.astype(int), max(0, cells - 2))
    share = position - low
    matrix = np.zeros((size, cells), np.float32)
    matrix[np.arange(size), low] += (1 - share).astype(np.float32)
    matrix[np.arange(size), np.minimum(low + 1, cells - 1)] += share.astype(np.float32)
    matrix.flags.writeable = False
    return matrix
