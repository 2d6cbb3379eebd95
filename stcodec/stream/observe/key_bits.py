"""Estimate of how a key frame's bits are spread over its macroblocks, which no decoder tells.

Each 8x8 block of the decoded picture is predicted from its neighbours as an encoder would (from above, from the left, their
mean, or a gradient), the rest is transformed and divided by the quantiser's step, and a level q counts 2 log2(1 + q) + 2
bits beyond the dead zone; the cheapest prediction counts. With the deblocking filter off, the picture is what the encoder
predicted from.

How far it is off is measured against slices whose bits are known: tools/measure_key_bits.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

_MACROBLOCK_PX = 16
_SIDE = 8
_DEAD_ZONE = 2 / 3
"""Share of a step below which x264 rounds intra coefficients to 0."""
_OVERHEAD_BITS = 8.0
"""Bits of a macroblock beside its coefficients: modes and end marks."""


def macroblock_bits(luma: NDArray[np.uint8], qp: FloatArray) -> FloatArray:
    """[rows, cols] bits of each macroblock of an intra frame on a scale of its own.

    luma: [16 rows, 16 cols], decoded without the deblocking filter, 8 bits; qp: [rows, cols].
    """
    rows, cols = qp.shape
    picture = luma.astype(np.float32)
    parts = _MACROBLOCK_PX // _SIDE
    step = (0.625 * np.exp2(qp / 6)).repeat(parts, 0).repeat(parts, 1)[..., None, None].astype(np.float32)
    transform = _transform()
    cheapest = np.full((rows * parts, cols * parts), np.inf, np.float32)
    for rest in _residuals(picture):
        levels = np.abs(transform @ rest @ transform.T) / step
        bits = np.where(levels > _DEAD_ZONE, 2 * np.log2(1 + levels) + 2, 0).sum((-1, -2))
        np.minimum(cheapest, bits, out=cheapest)
    return np.asarray(cheapest.reshape(rows, parts, cols, parts).sum((1, 3)) + _OVERHEAD_BITS, np.float32)


def _transform() -> FloatArray:
    """The DCT of 8 samples, orthonormal."""
    at = np.arange(_SIDE)
    table = np.cos(np.pi * (2 * at[None] + 1) * at[:, None] / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    table[0] /= np.sqrt(2)
    return np.asarray(table, np.float32)


def _residuals(picture: FloatArray) -> Iterator[FloatArray]:
    """[rows, cols, 8, 8] what each way of prediction leaves over."""
    rows, cols = picture.shape[0] // _SIDE, picture.shape[1] // _SIDE
    blocks = picture.reshape(rows, _SIDE, cols, _SIDE).transpose(0, 2, 1, 3)
    framed = np.pad(picture, ((1, 0), (1, 0)), mode="edge")
    above = framed[:-1:_SIDE, 1:].reshape(rows, cols, 1, _SIDE)
    left = framed[1:, :-1:_SIDE].reshape(rows, _SIDE, cols).transpose(0, 2, 1)[..., None]
    corner = framed[:-1:_SIDE, :-1:_SIDE][..., None, None]
    yield blocks - above
    yield blocks - left
    yield blocks - (above.mean(-1, keepdims=True) + left.mean(-2, keepdims=True)) / 2
    yield blocks - (above + left - corner)
