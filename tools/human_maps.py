"""The ceiling: how well half of the observers predict where the other half looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from gaze_clips import GazeClip, RealArray

from stcodec.attention.center import center_density
from stcodec.metrics.saliency import fixation_cells, fixation_density

SHAPE = (192, 256)
"""(rows, columns) that maps are scored on."""
SIGMAS = (0.02, 0.025, 0.03, 0.035, 0.04, 0.05)
CENTER_SHARES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Half:
    """An instant as one half of the observers sees it, to be predicted from the other half."""

    seconds: float
    known: tuple[RealArray, RealArray]
    """x and y of the fixations that are known, shares of the frame."""
    wanted: tuple[RealArray, RealArray]
    """x and y of the fixations to be foretold."""


@dataclass(frozen=True)
class HumanMaps:
    """From some observers' fixations to a density for the others."""

    sigma: float
    """Of each known fixation's Gaussian, frame widths."""
    center_share: float
    """Share of the centre prior in the density; the Gaussians have the rest."""

    def density(self, x: RealArray, y: RealArray) -> RealArray:
        """[192, 256], sums to 1."""
        known = fixation_density(SHAPE, x, y, self.sigma * SHAPE[1])
        return (1 - self.center_share) * known + self.center_share * center_density(*SHAPE)


def halves(clip: GazeClip, splits: int, seed: int) -> Iterator[Half]:
    """Every instant of a clip, for each of so many random splits of its observers, once from either half.

    Instants at which one half does not fixate at all are left out.
    """
    random = np.random.default_rng([seed, *clip.name.encode()])
    observers = np.unique(clip.observer)
    for _ in range(splits):
        first = np.isin(clip.observer, random.permutation(observers)[: len(observers) // 2])
        for seconds, active in clip.active():
            one, other = (active[first[active]], active[~first[active]])
            for known, wanted in ((one, other), (other, one)):
                if len(known) and len(wanted):
                    yield Half(seconds, (clip.x[known], clip.y[known]), (clip.x[wanted], clip.y[wanted]))


def fit(clips: Sequence[GazeClip], splits: int, seed: int) -> tuple[HumanMaps, dict[str, Any]]:
    """The sigma and the centre's share that foretell the other half best on some clips, and how well, in bits.

    The mean over clips of the mean information gain over the centre prior, over a grid of both.
    """
    center = center_density(*SHAPE)
    gains = np.zeros((len(clips), len(SIGMAS), len(CENTER_SHARES)))
    for number, clip in enumerate(clips):
        found = []
        for half in halves(clip, splits, seed):
            rows, cols = fixation_cells(SHAPE, *half.wanted)
            prior = center[rows, cols]
            known = [fixation_density(SHAPE, *half.known, sigma * SHAPE[1])[rows, cols] for sigma in SIGMAS]
            found.append([[np.mean(np.log2((1 - share) * one / prior + share)) for share in CENTER_SHARES] for one in known])
        gains[number] = np.mean(found, axis=0)
    mean = gains.mean(axis=0)
    best, (row, column) = max((mean[at], at) for at in product(range(len(SIGMAS)), range(len(CENTER_SHARES))))
    maps = HumanMaps(SIGMAS[row], CENTER_SHARES[column])
    return maps, {
        "sigma_frame_widths": maps.sigma,
        "center_share": maps.center_share,
        "train_gain_bits": round(float(best), 4),
    }
