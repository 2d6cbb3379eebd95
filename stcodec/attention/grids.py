"""Small operations on saliency maps that several sources share."""

from __future__ import annotations

import cv2
import numpy as np

from stcodec.types import FloatArray

LONGEST_SIDE_PX = 480
"""Maps from files are averaged down to this: finer than the 8 px blocks of a 4K frame."""


def resize(saliency: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """A map [h, w] on another grid that covers the same frame: averaged where it shrinks, linear where it grows."""
    height, width = (min(have, want) for have, want in zip(saliency.shape, shape, strict=True))
    if saliency.shape != (height, width):
        saliency = np.asarray(cv2.resize(saliency, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    if saliency.shape != shape:
        saliency = np.asarray(cv2.resize(saliency, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return saliency


def shrink(saliency: FloatArray, longest_px: int = LONGEST_SIDE_PX) -> FloatArray:
    """A map [h, w] whose sides are at most so long, aspect kept."""
    scale = longest_px / max(saliency.shape)
    if scale >= 1:
        return saliency
    return resize(saliency, (max(1, round(saliency.shape[0] * scale)), max(1, round(saliency.shape[1] * scale))))


def filled(saliency: FloatArray) -> FloatArray:
    """A map that singles out nothing (all zero) means that everything matters alike: all ones."""
    return saliency if saliency.any() else np.ones_like(saliency)


def sharpness_bits(density: FloatArray) -> float:
    """Entropy that a density [h, w] (sums to 1) lacks to a uniform one on its grid, bits; 0 for a uniform one."""
    mass = density[density > 0].astype(np.float64)
    return max(0.0, float(np.log2(density.size) + np.sum(mass * np.log2(mass))))


def peak_one(saliency: FloatArray) -> FloatArray:
    """A non-negative map [h, w], scaled so that its largest value is 1; all ones if it is all zero."""
    saliency = filled(saliency)
    scaled: FloatArray = saliency / saliency.max()
    return scaled
