"""The worst moments of a series, worst first."""

from __future__ import annotations

import numpy as np

from stcodec.types import FloatArray, TimeArray

_APART_SECONDS = 0.5


def worst_moments(values: FloatArray, seconds: TimeArray, count: int = 10) -> list[int]:
    """Indices of the highest values, highest first, none nearer to a higher one than half a second; NaN never."""
    found: list[int] = []
    for index in np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist():
        if len(found) == count or not np.isfinite(values[index]):
            break
        if all(abs(seconds[index] - seconds[other]) >= _APART_SECONDS for other in found):
            found.append(index)
    return found
