"""Views of pictures as a stem sees them: computed once, drawn from at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stcodec.model.stem import Stem, Taps
from stcodec.train.images import GazedImage, pixels_of, random_view

_BATCH = 16
_TRIES = 10
"""Crops that are tried until one has enough fixations in it."""


@dataclass(frozen=True)
class Views:
    """N views of pictures with gaze."""

    taps: Taps
    """[N, channels, h, w] float16, the stem's features at strides 8, 16 and 32."""
    density: Tensor
    """[N, H/8, W/8], each sums to 1."""
    prior: Tensor
    """[N] int64, number of the centre prior of the picture's set."""

    def __len__(self) -> int:
        return len(self.prior)

    def sample(self, count: int, random: np.random.Generator) -> Views:
        """Random selection of some; all if there are no more."""
        drawn = torch.from_numpy(random.choice(len(self), min(count, len(self)), replace=False))
        low, middle, high = (one[drawn] for one in self.taps)
        return Views((low, middle, high), self.density[drawn], self.prior[drawn])

    def through(self, stem: Stem) -> Views:
        """The same as a stem sees them that has the same early blocks."""
        return replace(self, taps=all_features(stem, self.taps[0]))

    def on(self, device: str) -> Views:
        """The same on a device, as torch names it."""
        low, middle, high = (one.to(device) for one in self.taps)
        return Views((low, middle, high), self.density.to(device), self.prior.to(device))


def read_views(images: Sequence[GazedImage], stem: Stem, each: int, seed: int) -> Views:
    """Random views of pictures, so many of each (fewer where crops have too few fixations)."""
    random = np.random.default_rng(seed)
    low, densities, priors, waiting = [], [], [], []
    for image in images:
        pixels = pixels_of(image)
        for _ in range(each):
            tries = (random_view(image, pixels, random) for _ in range(_TRIES))
            view = next((one for one in tries if one is not None), None)
            if view is None:
                continue
            waiting.append(torch.from_numpy(view[0]))
            densities.append(view[1])
            priors.append(image.prior)
            if len(waiting) == _BATCH:
                low.append(low_features(stem, torch.stack(waiting)))
                waiting.clear()
    if waiting:
        low.append(low_features(stem, torch.stack(waiting)))
    return Views(all_features(stem, torch.cat(low)), torch.stack(densities), torch.tensor(priors))


@torch.no_grad()
def low_features(stem: Stem, pictures: Tensor) -> Tensor:
    """[N, 40, H/8, W/8] float16 of pictures [N, 3, H, W], on the CPU."""
    device = next(stem.parameters()).device
    return torch.cat([stem.eval().low(part.to(device).float()).half().cpu() for part in _batches(pictures)])


@torch.no_grad()
def all_features(stem: Stem, low: Tensor) -> Taps:
    """The stem's features at all strides, float16, on the CPU, out of those at stride 8 [N, 40, H/8, W/8]."""
    device = next(stem.parameters()).device
    found = [stem.eval().high(part.to(device).float()) for part in _batches(low)]
    middle, high = (torch.cat([one[place].half().cpu() for one in found]) for place in (0, 1))
    return low, middle, high


def _batches(values: Tensor) -> Iterator[Tensor]:
    for first in range(0, len(values), _BATCH):
        yield values[first : first + _BATCH]
