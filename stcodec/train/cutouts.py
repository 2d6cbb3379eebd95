"""Things cut out of video by their masks, to be moved over other pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stcodec.errors import MediaError
from stcodec.media.decode import VideoReader

_SIDE_PX = 96
_MARGIN_PX = 8
_LEAST_PX = 200
"""Smaller things are not worth showing."""


@dataclass(frozen=True)
class Cutout:
    """A thing that moves: its pictures, and where they show it."""

    pictures: Tensor
    """[T, 3, 96, 96] in [-1, 1]."""
    masks: Tensor
    """[T, 1, 96, 96] in [0, 1]."""


def read_cutouts(folder: Path) -> list[Cutout]:
    """The things of a folder with manifest.json, NAME.mkv and NAME.mask.mkv (white = the thing)."""
    names = manifest_names(folder, "video with masks")
    return [_read(folder / f"{name}.mkv", folder / f"{name}.mask.mkv") for name in names]


def manifest_names(folder: Path, what: str) -> list[str]:
    """Names of the clips in a folder's manifest.json; what: a folder of what it is. Raises MediaError."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise MediaError(f"{manifest}: no such file: a folder of {what} has one", path=manifest)
    return [one["name"] for one in json.loads(manifest.read_text(encoding="utf-8"))]


def _read(video: Path, mask: Path) -> Cutout:
    pictures, masks = [], []
    for picture, white in zip(_frames(video, "rgb24"), _frames(mask, "gray"), strict=True):
        shown = white > 127
        if shown.sum() >= _LEAST_PX:
            one, its_mask = _squared(picture, shown)
            pictures.append(one * 2 - 1)
            masks.append(its_mask)
    if not pictures:
        raise MediaError(f"{mask}: shows nothing of {_LEAST_PX} px or more", path=mask)
    return Cutout(torch.stack(pictures), torch.stack(masks))


def _frames(path: Path, pix_fmt: str) -> Iterator[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        for frame in reader.frames():
            yield np.asarray(frame.to_ndarray(format=pix_fmt), np.uint8)


def _squared(picture: NDArray[np.uint8], shown: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
    """The square around a thing: [3, 96, 96] and [1, 96, 96], both in [0, 1]."""
    rows, columns = np.nonzero(shown)
    side = int(max(np.ptp(rows), np.ptp(columns))) + _MARGIN_PX
    top, left = (int((one.min() + one.max() - side) / 2) + side for one in (rows, columns))
    square = slice(top, top + side), slice(left, left + side)
    beyond = ((side, side), (side, side))
    padded = (
        np.pad(picture, (*beyond, (0, 0)), mode="edge")[square],
        np.pad(shown, beyond)[square][..., None] * np.uint8(255),
    )
    return _small(padded[0]), _small(padded[1])


def _small(values: NDArray[np.uint8]) -> Tensor:
    """[h, w, c] -> [c, 96, 96] in [0, 1]."""
    whole = torch.from_numpy(values).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(whole, (_SIDE_PX, _SIDE_PX), mode="bilinear", antialias=True)[0]
