"""Coded and display orientation: a video may say that players have to turn its pictures."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def to_display(coded: NDArray[Scalar], rotation_degrees: int) -> NDArray[Scalar]:
    """A picture or grid [h, w, ...] as a player shows it: turned clockwise by `VideoInfo.rotation_degrees`. A view."""
    return np.rot90(coded, -(rotation_degrees // 90))


def to_coded(shown: NDArray[Scalar], rotation_degrees: int) -> NDArray[Scalar]:
    """The inverse of `to_display`."""
    return np.rot90(shown, rotation_degrees // 90)
