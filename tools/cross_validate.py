"""Cross-validate the attention network: what it predicts on clips that it was not trained on, and what each part adds.

    python tools/cross_validate.py --data ../shared/data --stem efficientnet-lite0.pth --work build/cv \
        --seeds 0 1 2 --out data/results/model_cross_validation.json --maps build/cv/maps

Four folds, the clips of one scene together. A variant leaves out one part of the network or of its training; its
difference to the full network is the mean over seeds, with a bootstrap interval over clips. Temperature and the share of
the centre prior with which a fold is scored are fitted on the held-out maps of the other folds. --maps writes the
held-out maps of the first seed as map files, for tools/score_sources.py and tools/headline.py; --weights the weights to
ship, trained on all clips. What is in --work is not computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gaze_clips import GazeClip, mean_scores, read_clips, scores
from numpy.typing import NDArray
from results import command, parser_for
from training_study import FOLDS, VARIANTS, Study

from stcodec.attention.center import center_density
from stcodec.attention.neural import NeuralSource
from stcodec.attention.neural_options import NeuralOptions
from stcodec.attention.shot_window import Placed, ShotWindow
from stcodec.media.clips import read_clip
from stcodec.media.map_writer import MapWriter
from stcodec.metrics.saliency import as_density
from stcodec.model.config import MEAN_SECONDS, SLACK_SECONDS, Calibration
from stcodec.model.network import AttentionNet, log_density
from stcodec.model.weights import save_weights
from stcodec.model.weights_file import WeightsInfo
from stcodec.pipeline.summary import versions
from stcodec.qp import BlockAverage, MapTimeline
from stcodec.train.clip_features import ClipFeatures, clip_logits
from stcodec.types import BlockGrid, FloatArray, SaliencyTrack

SHAPE = (192, 256)
TEMPERATURES = (0.8, 0.85, 0.9, 1.0, 1.1)
CENTER_SHARES = (0.05, 0.1, 0.15)
NSS_WEIGHT = 0.1
WITHOUT_MEAN = "without the mean over time"
"""The full network, whose maps stand for an instant each."""
_CHUNK = 6
"""Instants that are foretold together, and the window's reach to both sides of them."""
_RESAMPLES = 10_000
_KEPT = ("nss", "cc", "gain_bits", "kl")

Foretold = Mapping[str, FloatArray]
"""Log densities [T, h, w] by clip."""


@torch.no_grad()
def foretold(net: AttentionNet, run: ClipFeatures) -> FloatArray:
    """Log densities [T, h, w], with a look ahead."""
    parts = []
    for start in range(0, len(run), _CHUNK):
        before = min(_CHUNK, start)
        logits = clip_logits(net, run.part(start - before, before + 2 * _CHUNK), ahead=True)
        parts.append(log_density(logits)[before : before + _CHUNK, 0])
    return torch.cat(parts).numpy()


def held_out(study: Study, name: str, seed: int, work: Path) -> Foretold:
    """Each clip by a network that was not trained on its fold."""
    path = work / f"{name.replace(' ', '-')}-{seed}.npz"
    if not path.exists():
        clips = study.material(name).clips
        pairs = zip(study.networks(name, seed), FOLDS, strict=True)
        maps: dict[str, Any] = {clip: foretold(net, clips[clip][0]) for net, fold in pairs for clip in fold}
        np.savez(path, **maps)
    with np.load(path) as stored:
        return {clip: stored[clip] for clip in stored.files}


def calibrated(log_densities: FloatArray, calibration: Calibration) -> FloatArray:
    """Densities [T, h, w] as the source makes them; see `stcodec.attention.neural.Network.log_density`."""
    sharpened = log_densities / calibration.temperature
    density = np.exp(sharpened - sharpened.max((1, 2), keepdims=True))
    density /= density.sum((1, 2), keepdims=True)
    center = center_density(*density.shape[1:])
    return np.asarray((1 - calibration.center_share) * density + calibration.center_share * center, np.float32)


def averaged(densities: FloatArray, run: ClipFeatures, reach_seconds: float) -> FloatArray:
    """Densities [T, h, w] as they come out of the source, each the mean of those about it in time."""
    window: ShotWindow[FloatArray] = ShotWindow(reach_seconds, reach_seconds, SLACK_SECONDS)
    starts = np.diff(run.shot.numpy(), prepend=-1) != 0
    seen: list[list[Placed[FloatArray]]] = []
    for seconds, start, density in zip(run.seconds.tolist(), starts.tolist(), densities, strict=True):
        seen += [near for _, near in window.push(seconds, start, density)]
    seen += [near for _, near in window.finish()]
    return np.stack([np.mean([one.what for one in near], axis=0) for near in seen])


def clip_scores(clip: GazeClip, run: ClipFeatures, densities: FloatArray) -> dict[str, float]:
    """Mean scores of densities [T, h, w] over the instants of a clip."""
    starts = np.diff(run.shot.numpy(), prepend=-1) != 0
    seconds = run.seconds.numpy().astype(np.float64)
    peak = densities.max((1, 2), keepdims=True)
    return track_scores(clip, SaliencyTrack(densities / peak, seconds, starts, clip.width_px, clip.height_px, "neural"))


def track_scores(clip: GazeClip, track: SaliencyTrack, start_seconds: float = 0.0) -> dict[str, float]:
    """Mean scores over the instants of a clip that starts so late, maps read between instants as the encoder reads them."""
    shape = track.saliency.shape[1:]
    average = BlockAverage(BlockGrid(SHAPE[1], SHAPE[0], 1), *shape)
    timeline = MapTimeline()
    timeline.push(track)
    timeline.end()
    prior = as_density(average(center_density(*shape)))
    found = []
    for now, x, y in clip.instants():
        saliency = timeline.at(start_seconds + now)
        assert saliency is not None
        density = np.asarray(0.99 * as_density(average(saliency)) + 0.01 / (SHAPE[0] * SHAPE[1]), np.float32)
        found.append(scores(density, np.asarray(prior, np.float32), x, y))
    return mean_scores(found)


Scored = dict[str, dict[str, float]]
"""Scores by clip."""


def all_scores(
    study: Study,
    name: str,
    maps: Foretold,
    calibrations: Mapping[str, Calibration],
    clips: list[GazeClip],
    reach_seconds: float = MEAN_SECONDS,
) -> Scored:
    """Scores of a network's maps, each clip with its own calibration; reach_seconds: of the mean over time."""
    found = {}
    for one in clips:
        run = study.material(name).clips[one.name][0]
        found[one.name] = clip_scores(
            one, run, averaged(calibrated(maps[one.name], calibrations[one.name]), run, reach_seconds)
        )
    return found


class Calibrations:
    """What the full network's held-out maps score with every calibration, all seeds together."""

    def __init__(self, study: Study, seeds: list[Foretold], clips: list[GazeClip]) -> None:
        self._clips = [one.name for one in clips]
        self._losses: dict[Calibration, dict[str, float]] = {}
        for calibration in (Calibration(*pair) for pair in product(TEMPERATURES, CENTER_SHARES)):
            same = dict.fromkeys(self._clips, calibration)
            scored = [all_scores(study, "full", maps, same, clips) for maps in seeds]
            self._losses[calibration] = {
                name: float(np.mean([one[name]["kl"] - NSS_WEIGHT * one[name]["nss"] for one in scored]))
                for name in self._clips
            }

    def fitted(self, left_out: Sequence[str] = ()) -> Calibration:
        """The calibration with the least KL - 0.1 NSS: divergence hardly tells neighbours apart, and of those the sharper
        is wanted. The clips that are left out have no say."""

        def loss(calibration: Calibration) -> float:
            return float(np.mean([loss for name, loss in self._losses[calibration].items() if name not in left_out]))

        return min(self._losses, key=loss)

    def nested(self) -> dict[str, Calibration]:
        """For each clip, the calibration fitted on the clips of the other folds."""
        return {name: self.fitted(fold) for fold in FOLDS for name in fold}


def difference(full: NDArray[np.float64], other: NDArray[np.float64]) -> dict[str, float]:
    """Of the means over clips, other - full, with the 95 % bootstrap interval over clips."""
    each = other - full
    random = np.random.default_rng(0)
    means = each[random.integers(len(each), size=(_RESAMPLES, len(each)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return {"mean": round(float(each.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def table(found: Mapping[str, list[dict[str, Any]]], clips: list[GazeClip]) -> dict[str, Any]:
    """Per variant the means over clips and seeds, each clip's, and the difference to the full network."""

    def by_clip(name: str, score: str, seeds: int | None = None) -> NDArray[np.float64]:
        return np.array([np.mean([seed[clip.name][score] for seed in found[name][:seeds]]) for clip in clips])

    return {
        name: {
            "mean": {score: round(float(by_clip(name, score).mean()), 4) for score in _KEPT},
            "by_seed": [
                {score: round(float(np.mean([one[score] for one in seed.values()])), 4) for score in _KEPT}
                for seed in found[name]
            ],
            "minus_full": {
                score: difference(by_clip("full", score, len(found[name])), by_clip(name, score)) for score in _KEPT
            },
            "clips": {
                clip.name: {score: round(float(by_clip(name, score)[index]), 4) for score in _KEPT}
                for index, clip in enumerate(clips)
            },
        }
        for name in found
    }


def write_maps(study: Study, seed: int, calibration: Calibration, clips: list[GazeClip], folder: Path) -> None:
    """The maps of the source itself, with the weights of the fold that a clip was held out of."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (net, fold) in enumerate(zip(study.networks("full", seed), FOLDS, strict=True)):
        weights = folder / f"fold-{number}.safetensors"
        save_weights(net, weights, WeightsInfo(net.config, calibration, {"left out": " ".join(fold)}))
        source = NeuralSource(NeuralOptions(device="torch"), weights)
        for clip in (one for one in clips if one.name in fold):
            seen = read_clip(clip.video, source.spec)
            with MapWriter(
                folder / f"{clip.name}.mkv", seen.video, {"SOURCE": f"neural, fold {number}, seed {seed}"}
            ) as writer:
                writer.write(source.attend(seen))


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with image-gaze, object-masks and video-gaze")
    parser.add_argument("--stem", type=Path, required=True, help="as for python -m stcodec.train")
    parser.add_argument("--imagenet", type=Path, help="a stem that has seen no gaze, for the variant without pictures")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is computed once")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variant-seeds", type=int, metavar="N", help="only the first N seeds for what leaves out a part")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--weights", type=Path, help="where a network of the first seed goes that is trained on all clips")
    parser.add_argument("--maps", type=Path, help="folder for the held-out maps of the first seed")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    clips = read_clips(given.data / "video-gaze", "all")
    study = Study(given.data, given.stem, given.imagenet, given.work)
    names = ["full", *(name for name in given.variants if name != "full")]
    seeds = {name: given.seeds if name == "full" else given.seeds[: given.variant_seeds] for name in names}
    maps = {name: [held_out(study, name, seed, given.work) for seed in seeds[name]] for name in names}
    calibrations = Calibrations(study, maps["full"], clips)
    calibration, nested = calibrations.fitted(), calibrations.nested()
    found = {name: [all_scores(study, name, one, nested, clips) for one in maps[name]] for name in names}
    found[WITHOUT_MEAN] = [all_scores(study, "full", one, nested, clips, reach_seconds=0.0) for one in maps["full"]]
    result: dict[str, Any] = {
        "command": command(),
        "versions": versions() | {"torch": torch.__version__},
        "protocol": "192x256 cells, one instant a second, 8 or more observers; look ahead; mean over seeds, then over clips",
        "seeds": seeds,
        "folds": FOLDS,
        "calibration": {"shipped": vars(calibration), "by_fold": [vars(nested[fold[0]]) for fold in FOLDS]},
        "variants": table(found, clips),
    }
    if given.weights is not None:
        net = study.final(given.seeds[0])
        provenance = {
            "command": result["command"],
            "config": json.dumps(asdict(VARIANTS["full"].config(given.seeds[0]))),
            "stem_sha256": hashlib.sha256(given.stem.read_bytes()).hexdigest(),
            "clips": " ".join(clip.name for clip in clips),
            "versions": json.dumps(result["versions"]),
        }
        save_weights(net, given.weights, WeightsInfo(net.config, calibration, provenance))
    if given.maps is not None:
        write_maps(study, given.seeds[0], calibration, clips, given.maps)
    text = json.dumps(result, indent=1) + "\n"
    if given.out is not None:
        given.out.write_text(text)
    print(
        json.dumps(
            {name: {key: one[key] for key in ("mean", "by_seed", "minus_full")} for name, one in result["variants"].items()},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
