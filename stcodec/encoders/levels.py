"""Quantisation of offsets for encoders that take few levels."""

from __future__ import annotations

import numpy as np

from stcodec.types import FloatArray


def quantise_levels(delta_qp: FloatArray, levels: int | None) -> FloatArray:
    """Offsets with at most `levels` distinct values, 0 among them: the ranges below and above 0 are cut evenly.

    [rows, cols] in, the same out. None leaves them as they are.
    """
    if levels is None:
        return delta_qp
    low, high = min(0.0, float(delta_qp.min())), max(0.0, float(delta_qp.max()))
    if high == low:
        return np.zeros_like(delta_qp)
    cuts = levels - 1
    below = round(cuts * -low / (high - low))
    if cuts > 1:  # neither side goes without
        below = min(max(below, int(low < 0)), cuts - int(high > 0))
    centres = np.concatenate([np.linspace(low, 0, below, endpoint=False), np.linspace(0, high, cuts - below + 1)])
    nearest = np.abs(delta_qp[..., None] - centres).argmin(axis=-1)
    return np.asarray(centres[nearest], np.float32)
