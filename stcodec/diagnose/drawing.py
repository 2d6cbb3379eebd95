"""Maps, ways and tokens drawn into pictures: plain arrays, uint8 [h, w, 3], changed in place or made anew."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.grids import resize
from stcodec.diagnose.peaks import Trail
from stcodec.types import BoolArray, FloatArray
from stcodec.web.colours import AMOUNT, SIGNED, Picture, coloured

CONTOUR_SHARES = (0.25, 0.5, 0.75)
"""Of the map's mass that the lines hold."""
_DIM = 0.7
_MOST_OPAQUE = 0.8
_WHITE = np.array([255, 255, 255], np.float32)
_VALUES = np.sqrt(np.arange(256, dtype=np.float32) / 255)
_KEEP = (256 * _DIM * (1 - _MOST_OPAQUE * _VALUES)).astype(np.uint16)
_ADD = (AMOUNT * (_MOST_OPAQUE * _VALUES)[:, None]).astype(np.uint8)
"""A value's share of the picture, in 256ths, and of its colour: what is strong hides more."""


def overlaid(picture: Picture, saliency: FloatArray) -> Picture:
    """The picture, dimmed, with a map [rows, cols] in [0, 1] glowing over it."""
    values = _bytes(saliency, picture)
    kept = (picture.astype(np.uint16) * _KEEP[values][..., None]) >> 8
    return np.asarray(kept + _ADD[values], np.uint8)


def contoured(picture: Picture, saliency: FloatArray) -> Picture:
    """The picture with lines around the smallest places that hold a fourth, half and three fourths of a map's mass."""
    enlarged = _enlarged(saliency, picture)
    drawn = picture.copy()
    wide = max(1, picture.shape[1] // 400)
    for number, level in enumerate(mass_levels(saliency)):
        drawn[_edges(enlarged >= level, 2 * wide)] = 0
        drawn[_edges(enlarged >= level, wide)] = AMOUNT[250 - 70 * number]
    return drawn


def mass_levels(saliency: FloatArray) -> list[float]:
    """Values for `CONTOUR_SHARES`: for each the value from which on cells hold so much of the mass together."""
    falling = np.sort(saliency.ravel())[::-1]
    mass = np.cumsum(falling, dtype=np.float64)
    places = np.searchsorted(mass, np.array(CONTOUR_SHARES) * mass[-1])
    return [float(falling[min(int(place), len(falling) - 1)]) for place in places]


def draw_ways(picture: Picture, trails: Sequence[Trail]) -> None:
    """The ways of peaks as lines that fade with age, a dot at the end of each."""
    width = picture.shape[1]
    radius = max(1, width // 500)
    for trail in trails:
        points = [(place.x_widths * width, place.y_widths * width) for place in trail.places]
        for age, (start, end) in enumerate(pairwise(points), 1):
            _line(picture, start, end, radius, 0.2 + 0.6 * age / len(points))
        x, y = points[-1]
        _dot(picture, x, y, 4 * radius + 1, np.zeros(3, np.float32), 1.0)
        _dot(picture, x, y, 4 * radius, _WHITE, 1.0)


def draw_tokens(picture: Picture, shape: tuple[int, int], index: NDArray[np.int64], openness: FloatArray) -> None:
    """The outlines of tokens of a grid, brighter the more they are open."""
    height, width = picture.shape[:2]
    line = max(1, width // 640)
    for place, share in zip(index.tolist(), openness.tolist(), strict=True):
        row, col = divmod(place, shape[1])
        top, bottom = (round(side * height / shape[0]) for side in (row, row + 1))
        left, right = (round(side * width / shape[1]) for side in (col, col + 1))
        inner = (top + line, bottom - line, left + line, right - line)
        for part in _frame_of(inner, line):
            picture[part] = _mixed(picture[part], _WHITE, 0.75 * share)


def draw_inset(picture: Picture, offsets: FloatArray, limit: float) -> None:
    """QP offsets [rows, cols] in the lower right corner: blue is better quality, orange is worse, white is none."""
    height, width = picture.shape[0] // 4, picture.shape[1] // 4
    rows, cols = (np.arange(size) * cells // size for size, cells in zip((height, width), offsets.shape, strict=True))
    inset = coloured((offsets[rows][:, cols] / limit + 1) / 2, SIGNED)
    gap = max(2, picture.shape[1] // 160)
    top, left = picture.shape[0] - height - gap, picture.shape[1] - width - gap
    picture[top - 2 : top + height + 2, left - 2 : left + width + 2] = 255
    picture[top : top + height, left : left + width] = inset


def _enlarged(saliency: FloatArray, picture: Picture) -> FloatArray:
    return resize(saliency, (picture.shape[0], picture.shape[1]))


def _bytes(saliency: FloatArray, picture: Picture) -> NDArray[np.uint8]:
    return np.asarray(np.clip(_enlarged(saliency, picture), 0, 1) * 255, np.uint8)


def _edges(inside: BoolArray, wide: int) -> BoolArray:
    """True within so many pixels of where it changes."""
    edge = np.zeros_like(inside)
    for shift in range(1, wide + 1):
        edge[shift:] |= inside[shift:] != inside[:-shift]
        edge[:, shift:] |= inside[:, shift:] != inside[:, :-shift]
    return edge


def _line(picture: Picture, start: tuple[float, float], end: tuple[float, float], radius: int, alpha: float) -> None:
    steps = max(1, round(float(np.hypot(end[0] - start[0], end[1] - start[1])) / max(1, radius)))
    for share in np.linspace(0, 1, steps, endpoint=False):
        x, y = (first + share * (last - first) for first, last in zip(start, end, strict=True))
        _dot(picture, x, y, radius, _WHITE, alpha)


def _dot(picture: Picture, x: float, y: float, radius: int, colour: FloatArray, alpha: float) -> None:
    top, left = max(0, round(y) - radius), max(0, round(x) - radius)
    part = picture[top : round(y) + radius + 1, left : round(x) + radius + 1]
    rows, cols = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    inside = (rows - y) ** 2 + (cols - x) ** 2 <= (radius + 0.5) ** 2
    part[inside] = _mixed(part[inside], colour, alpha)


def _mixed(part: NDArray[np.uint8], colour: FloatArray, alpha: float) -> NDArray[np.uint8]:
    return np.asarray(part * (1 - alpha) + colour * alpha, np.uint8)


def _frame_of(box: tuple[int, int, int, int], line: int) -> list[tuple[slice, slice]]:
    top, bottom, left, right = box
    return [
        (slice(top, top + line), slice(left, right)),
        (slice(bottom - line, bottom), slice(left, right)),
        (slice(top + line, bottom - line), slice(left, left + line)),
        (slice(top + line, bottom - line), slice(right - line, right)),
    ]
