"""Pictures with gaze, and random views of them."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.io import imread
from torch import Tensor

from stcodec.attention.neural_input import picture
from stcodec.errors import MediaError
from stcodec.model.config import STRIDE
from stcodec.train.losses import fixation_map
from stcodec.types import Arrays, FloatArray

INPUT_SHAPE = (192, 320)
CELLS = (INPUT_SHAPE[0] // STRIDE, INPUT_SHAPE[1] // STRIDE)
"""Rows and columns of the maps."""
_LEAST_FIXATIONS = 8


@dataclass(frozen=True, eq=False, repr=False)
class GazedImage(Arrays):
    """A picture and where people looked; the first fixation of each observer is left out (it is where they began)."""

    path: Path
    prior: int
    """Number of its set, which the network has a centre prior for."""
    xy_px: FloatArray
    """[N, 2]."""


def read_images(folder: Path) -> list[GazedImage]:
    """The pictures of a folder with fixations.csv (set, image, observer, x_px, y_px, duration_ms) and SET/IMAGE.*."""
    table = folder / "fixations.csv"
    if not table.is_file():
        raise MediaError(f"{table}: no such file: a folder of pictures with gaze has one", path=table)
    points: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    begun: set[tuple[str, str, str]] = set()
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            who = (row["set"], row["image"], row["observer"])
            if who in begun:
                points[who[:2]].append((float(row["x_px"]), float(row["y_px"])))
            begun.add(who)
    paths = {(path.parent.name, path.stem): path for path in folder.glob("*/*")}
    sets = sorted({key[0] for key in points})
    return [GazedImage(paths[key], sets.index(key[0]), np.array(xy, np.float32)) for key, xy in sorted(points.items())]


def pixels_of(image: GazedImage) -> NDArray[np.uint8]:
    """[h, w, 3] RGB."""
    found: NDArray[np.uint8] = imread(image.path)[..., :3]
    return found


def random_view(
    image: GazedImage, pixels: NDArray[np.uint8], random: np.random.Generator
) -> tuple[FloatArray, Tensor] | None:
    """A crop (or, one time in three, the whole), perhaps mirrored, as the network sees it, and its density.

    None if too few fixations lie in it.
    """
    height, width = pixels.shape[:2]
    left, top, across, down = 0.0, 0.0, float(width), float(height)
    if random.random() > 1 / 3:
        across = random.uniform(0.6, 0.95) * width
        down = min(across / random.uniform(1.3, 1.8), float(height))
        left, top = random.uniform(0, width - across), random.uniform(0, height - down)
    crop = pixels[int(top) : int(np.ceil(top + down)), int(left) : int(np.ceil(left + across))]
    x, y = ((image.xy_px - [left, top]) / [across, down]).T
    inside = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    if inside.sum() < _LEAST_FIXATIONS:
        return None
    if random.random() < 0.5:
        crop, x = crop[:, ::-1], 1 - x
    return picture(np.ascontiguousarray(crop), INPUT_SHAPE), fixation_map(x[inside], y[inside], CELLS)
