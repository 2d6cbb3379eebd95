"""`mask:FILE`: a mask of what matters, white on black."""

from __future__ import annotations

import math

import cv2
import numpy as np

from stcodec.attention.grids import filled, resize, shrink
from stcodec.attention.map_file import MapFileSource
from stcodec.types import FloatArray

_SIGMA_SHARE = 0.02
"""Sigma of the softening, as a share of the frame's width."""
_SOFT_SIDE_PX = 240


class MaskSource(MapFileSource):
    """A mask from a file that `map:` could read too, with a soft edge around what it marks.

    What is white stays as it is, however small; around it attention falls off as a Gaussian of sigma = 2 % of the
    width, so that blocks that hold a part of it keep their quality. Gray means "in between". A black frame counts as
    all ones.
    """

    prefix = "mask"

    def prepare(self, saliency: FloatArray) -> FloatArray:
        """A mask [h, w], softened."""
        mask = shrink(saliency)
        coarse = shrink(mask, _SOFT_SIDE_PX)  # what is soft needs no fine grid
        sigma = _SIGMA_SHARE * coarse.shape[1]
        blurred = cv2.GaussianBlur(coarse, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        reach = 2 * math.ceil(3 * sigma) + 1
        highest = cv2.dilate(coarse, np.ones((reach, reach), np.uint8))
        # Twice the blur is full at a straight edge and falls off outside of it; nothing outshines what is near it.
        soft = np.minimum(2 * blurred, highest)
        shape = (mask.shape[0], mask.shape[1])
        return filled(np.maximum(mask, resize(soft, shape)))
