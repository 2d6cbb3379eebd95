"""Video made of pictures with gaze: a camera that moves over them, and cut-outs that move on them.

What the camera does to a picture moves its fixations with it and adds none; what moves against the camera draws some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stcodec.attention.neural_input import MotionInput
from stcodec.model.config import MAPS_PER_SECOND, STRIDE
from stcodec.train.cutouts import Cutout
from stcodec.train.images import CELLS, INPUT_SHAPE, GazedImage, pixels_of
from stcodec.train.losses import fixation_map
from stcodec.train.recordings import Recording, recording_of
from stcodec.types import Clip, FloatArray, VideoInfo

_VIDEO = VideoInfo(
    4 * INPUT_SHAPE[1], 4 * INPUT_SHAPE[0], Fraction(1, 600), Fraction(30), None, None, "yuv420p", 8, "rawvideo"
)
_ASPECT = INPUT_SHAPE[0] / INPUT_SHAPE[1]
_LEAST_FIXATIONS = 5
_MOVING_SHARE = 0.65
"""Of the fixations, on a cut-out that moves."""
_RESTING_SHARE = 0.3


@dataclass(frozen=True)
class CameraMove:
    """View of a camera on a picture at each of T instants; all in shares of the picture."""

    centre: FloatArray
    """[T, 2] x, y."""
    width: FloatArray
    """[T]."""
    height: FloatArray
    """[T]."""


def synthetic_clip(
    images: Sequence[GazedImage], cutouts: Sequence[Cutout], instants: int, random: np.random.Generator
) -> Recording:
    """A clip of so many instants of a random picture, camera and cut-out; one in five has a cut."""
    cut = int(random.integers(3, instants - 2)) if random.random() < 0.2 else instants
    parts = [_shot(images, cutouts, count, random) for count in (cut, instants - cut) if count > 0]
    pictures = torch.cat([one[0] for one in parts])
    density = torch.cat([one[1] for one in parts])
    starts = np.zeros(instants, np.bool_)
    starts[0] = True
    if cut < instants:
        starts[cut] = True
    thumbnails = ((pictures.permute(0, 2, 3, 1) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()
    clip = Clip(_VIDEO, np.arange(instants) / MAPS_PER_SECOND, starts, thumbnails)
    motion = MotionInput(_VIDEO, INPUT_SHAPE)
    seen = [motion.see(clip, index) for index in range(instants)]
    return recording_of("synthetic", pictures.half(), seen, clip, density)


def _shot(
    images: Sequence[GazedImage], cutouts: Sequence[Cutout], count: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Pictures [count, 3, H, W] and densities [count, H/8, W/8], 0 where too few fixations are in view."""
    image = images[int(random.integers(len(images)))]
    pixels = pixels_of(image)
    source = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 127.5 - 1
    fixations = np.asarray(image.xy_px / pixels.shape[1::-1], np.float32)
    if random.random() < 0.5:
        source = source.flip(2)
        fixations[:, 0] = 1 - fixations[:, 0]
    path = _camera(pixels.shape[0] / pixels.shape[1], count, random)
    pictures = _seen(source, path)
    densities = torch.stack([_looked(fixations, path, index) for index in range(count)])
    if cutouts and random.random() < 0.6:
        pictures, densities = _with_cutout(pictures, densities, cutouts[int(random.integers(len(cutouts)))], random)
    return pictures, densities


def _camera(aspect: float, count: int, random: np.random.Generator) -> CameraMove:
    """A still camera three times in ten, else pans and zooms, shaken four times in ten; it stays on the picture."""
    along = np.linspace(0, 1, count) if count > 1 else np.zeros(1)
    still = random.random() < 0.3
    largest = min(1.0, aspect / _ASPECT)
    begin, end = random.uniform(0.55, 1.0, 2) * largest
    width = begin + (0 if still else 1) * (end - begin) * along
    height = width * _ASPECT / aspect
    first, last = random.random((2, 2))
    place = first + (0 if still else 1) * (last - first) * along[:, None]
    size = np.stack([width, height], axis=1)
    centre = size / 2 + place * (1 - size)
    if not still and random.random() < 0.4:
        centre = centre + random.normal(0, random.uniform(0.003, 0.015), (count, 2))
    return CameraMove(*(np.asarray(one, np.float32) for one in (centre, width, height)))


def _seen(source: Tensor, path: CameraMove) -> Tensor:
    """[T, 3, H, W] of a picture [3, h, w]; smoothed first where it is shown smaller than it is."""
    shrink = max(1.0, float(path.width.mean()) * source.shape[2] / INPUT_SHAPE[1])
    if shrink > 1.25:
        size = [round(side / shrink) for side in source.shape[1:]]
        source = F.interpolate(source[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
    theta = torch.zeros(len(path.width), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = torch.from_numpy(path.width), torch.from_numpy(path.height)
    theta[:, :, 2] = torch.from_numpy(path.centre) * 2 - 1
    grid = F.affine_grid(theta, [len(theta), 3, *INPUT_SHAPE], align_corners=False)
    return F.grid_sample(source.expand(len(theta), -1, -1, -1), grid, padding_mode="border", align_corners=False)


def _looked(fixations: FloatArray, path: CameraMove, index: int) -> Tensor:
    """[H/8, W/8] of the fixations [N, 2] that are in view, in shares of the picture; 0 if they are too few."""
    size = np.array([path.width[index], path.height[index]])
    x, y = ((fixations - path.centre[index]) / size + 0.5).T
    inside = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    if inside.sum() < _LEAST_FIXATIONS:
        return torch.zeros(CELLS)
    return fixation_map(x[inside], y[inside], CELLS)


def _with_cutout(pictures: Tensor, densities: Tensor, cutout: Cutout, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A cut-out laid over a shot; it rests, moves, or turns up in mid-shot, and draws fixations from then on."""
    count = len(pictures)
    height = random.uniform(0.15, 0.45)  # shares of the frame's height
    width = height * _ASPECT * cutout.pictures.shape[3] / cutout.pictures.shape[2]
    speed = 0.0 if random.random() < 0.15 else random.uniform(0.05, 0.5)
    heading = random.uniform(0, 2 * np.pi)
    middle = random.uniform(0.15, 0.85, 2)
    first = int(random.integers(2, count)) if count > 3 and random.random() < 0.4 else 0
    begin = int(random.integers(len(cutout.pictures)))
    share = _RESTING_SHARE if speed == 0 else _MOVING_SHARE
    pictures, densities = pictures.clone(), densities.clone()
    for index in range(first, count):
        seconds = (index - (count - 1) / 2) / MAPS_PER_SECOND
        x = middle[0] + speed * seconds * np.cos(heading)
        y = middle[1] + speed * seconds * np.sin(heading) / _ASPECT
        # Back and forth through its pictures, at about their own pace.
        number = begin + 5 * (index - first)
        turn = 2 * max(1, len(cutout.pictures) - 1)
        number = min(number % turn, turn - number % turn) % len(cutout.pictures)
        theta = torch.tensor(
            [[[1 / width, 0, (1 - 2 * x) / width], [0, 1 / height, (1 - 2 * y) / height]]], dtype=torch.float32
        )
        grid = F.affine_grid(theta, [1, 3, *INPUT_SHAPE], align_corners=False)
        mask = F.grid_sample(cutout.masks[number][None], grid, padding_mode="zeros", align_corners=False)[0]
        thing = F.grid_sample(cutout.pictures[number][None], grid, padding_mode="border", align_corners=False)[0]
        pictures[index] = mask * thing + (1 - mask) * pictures[index]
        covered = F.avg_pool2d(mask[None], STRIDE)[0, 0]
        densities[index] = _drawn(densities[index], covered, share)
    return pictures, densities


def _drawn(density: Tensor, covered: Tensor, share: float) -> Tensor:
    """A density, of which a cut-out takes a share; covered: [H/8, W/8] how much of each cell it covers."""
    if density.sum() == 0 or covered.sum() < 1:  # out of view, or nothing known
        return density
    rows, cols = (torch.arange(side) + 0.5 for side in covered.shape)
    weight = covered / covered.sum()
    y, x = (weight.sum(1) * rows).sum(), (weight.sum(0) * cols).sum()
    spread = (weight.sum(0) * (cols - x) ** 2).sum() + (weight.sum(1) * (rows - y) ** 2).sum() + 1
    on_it = torch.exp(-((rows[:, None] - y) ** 2 + (cols[None] - x) ** 2) / spread) * (0.2 + covered)
    rest = density * (1 - 0.8 * covered)
    return (1 - share) * rest / rest.sum() + share * on_it / on_it.sum()
