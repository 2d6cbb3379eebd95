"""Maps of any size, averaged over an encoder's blocks."""

from __future__ import annotations

import numpy as np

from stcodec.types import BlockGrid, FloatArray


class BlockAverage:
    """Averages maps [h, w] that cover a frame over the blocks of a grid: [rows, cols].

    The map is read as a surface, linear between the centres of its cells and constant beyond the outermost; each block
    gets its mean over the part of the block that lies inside the frame. So maps may be coarser or finer than the grid.
    """

    def __init__(self, grid: BlockGrid, height: int, width: int) -> None:
        self._down = _mean_matrix(grid.rows, grid.block_px, grid.height_px, height)
        self._across = _mean_matrix(grid.cols, grid.block_px, grid.width_px, width).T

    def __call__(self, saliency: FloatArray) -> FloatArray:
        return (self._down @ saliency @ self._across).astype(np.float32)


def block_areas(grid: BlockGrid) -> FloatArray:
    """[rows, cols]: the share of the frame that each block covers; the shares sum to 1."""

    def spans(count: int, size_px: int) -> FloatArray:
        edges = np.minimum(np.arange(count + 1) * grid.block_px, size_px)
        return (np.diff(edges) / size_px).astype(np.float32)

    return np.outer(spans(grid.rows, grid.height_px), spans(grid.cols, grid.width_px)).astype(np.float32)


def _mean_matrix(blocks: int, block_px: int, size_px: int, cells: int) -> FloatArray:
    """[blocks, cells]: each row the weights of the cells in the mean over one block; rows sum to 1."""
    matrix = np.zeros((blocks, cells))
    samples = max(8, 4 * -(-cells // blocks))
    for block in range(blocks):
        start, end = block * block_px, min((block + 1) * block_px, size_px)
        at_px = start + (np.arange(samples) + 0.5) / samples * (end - start)
        position = np.clip(at_px / size_px * cells - 0.5, 0, cells - 1)
        low = np.minimum(position.astype(int), max(0, cells - 2))
        share = position - low
        np.add.at(matrix[block], low, 1 - share)
        np.add.at(matrix[block], np.minimum(low + 1, cells - 1), share)
    return (matrix / samples).astype(np.float32)
