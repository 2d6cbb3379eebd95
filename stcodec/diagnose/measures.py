"""Measures of a single map and of how two differ: pure functions on maps [h, w] that cover a frame.

A density is a map that sums to 1. Lengths are in frame widths; cells are about square.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from stcodec.attention.center import center_density
from stcodec.attention.grids import resize, sharpness_bits
from stcodec.metrics.saliency import as_density, cc
from stcodec.options import OffsetPolicy
from stcodec.orientation import to_coded, to_display
from stcodec.qp import QpLaw
from stcodec.types import BlockGrid, BoolArray, FloatArray, VideoInfo


class Place(NamedTuple):
    """A place in the frame."""

    x_widths: float
    """Distance from the left, in frame widths."""
    y_widths: float
    """Distance from the top, in frame widths."""


def density_of(saliency: FloatArray) -> FloatArray:
    """The map scaled to sum to 1; uniform for a map of zeros."""
    return as_density(saliency).astype(np.float32)


def centre_of_mass(density: FloatArray) -> Place:
    """Centre of the mass."""
    rows, cols = density.shape
    x = float(density.sum(axis=0) @ (np.arange(cols) + 0.5)) / cols
    y = float(density.sum(axis=1) @ (np.arange(rows) + 0.5)) / cols
    return Place(x, y)


def area_percent(density: FloatArray) -> float:
    """Share of the frame that the mass spreads over: 2^entropy / cells; 100 for a uniform map."""
    return float(100 * 2.0 ** -sharpness_bits(density))


def centre_likeness(density: FloatArray) -> float:
    """Correlation with the centre prior over the cells, -1 to 1."""
    return cc(density, center_density(*density.shape))


def moved_percent(one: FloatArray, other: FloatArray) -> float:
    """Share of the mass that lies elsewhere in another density (their total variation distance), 0 to 100."""
    return 50 * float(np.abs(one - other).sum())


def flicker_percent(before: FloatArray, now: FloatArray, after: FloatArray) -> float:
    """Share of the mass of three densities in a row that only went to and fro, in %; 0 for any steady change."""
    detour = moved_percent(before, now) + moved_percent(now, after) - moved_percent(before, after)
    return max(0.0, detour / 2)


def background_mass(density: FloatArray, flickers: BoolArray) -> tuple[float, float]:
    """The share of a density's mass on flickering places in %, and how many times their share of the frame that is."""
    area = float(flickers.mean())
    mass = float(density[flickers].sum())
    return 100 * mass, mass / area if area > 0 else 0.0


def carried(density: FloatArray, velocity: FloatArray, seconds: float) -> FloatArray:
    """A density moved on by a field of velocities [h, w, 2] (frame widths a second) that is given where it arrives.

    Each cell takes what lay where its content was so long before (bilinear); the result sums to 1 again.
    """
    return density_of(shifted(density, np.nan_to_num(velocity) * np.float32(seconds * density.shape[1])))


def shifted(grid: FloatArray, shift: FloatArray) -> FloatArray:
    """[h, w]: what lies `shift` [h, w, 2] (x, y in cells) before each place of a grid, bilinear; its border goes on."""
    rows, cols = grid.shape
    y, x = np.mgrid[:rows, :cols].astype(np.float32)
    x = np.clip(x - shift[..., 0], 0, cols - 1)
    y = np.clip(y - shift[..., 1], 0, rows - 1)
    left, top = np.minimum(x.astype(np.intp), max(0, cols - 2)), np.minimum(y.astype(np.intp), max(0, rows - 2))
    right, below = np.minimum(left + 1, cols - 1), np.minimum(top + 1, rows - 1)
    across, down = x - left, y - top
    upper = grid[top, left] * (1 - across) + grid[top, right] * across
    lower = grid[below, left] * (1 - across) + grid[below, right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def greatest(grid: FloatArray) -> Place:
    """Place of a grid's maximum, averaged over a cell and its neighbours."""
    rows, cols = grid.shape
    row, col = np.unravel_index(int(box_mean(grid, 1).argmax()), (rows, cols))
    return Place((float(col) + 0.5) / cols, (float(row) + 0.5) / cols)


def box_mean(grid: FloatArray, radius: int) -> FloatArray:
    """[h, w, ...]: the mean over a square about each cell; the border's values go on beyond it."""
    size = 2 * radius + 1
    padding = [(radius, radius), (radius, radius)] + [(0, 0)] * (grid.ndim - 2)
    padded = np.pad(grid, padding, mode="edge")
    down = sum(padded[shift : shift + grid.shape[0]] for shift in range(size))
    both = sum(np.asarray(down)[:, shift : shift + grid.shape[1]] for shift in range(size))
    return np.asarray(both / np.float32(size * size), np.float32)


OFFSET_LIMIT = 10.0
"""QP steps that have the strongest colour."""
BLOCK_PX = 16


def offsets_of(saliency: FloatArray, video: VideoInfo) -> FloatArray:
    """The QP offsets that a map asks for with the default policy, in display orientation on the map's grid."""
    degrees = video.rotation_degrees
    offsets = _law(video.width_px, video.height_px)(np.ascontiguousarray(to_coded(saliency, degrees)))
    return resize(np.ascontiguousarray(to_display(offsets, degrees)), (saliency.shape[0], saliency.shape[1]))


@lru_cache(maxsize=4)
def _law(width_px: int, height_px: int) -> QpLaw:
    return QpLaw(BlockGrid(width_px, height_px, BLOCK_PX), OffsetPolicy())
