"""What a single map says, and how two differ: pure functions on maps [h, w] that cover a frame.

A density is a map that sums to 1. Lengths are in frame widths; cells are about square.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stcodec.attention.center import center_density
from stcodec.metrics.saliency import as_density, cc
from stcodec.types import FloatArray

_MOST_PEAKS = 3
_LEAST_PEAK = 0.5
"""Of the highest: lower hills are no peaks."""
_PEAK_RADIUS_WIDTHS = 0.09


class Place(NamedTuple):
    """A place in the frame."""

    x_widths: float
    """From the left, in frame widths."""
    y_widths: float
    """From the top, in frame widths."""


def density_of(saliency: FloatArray) -> FloatArray:
    """The map scaled to sum to 1; uniform for a map of zeros."""
    return as_density(saliency).astype(np.float32)


def centre_of_mass(density: FloatArray) -> Place:
    """Where the mean of the mass lies."""
    rows, cols = density.shape
    x = float(density.sum(axis=0) @ (np.arange(cols) + 0.5)) / cols
    y = float(density.sum(axis=1) @ (np.arange(rows) + 0.5)) / cols
    return Place(x, y)


def area_percent(density: FloatArray) -> float:
    """Share of the frame that the mass spreads over: 2^entropy / cells; 100 for a uniform map."""
    mass = density[density > 0]
    return 100 * float(np.exp(-np.sum(mass * np.log(mass)))) / density.size


def centre_likeness(density: FloatArray) -> float:
    """Correlation with the centre prior over the cells, -1 to 1."""
    return cc(density, center_density(*density.shape))


def moved_percent(one: FloatArray, other: FloatArray) -> float:
    """Share of the mass that lies elsewhere in another density (their total variation distance), 0 to 100."""
    return 50 * float(np.abs(one - other).sum())


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


def peaks(saliency: FloatArray) -> list[Place]:
    """The highest places of a map, highest first: at most three, apart from each other, none below half the highest."""
    rows, cols = saliency.shape
    y, x = np.mgrid[:rows, :cols]
    left = saliency.astype(np.float32, copy=True)
    least = _LEAST_PEAK * float(left.max())
    found: list[Place] = []
    if float(left.max()) - float(left.min()) < 1e-6:
        return found
    while len(found) < _MOST_PEAKS and float(left.max()) >= max(least, 1e-6):
        row, col = np.unravel_index(int(left.argmax()), left.shape)
        if saliency[row, col] >= _around(saliency, int(row), int(col)).max():  # not the slope of one that was taken
            found.append(Place((float(col) + 0.5) / cols, (float(row) + 0.5) / cols))
        left[(x - col) ** 2 + (y - row) ** 2 <= (_PEAK_RADIUS_WIDTHS * cols) ** 2] = 0
    return found


def greatest(grid: FloatArray) -> Place:
    """Where a grid is greatest, averaged over a cell and its neighbours."""
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


def _around(grid: FloatArray, row: int, col: int) -> FloatArray:
    return grid[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
