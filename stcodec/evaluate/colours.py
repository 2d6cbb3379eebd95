"""Arrays as pictures: colour ramps without a plotting library."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

Picture = NDArray[np.uint8]

_RAMP = np.array(
    [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99], [212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]],
    np.float32,
)
"""Eight colours of matplotlib's inferno (CC0), dark to bright."""
SIGNED = np.array([[33, 102, 172], [178, 24, 43]], np.float32)
"""The ends of ColorBrewer's RdBu: blue and red."""


def coloured(values: FloatArray) -> Picture:
    """[h, w, 3] uint8 from values [h, w], 0 = dark, 1 = bright; what lies beyond is clipped, NaN is dark."""
    position = np.clip(np.nan_to_num(values), 0, 1) * (len(_RAMP) - 1)
    channels = [np.interp(position, np.arange(len(_RAMP)), _RAMP[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def overlaid(picture: Picture, density: FloatArray) -> Picture:
    """A picture [h, w, 3], dimmed, with a density [h, w] of any scale glowing over it."""
    peak = float(density.max())
    share = (density / peak if peak > 0 else density)[..., None]
    strength = np.sqrt(share) * 0.8
    return np.asarray(picture * 0.7 * (1 - strength) + coloured(share[..., 0]) * strength, np.uint8)


def enlarged(values: FloatArray, shape: tuple[int, ...], *, smooth: bool = True) -> FloatArray:
    """Values [h, w] that cover a frame, on another grid [H, W]: linear between the cells' centres, or the nearest cell."""
    rows, cols = (
        np.clip((np.arange(size) + 0.5) / size * cells - 0.5, 0, cells - 1)
        for size, cells in zip(shape, values.shape, strict=True)
    )
    if not smooth:
        return np.asarray(values[np.rint(rows).astype(int)][:, np.rint(cols).astype(int)], np.float32)
    across = np.stack([np.interp(cols, np.arange(values.shape[1]), row) for row in values])
    return np.stack([np.interp(rows, np.arange(values.shape[0]), col) for col in across.T], axis=1).astype(np.float32)
