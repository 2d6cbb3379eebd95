"""Fit the centre prior on the training fixations of a gaze data set; its constants stand in stcodec/attention/center.py.

    python tools/fit_center_prior.py --data ../shared/data/video-gaze --out data/results/center_prior.json

A Gaussian and a uniform share by maximum likelihood (EM). Each clip weighs the same, fixations of the first 0.3 s are
left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from gaze_clips import GazeClip, RealArray, read_clips
from results import parser_for, save

from stcodec.attention.center import gaussian_masses

_ITERATIONS = 300
_FINE = 2000


@dataclass(frozen=True)
class CenterPrior:
    """Shares of the frame's width (x) and height (y), and of the fixations."""

    mean_x: float
    mean_y: float
    sigma_x: float
    sigma_y: float
    gaussian_share: float


def fit(clips: list[GazeClip]) -> CenterPrior:
    """Expectation maximisation: who belongs to the Gaussian, then the Gaussian of those who do."""
    groups = [clip.starting_after_lead() for clip in clips]
    points = np.concatenate(groups)
    weights = np.concatenate([np.full(len(group), 1 / (len(group) * len(groups))) for group in groups])
    mean, sigma, share = np.full(2, 0.5), np.full(2, 0.25), 0.9
    for _ in range(_ITERATIONS):
        gaussian = share * np.exp(-0.5 * (((points - mean) / sigma) ** 2).sum(axis=1)) / (2 * np.pi * sigma.prod())
        owned = weights * gaussian / (gaussian + 1 - share)
        share = float(owned.sum())
        mean = (owned[:, None] * points).sum(axis=0) / share
        sigma = np.sqrt((owned[:, None] * (points - mean) ** 2).sum(axis=0) / share)
    return CenterPrior(*(round(float(value), 4) for value in (*mean, *sigma, share)))


def gain_bits(prior: CenterPrior, clips: list[GazeClip]) -> float:
    """Mean log2 likelihood ratio of the prior, cut off at the frame's edges, to a uniform density: bits per fixation."""
    x = gaussian_masses(_FINE, prior.mean_x, prior.sigma_x) * _FINE
    y = gaussian_masses(_FINE, prior.mean_y, prior.sigma_y) * _FINE

    def of_clip(points: RealArray) -> float:
        cells = (points * _FINE).astype(int)
        gaussian = x[cells[:, 0]] * y[cells[:, 1]]
        return float(np.mean(np.log2(prior.gaussian_share * gaussian + 1 - prior.gaussian_share)))

    return float(np.mean([of_clip(clip.starting_after_lead()) for clip in clips]))


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    clips = {split: read_clips(given.data, split) for split in ("train", "dev")}
    prior = fit(clips["train"])
    save(
        given.out,
        constants=asdict(prior),
        clips={split: len(some) for split, some in clips.items()},
        fixations={split: sum(len(clip.starting_after_lead()) for clip in some) for split, some in clips.items()},
        gain_over_uniform_bits_per_fixation={split: round(gain_bits(prior, some), 4) for split, some in clips.items()},
    )


if __name__ == "__main__":
    main()
