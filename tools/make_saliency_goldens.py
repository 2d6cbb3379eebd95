"""Saliency scores computed by pysaliency itself, that stcodec.metrics.saliency is tested against.

    python3.11 -m venv goldens && goldens/bin/pip install pysaliency==0.2.22 torch "numpy<2.4" "setuptools<81"
    goldens/bin/python tools/make_saliency_goldens.py tests/goldens/pysaliency.json

pysaliency can't be one of the test requirements: it is compiled on installation, and it needs torch (which it does not
declare), pkg_resources (gone from setuptools 81 on) and numpy.trapz (gone from NumPy 2.4 on).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RealArray = NDArray[np.float64]
SHAPE = (12, 16)


def maps(random: np.random.Generator) -> dict[str, RealArray]:
    """Maps of many kinds, [12, 16]."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    smooth = np.exp(-((x - 6) ** 2 + (y - 5) ** 2) / 18) + 0.02
    peak = np.zeros(SHAPE)
    peak[3, 4] = 1
    return {
        "noise": random.random(SHAPE),
        "smooth": smooth,
        "steps": np.round(smooth * 4) / 4,
        "negative": random.normal(size=SHAPE),
        "peak": peak,
        "constant": np.full(SHAPE, 0.5),
        "zero": np.zeros(SHAPE),
    }


def golden(tool: Any, saliency: RealArray, other: RealArray, cells: dict[str, list[int]]) -> dict[str, float | None]:
    """All scores of a map by pysaliency: fixations on the first of two pictures, those on the second as negatives."""
    stimuli = tool.Stimuli([np.zeros((*SHAPE, 3), np.uint8)] * 2)
    trains = ([cells["cols"], cells["negative_cols"]], [cells["rows"], cells["negative_rows"]])
    times = [list(range(len(one))) for one in trains[0]]
    everything = tool.FixationTrains.from_fixation_trains(*trains, times, [0, 1], [0, 0])
    first = everything[everything.n == 0]
    model = _saliency_model(tool, saliency)
    provider = tool.saliency_map_models.FullShuffledNonfixationProvider(stimuli, everything)
    metrics = tool.metrics
    density = metrics.convert_saliency_map_to_density(saliency, minimum_value=0)
    scores: dict[str, Callable[[], float]] = {
        "nss": lambda: metrics.NSS(saliency, cells["cols"], cells["rows"]).mean(),
        "auc_judd": lambda: model.AUC_Judd(stimuli, first, jitter=False),
        "auc_shuffled": lambda: model.AUC(stimuli, first, nonfixations=provider),
        "cc": lambda: metrics.CC(saliency, other),
        "sim": lambda: metrics.SIM(saliency, other),
        "kl": lambda: metrics.MIT_KLDiv(saliency, other),
        "information_gain_bits": lambda: _density_model(tool, density).information_gain(
            stimuli, first, baseline_model=_density_model(tool, other / other.sum())
        ),
    }
    with np.errstate(all="ignore"):
        values = {name: float(score()) for name, score in scores.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _saliency_model(tool: Any, saliency: RealArray) -> Any:
    class Fixed(tool.SaliencyMapModel):  # type: ignore[misc]
        def _saliency_map(self, stimulus: object) -> RealArray:
            return saliency

    return Fixed()


def _density_model(tool: Any, density: RealArray) -> Any:
    class Fixed(tool.Model):  # type: ignore[misc]
        def _log_density(self, stimulus: object) -> RealArray:
            return np.asarray(np.log(density))

    return Fixed()


def main() -> None:
    tool = importlib.import_module("pysaliency")
    random = np.random.default_rng(20)
    known = maps(random)
    truth = np.exp(-((np.arange(16) - 9.0) ** 2) / 12)[None] * np.exp(-((np.arange(12) - 6.0) ** 2) / 9)[:, None]
    cases = []
    for name, saliency in known.items():
        for count in (1, 7, 30):
            cells = {
                key: [int(value) for value in random.integers(0, side, count if "neg" not in key else 25)]
                for key, side in (("rows", 12), ("cols", 16), ("negative_rows", 12), ("negative_cols", 16))
            }
            case = {"map": name, **cells, "scores": golden(tool, saliency, truth, cells)}
            cases.append(case)
    result = {
        "versions": {"pysaliency": importlib.metadata.version("pysaliency"), "numpy": np.__version__},
        "maps": {name: saliency.tolist() for name, saliency in known.items()},
        "truth": truth.tolist(),
        "cases": cases,
    }
    Path(sys.argv[1]).write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
