"""Fit how well a map of the attention network will foretell gaze, from nothing but the map, and see if that holds.

    python tools/fit_confidence.py --data ../shared/data --work build/cv --out data/results/confidence.json \
        [--weights stcodec/model/weights/attention.safetensors]

Expected NSS = scale * sharpness ** power, sharpness in bits below the entropy of a uniform map, by least squares over
instants, each clip with the same weight. The maps are the held-out ones of tools/cross_validate.py (--work: its folder).
What is judged was fitted on the other folds; what --weights gets, beside its tensors, is fitted on all clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch
from cross_validate import SHAPE, averaged, calibrated, held_out
from gaze_clips import GazeClip, RealArray, read_clips, scores
from results import parser_for, read, save
from training_study import FOLDS, Study

from stcodec.attention.center import center_density
from stcodec.attention.grids import sharpness_bits
from stcodec.metrics.saliency import as_density
from stcodec.model.config import MEAN_SECONDS, Confidence
from stcodec.model.weights_file import WEIGHTS_PATH, checked, read_info
from stcodec.qp import BlockAverage
from stcodec.train.clip_features import ClipFeatures
from stcodec.types import BlockGrid, FloatArray

POWERS = np.arange(0.5, 2.505, 0.05)
BINS = 10
WEAK_CLIPS = 7
"""Those with the largest gap in NSS between people and the network hold 95 % of it."""
UNSURE_NSS = 2.5
"""About what the `motion` source has: a map that is expected to be no better is unsure."""
_RESAMPLES = 2_000


class Instant(NamedTuple):
    """A map that was scored."""

    clip: str
    seconds: float
    sharpness_bits: float
    nss: float


def instants_of(clip: GazeClip, run: ClipFeatures, densities: FloatArray) -> list[Instant]:
    """The scored instants of a clip, each by the nearest map; densities: [T, h, w]."""
    average = BlockAverage(BlockGrid(SHAPE[1], SHAPE[0], 1), *densities.shape[1:])
    prior = np.asarray(as_density(average(center_density(*densities.shape[1:]).astype(np.float32))), np.float32)
    seconds = run.seconds.numpy()
    found = []
    for now, x, y in clip.instants():
        density = densities[int(np.abs(seconds - now).argmin())]
        nss = scores(np.asarray(as_density(average(density)), np.float32), prior, x, y)["nss"]
        found.append(Instant(clip.name, now, sharpness_bits(density), nss))
    return found


def fitted(instants: Sequence[Instant]) -> Confidence:
    """The confidence with the least squared error, clips weighing the same."""
    names = [one.clip for one in instants]
    weight = np.array([1 / names.count(name) for name in names])
    sharpness, nss = (np.array([getattr(one, name) for one in instants]) for name in ("sharpness_bits", "nss"))

    def scale(power: float) -> float:
        return float((weight * sharpness**power * nss).sum() / (weight * sharpness ** (2 * power)).sum())

    def loss(power: float) -> float:
        return float((weight * (nss - scale(power) * sharpness**power) ** 2).sum())

    best = float(min(POWERS, key=loss))
    return Confidence(round(scale(best), 4), round(best, 2))


def bins(expected: RealArray) -> list[list[int]]:
    """Indices of instants in bins of equal size, the least sure first."""
    return [part.tolist() for part in np.array_split(np.argsort(expected, kind="stable"), BINS)]


def calibration_error(expected: RealArray, nss: RealArray) -> float:
    """Mean over the bins of the distance between expected and achieved NSS."""
    return float(np.mean([abs(expected[part].mean() - nss[part].mean()) for part in bins(expected)]))


def resampled(names: Sequence[str], random: np.random.Generator) -> list[int]:
    """Indices of the instants of clips that are drawn with replacement."""
    by_clip = {name: [index for index, one in enumerate(names) if one == name] for name in dict.fromkeys(names)}
    drawn = random.choice(list(by_clip), len(by_clip))
    return [index for name in drawn for index in by_clip[name]]


def measured(names: Sequence[str], expected: RealArray, nss: RealArray) -> dict[str, Any]:
    """How reliable the expected NSS is: 95 % intervals by resampling clips."""
    random = np.random.default_rng(0)
    parts = bins(expected)
    achieved, errors, correlations = [], [], []
    edges = [float(expected[part[-1]]) for part in parts[:-1]]
    for _ in range(_RESAMPLES):
        draw = resampled(names, random)
        there, reached = expected[draw], nss[draw]
        place = np.searchsorted(edges, there)
        achieved.append([reached[place == one].mean() if (place == one).any() else np.nan for one in range(BINS)])
        errors.append(calibration_error(there, reached))
        correlations.append(np.corrcoef(there, reached)[0, 1])
    low, high = np.nanpercentile(achieved, (2.5, 97.5), axis=0)
    return {
        "bins": [
            {
                "expected": round(float(expected[part].mean()), 3),
                "achieved": round(float(nss[part].mean()), 3),
                "interval": [round(float(low[number]), 3), round(float(high[number]), 3)],
                "instants": len(part),
                "clips": len({names[index] for index in part}),
            }
            for number, part in enumerate(parts)
        ],
        "calibration_error": _interval(calibration_error(expected, nss), errors),
        "correlation": _interval(float(np.corrcoef(expected, nss)[0, 1]), correlations),
        "bias": round(float((expected - nss).mean()), 3),
    }


def _interval(value: float, draws: Sequence[float]) -> dict[str, float]:
    low, high = np.percentile(draws, (2.5, 97.5))
    return {"value": round(value, 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def weak_clips(names: Sequence[str]) -> list[str]:
    """Of some clips, those that hold most of the gap in NSS between people and the network."""
    return sorted(set(names), key=lambda name: -gaps()[name])[:WEAK_CLIPS]


def gaps() -> dict[str, float]:
    """By clip, how far half of the observers foretell the others better than the network does, NSS."""
    human, neural = (read("saliency_scores")["sources"][name]["per_clip"] for name in ("human", "neural"))
    return {name: human[name]["frame"]["nss"] - neural[name]["frame"]["nss"] for name in human}


def by_clip(names: Sequence[str], expected: RealArray, nss: RealArray) -> dict[str, Any]:
    """Of each clip, the least sure first: what was expected and achieved, and if it is one of the weak ones."""
    gap, weak = gaps(), weak_clips(names)
    rows = {}
    for name in dict.fromkeys(names):
        own = [index for index, one in enumerate(names) if one == name]
        mean = float(expected[own].mean())
        rows[name] = {
            "expected": round(mean, 2),
            "achieved": round(float(nss[own].mean()), 2),
            "gap_to_people": round(gap[name], 2),
            "weak": name in weak,
            "unsure": mean < UNSURE_NSS,
        }
    return dict(sorted(rows.items(), key=lambda one: one[1]["expected"]))


def store(confidence: Confidence, path: Path) -> None:
    """Put it into the metadata of a file of weights; the tensors stay as they are."""
    content = path.read_bytes()
    info = replace(checked(content, path.name), confidence=confidence)
    path.write_bytes(safetensors.torch.save(safetensors.torch.load(content), info.metadata()))
    checked(path.read_bytes(), path.name)


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with video-gaze")
    parser.add_argument("--work", type=Path, required=True, help="folder of tools/cross_validate.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="a file of weights that gets what is fitted")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(given.data, WEIGHTS_PATH, None, given.work)
    maps, calibration = held_out(study, "full", given.seed, given.work), read_info(WEIGHTS_PATH).calibration
    instants = []
    for clip in read_clips(given.data / "video-gaze", "all"):
        run = study.material("full").clips[clip.name][0]
        instants += instants_of(clip, run, averaged(calibrated(maps[clip.name], calibration), run, MEAN_SECONDS))
    others = [fitted([one for one in instants if one.clip not in fold]) for fold in FOLDS]
    judges = {name: confidence for fold, confidence in zip(FOLDS, others, strict=True) for name in fold}
    names = [one.clip for one in instants]
    expected = np.array([judges[one.clip].expected_nss(one.sharpness_bits) for one in instants])
    nss = np.array([one.nss for one in instants])
    whole = fitted(instants)
    save(
        given.out,
        protocol="NSS on 192x256 cells, one instant a second, 8 or more observers; what is judged was fitted on other folds",
        seed=given.seed,
        folds=FOLDS,
        shipped=vars(whole),
        by_fold=[vars(one) for one in others],
        unsure_below=UNSURE_NSS,
        **measured(names, expected, nss),
        clips=by_clip(names, expected, nss),
        instants=[
            [one.clip, one.seconds, round(one.sharpness_bits, 4), round(float(score), 4), round(one.nss, 4)]
            for one, score in zip(instants, expected, strict=True)
        ],
    )
    if given.weights is not None:
        store(whole, given.weights)


if __name__ == "__main__":
    main()
