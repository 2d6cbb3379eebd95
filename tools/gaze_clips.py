"""Clips with gaze recordings, for the scripts that fit and tune the sources of attention.

A folder holds manifest.json (a list of name, split, width, height, frame_rate, frames), videos/NAME.avi and
fixations/NAME.csv (observer, start_ms, duration_ms, x_px, y_px).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stcodec.metrics import saliency as metrics
from stcodec.types import FloatArray

RealArray = NDArray[np.float64]

LEAD_SECONDS = 0.3
"""The first fixation of each observer is on the centre of the screen, where the clip was announced."""
MIN_ACTIVE = 8
"""An instant is scored if so many observers fixate."""
SIGMA = 1 / 40
"""Standard deviation of a fixation in the density that maps are compared with, frame widths."""


@dataclass(frozen=True)
class GazeClip:
    """One clip and its fixations."""

    name: str
    video: Path
    seconds: float
    start_seconds: RealArray
    """[N] from the clip's first frame; x and y: [N], shares of the frame's width and height, in [0, 1)."""
    end_seconds: RealArray
    x: RealArray
    y: RealArray
    observer: RealArray
    """[N], the number of who fixated."""
    width_px: int
    height_px: int
    split: str

    def starting_after_lead(self) -> RealArray:
        """[N, 2] x and y of the fixations that start after the lead and before the clip ends."""
        kept = (self.start_seconds >= LEAD_SECONDS) & (self.start_seconds < self.seconds)
        return np.stack([self.x[kept], self.y[kept]], axis=1)

    def instants(self) -> Iterator[tuple[float, RealArray, RealArray]]:
        """Seconds, x and y of the active fixations: one instant a second from 0.5 s on, if enough observers fixate."""
        for seconds, active in self.active():
            yield seconds, self.x[active], self.y[active]

    def active(self) -> Iterator[tuple[float, NDArray[np.intp]]]:
        """The same instants with the indices of the active fixations."""
        for seconds in np.arange(0.5, self.seconds, 1.0):
            active = np.flatnonzero((self.start_seconds <= seconds) & (seconds < self.end_seconds))
            if len(active) >= MIN_ACTIVE:
                yield float(seconds), active


def read_clips(folder: Path, split: str) -> list[GazeClip]:
    """The clips of a split, or of "all", in the manifest's order."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return [_read_clip(folder, entry) for entry in manifest if split in ("all", entry["split"])]


def _read_clip(folder: Path, entry: dict[str, Any]) -> GazeClip:
    name = entry["name"]
    table = np.loadtxt(folder / "fixations" / f"{name}.csv", delimiter=",", skiprows=1, ndmin=2)
    x, y = table[:, 3] / entry["width"], table[:, 4] / entry["height"]
    on_screen = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    start = table[:, 1] / 1000
    end = start + table[:, 2] / 1000
    seconds = float(entry["frames"] / Fraction(entry["frame_rate"]))
    return GazeClip(
        name=name,
        video=folder / "videos" / f"{name}.avi",
        seconds=seconds,
        start_seconds=start[on_screen],
        end_seconds=end[on_screen],
        x=x[on_screen],
        y=y[on_screen],
        observer=table[on_screen, 0],
        width_px=entry["width"],
        height_px=entry["height"],
        split=entry["split"],
    )


def scores(density: FloatArray, prior: FloatArray, x: RealArray, y: RealArray) -> dict[str, float]:
    """How well a density [h, w] (sums to 1) foretells fixations.

    gain_bits: mean log2 of density over prior at the fixations; nss: mean of the standardised density there;
    cc and kl (nats): against the fixations' own density.
    """
    cells = metrics.fixation_cells(density.shape, x, y)
    truth = metrics.fixation_density(density.shape, x, y, SIGMA * density.shape[1])
    return {
        "gain_bits": metrics.information_gain_bits(density, prior, *cells),
        "nss": metrics.nss(density, *cells),
        "cc": metrics.cc(density, truth),
        "kl": metrics.kl(density, truth),
    }


def mean_scores(each: list[dict[str, float]]) -> dict[str, float]:
    """The mean of every score."""
    return {key: round(float(np.mean([one[key] for one in each])), 4) for key in each[0]}
