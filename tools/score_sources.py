"""Score sources of attention against recorded gaze: does the map lie where people look?

    python tools/score_sources.py --data ../shared/data/video-gaze --split all \
        --sources center motion spectral human --out data/results/saliency_scores.json

A source is `human` (half of the observers predicting the other half), `spectral` (Hou and Zhang 2007), any text that
`stcodec encode --attention` takes, or NAME=FOLDER: a map file CLIP.mkv for each clip, as `stcodec maps` writes them.

One instant a second from 0.5 s on, if 8 or more fixations are active; the truth is their density on 192x256 cells, sigma =
1/40 of the width. Maps are read at the instant as the encoder reads them, brought to that grid, scaled to sum to 1 and
mixed with 1 % of the uniform density, so that the logarithmic scores are finite; the other scores hardly see it. The
negatives of the shuffled AUC are the fixations on all other clips. Then all of it again on blocks of 16x16 px.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from gaze_clips import MIN_ACTIVE, SIGMA, GazeClip, RealArray, mean_scores, read_clips
from human_maps import SHAPE, HumanMaps, fit, halves
from results import parser_for, save
from spectral_residual import SpectralResidualSource

from stcodec.attention.base import AttentionSource
from stcodec.attention.center import center_density
from stcodec.attention.registry import open_source
from stcodec.errors import OptionsError, StcodecError
from stcodec.media.clips import read_clip
from stcodec.metrics import saliency as metrics
from stcodec.qp import BlockAverage, MapTimeline
from stcodec.types import BlockGrid

UNIFORM_SHARE = 0.01
BLOCK_PX = 16
SEED = 7
_CELLS = BlockGrid(SHAPE[1], SHAPE[0], 1)


@dataclass(frozen=True)
class Prediction:
    """A map and the fixations that it should have foretold."""

    saliency: RealArray
    """[h, w] of any scale and size, covering the frame."""
    x: RealArray
    """[N], shares of the frame."""
    y: RealArray


class Judge:
    """Scores predictions for one clip on one grid that covers its frame."""

    def __init__(self, grid: BlockGrid, other_x: RealArray, other_y: RealArray) -> None:
        """other_x, other_y: [M], the fixations on other clips, shares of the frame."""
        self._grid = grid
        self._extent = (grid.rows * grid.block_px / grid.height_px, grid.cols * grid.block_px / grid.width_px)
        self._negatives = self._cells(other_x, other_y)
        self._baseline = self._density(center_density(*SHAPE))

    def scores(self, prediction: Prediction) -> dict[str, float]:
        """All scores of one map."""
        cells = self._cells(prediction.x, prediction.y)
        density = self._density(prediction.saliency)
        truth = self._average(metrics.fixation_density(SHAPE, prediction.x, prediction.y, SIGMA * SHAPE[1]))
        return {
            "nss": metrics.nss(density, *cells),
            "auc_judd": metrics.auc_judd(density, *cells),
            "auc_shuffled": metrics.auc_shuffled(density, *cells, *self._negatives),
            "cc": metrics.cc(density, truth),
            "sim": metrics.sim(density, truth),
            "kl_nats": metrics.kl(density, truth),
            "gain_bits": metrics.information_gain_bits(density, self._baseline, *cells),
        }

    def _cells(self, x: RealArray, y: RealArray) -> tuple[metrics.CellArray, metrics.CellArray]:
        return metrics.fixation_cells(self._grid.shape, x, y, self._extent)

    def _density(self, saliency: metrics.Map) -> RealArray:
        density = metrics.as_density(self._average(saliency))
        return (1 - UNIFORM_SHARE) * density + UNIFORM_SHARE / density.size

    def _average(self, saliency: metrics.Map) -> RealArray:
        values = np.asarray(saliency, np.float64)
        # Scaled up first: averages are float32, and densities small.
        scale = values.max() or 1.0
        averaged = _block_average(self._grid, *values.shape)((values / scale).astype(np.float32))
        return np.asarray(averaged, np.float64) * scale


@lru_cache(maxsize=16)
def _block_average(grid: BlockGrid, height: int, width: int) -> BlockAverage:
    return BlockAverage(grid, height, width)


def source_predictions(clip: GazeClip, source: AttentionSource) -> Iterator[Prediction]:
    """A source's map at each instant, against all observers."""
    seen = read_clip(clip.video, source.spec)
    timeline = MapTimeline(holds=source.spec.maps_per_second == 0)
    timeline.push(source.attend(seen))
    timeline.end()
    for seconds, x, y in clip.instants():
        saliency = timeline.at(seen.video.start_seconds + seconds)
        assert saliency is not None
        yield Prediction(np.asarray(saliency, np.float64), x, y)


def human_predictions(clip: GazeClip, maps: HumanMaps, splits: int) -> Iterator[Prediction]:
    """Either half's density at each instant, against the other half."""
    for half in halves(clip, splits, SEED):
        yield Prediction(maps.density(*half.known), *half.wanted)


def opened(text: str, clip: GazeClip) -> AttentionSource:
    """The source of a text for a clip."""
    if text == SpectralResidualSource.name:
        return SpectralResidualSource()
    _, equals, folder = text.partition("=")
    source = open_source(f"map:{Path(folder) / clip.name}.mkv" if equals and Path(folder).is_dir() else text)
    if source is None:
        raise OptionsError("none has no maps: there is nothing to score")
    return source


def score_clip(clip: GazeClip, predictions: Iterator[Prediction], clips: Sequence[GazeClip]) -> dict[str, Any]:
    """Mean scores over the instants of a clip, on the fine grid and on blocks."""
    others = [one for one in clips if one.name != clip.name]
    x, y = np.concatenate([one.starting_after_lead() for one in others]).T
    judges = {
        "frame": Judge(_CELLS, x, y),
        "blocks": Judge(BlockGrid(clip.width_px, clip.height_px, BLOCK_PX), x, y),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in judges}
    for prediction in predictions:
        for name, judge in judges.items():
            found[name].append(judge.scores(prediction))
    return {name: mean_scores(each) for name, each in found.items()} | {"maps": len(found["frame"])}


def means(per_clip: dict[str, dict[str, Any]], clips: Sequence[GazeClip]) -> dict[str, Any]:
    """Means over the clips of each split, and over all."""
    groups = {"all": list(clips)} | {split: [one for one in clips if one.split == split] for split in ("train", "dev")}
    return {
        group: {grid: mean_scores([per_clip[one.name][grid] for one in members]) for grid in ("frame", "blocks")}
        for group, members in groups.items()
        if members
    }


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--split", default="dev", choices=["train", "dev", "all"])
    parser.add_argument("--clips", nargs="*", help="only these")
    parser.add_argument("--sources", nargs="+", default=["center", "motion", "spectral", "human"])
    parser.add_argument("--observer-splits", type=int, default=5, metavar="N")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    everything = read_clips(given.data, "all")
    clips = [one for one in everything if given.split in ("all", one.split) and (not given.clips or one.name in given.clips)]
    sources: dict[str, Any] = {}
    protocol: dict[str, Any] = {
        "grid_rows_columns": SHAPE,
        "block_px": BLOCK_PX,
        "truth_sigma_frame_widths": SIGMA,
        "active_fixations_at_least": MIN_ACTIVE,
        "uniform_share": UNIFORM_SHARE,
        "gain_over": "center",
    }
    maps = None
    if "human" in given.sources:
        train = [one for one in everything if one.split == "train"]
        maps, fitted = fit(train, given.observer_splits, SEED)
        protocol["human"] = fitted | {"observer_splits": given.observer_splits, "seed": SEED}
    for text in given.sources:
        per_clip = {}
        for clip in clips:
            predictions = (
                human_predictions(clip, maps, given.observer_splits)
                if text == "human" and maps is not None
                else source_predictions(clip, opened(text, clip))
            )
            per_clip[clip.name] = score_clip(clip, predictions, everything)
        name = text.partition("=")[0]
        sources[name] = {"text": text, "mean": means(per_clip, clips), "per_clip": per_clip}
        for group, grids in sources[name]["mean"].items():
            for grid, scores in grids.items():
                print(
                    f"{name:12} {group:5} {grid:6}",
                    " ".join(f"{key} {value:.3f}" for key, value in scores.items()),
                    flush=True,
                )
    if given.out is not None:
        save(given.out, protocol=protocol, sources=sources)


if __name__ == "__main__":
    try:
        main()
    except StcodecError as error:
        sys.exit(f"error: {error}")
