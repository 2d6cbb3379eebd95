"""The centre prior: where people look on average, whatever is shown."""

from __future__ import annotations

from functools import lru_cache
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.base import AttentionSession, AttentionSource, PromptSession
from stcodec.attention.grids import peak_one
from stcodec.types import ClipSpec, FloatArray, VideoInfo

# Maximum likelihood on the training fixations by tools/fit_center_prior.py: data/results/center_prior.json.
MEAN_X, MEAN_Y = 0.5101, 0.4492
"""Centre of the Gaussian as a share of the frame's width and height, from the top left."""
SIGMA_X, SIGMA_Y = 0.1605, 0.1374
"""Its standard deviations as shares of the frame's width and height."""
GAUSSIAN_SHARE = 0.8180
"""Share of the fixations that the Gaussian accounts for; the rest are uniform over the frame."""

MAP_SIDE = 64
"""Cells along the longer side of a map: fine enough for 16 px blocks of 1024 px, coarser than gaze is accurate."""


def map_shape(video: VideoInfo) -> tuple[int, int]:
    """(rows, cols) of a map over a video's frame as displayed: about square cells, `MAP_SIDE` on the longer side."""
    width, height = video.display_width_px, video.display_height_px
    scale = MAP_SIDE / max(width, height)
    return max(1, round(height * scale)), max(1, round(width * scale))


def gaussian_masses(count: int, mean: float, sigma: float) -> NDArray[np.float64]:
    """Probability of each of `count` equal cells of [0, 1] under a Gaussian cut off at 0 and 1; sums to 1."""
    edges = np.array([0.5 * (1 + erf((k / count - mean) / (sigma * sqrt(2)))) for k in range(count + 1)])
    return np.asarray(np.diff(edges) / (edges[-1] - edges[0]))


@lru_cache(maxsize=16)
def center_density(height: int, width: int) -> FloatArray:
    """The centre prior as a fixation density: float32 [height, width], sums to 1, every cell > 0; not writeable.

    A cell holds the exact integral of the density over it, so coarse grids agree with fine ones.
    """
    gaussian = np.outer(gaussian_masses(height, MEAN_Y, SIGMA_Y), gaussian_masses(width, MEAN_X, SIGMA_X))
    density = (GAUSSIAN_SHARE * gaussian + (1 - GAUSSIAN_SHARE) / gaussian.size).astype(np.float32)
    density.flags.writeable = False
    return density


class CenterSource(AttentionSource):
    """The same map at every instant: the centre prior, scaled to a maximum of 1."""

    name = "center"
    spec = ClipSpec(maps_per_second=0, thumbnail_side_px=0, motion_vectors=False, shots=False)

    def open(self, video: VideoInfo) -> AttentionSession:
        saliency = peak_one(center_density(*map_shape(video)))
        return PromptSession(video, self.name, lambda clip: np.repeat(saliency[None], len(clip), axis=0))
