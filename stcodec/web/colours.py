"""Colours that colour-blind eyes tell apart: viridis for amounts, blue to orange for what has a sign."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

Picture = NDArray[np.uint8]

_VIRIDIS = (
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140), (40, 174, 128), (94, 201, 98),
    (173, 220, 48), (253, 231, 37),
)  # fmt: skip
"""Nine colours of matplotlib's viridis (CC0), dark to bright."""
_SIGNED = ((33, 102, 172), (146, 197, 222), (247, 247, 247), (253, 184, 99), (230, 97, 1))
"""ColorBrewer's blues and oranges: negative, none, positive."""


def _table(colours: tuple[tuple[int, int, int], ...]) -> Picture:
    """[256, 3]: the colours at equal distances, linear between them."""
    stops = np.array(colours, np.float32)
    at = np.linspace(0, len(colours) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(colours)), stops[:, one]) for one in range(3)], axis=1).astype(np.uint8)


AMOUNT: Picture = _table(_VIRIDIS)
SIGNED: Picture = _table(_SIGNED)


def coloured(values: FloatArray, table: Picture = AMOUNT) -> Picture:
    """[h, w, 3] from values [h, w] in [0, 1]; what lies beyond is clipped."""
    return np.asarray(table[np.clip(values * 255, 0, 255).astype(np.uint8)])
