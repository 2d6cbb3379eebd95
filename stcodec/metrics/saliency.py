"""Scores of a saliency map against fixations: pysaliency's definitions, on plain arrays.

Maps are [h, w] of any real dtype and size; fixations are given by the cell that each falls in (`fixation_cells`), [N] rows
and [N] columns; N = 0 raises ValueError, and so do maps with values that are not finite and pairs of maps of different
shapes. The metrics are those of Kümmerer, Wallis and Bethge, "Saliency benchmarking made easy", ECCV 2018, and Bylinskii
et al., "What do different evaluation metrics tell us about saliency models?", IEEE TPAMI 41(3), 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[Any]
RealArray = NDArray[np.float64]
CellArray = NDArray[np.intp]

_EPSILON = 2.2204e-16
"""Keeps the MIT/Tübingen benchmark's KL divergence finite."""


def fixation_cells(
    shape: tuple[int, int], x: RealArray, y: RealArray, extent: tuple[float, float] = (1.0, 1.0)
) -> tuple[CellArray, CellArray]:
    """Rows and columns [N] of the cells of a map of shape (h, w) that fixations fall in.

    x, y: [N], shares of the frame's width and height, in [0, 1]; 1 belongs to the last cell. extent: height and width that
    the map covers, in frames; above 1 for a grid of blocks that juts out of the frame (rows * 16 / height_px, ...).
    Raises ValueError for fixations outside of the frame.
    """
    if np.any((x < 0) | (x > 1) | (y < 0) | (y > 1)):
        raise ValueError("fixations must be shares of the frame in [0, 1]: leave out those beside it")
    rows = np.minimum((y / extent[0] * shape[0]).astype(np.intp), shape[0] - 1)
    cols = np.minimum((x / extent[1] * shape[1]).astype(np.intp), shape[1] - 1)
    return rows, cols


def fixation_density(shape: tuple[int, int], x: RealArray, y: RealArray, sigma_px: float) -> RealArray:
    """[h, w], sums to 1: a Gaussian for each fixation, sampled at the centres of the cells.

    x, y: [N], shares of the frame's width and height; sigma_px: in cells of this map. Fixations far beside the frame
    whose Gaussians vanish inside it count for nothing; if all do, the density is uniform. Raises ValueError for N = 0.
    """
    if not len(x):
        raise ValueError("there are no fixations")
    height, width = shape
    across = np.exp(-0.5 * ((np.arange(width) + 0.5 - np.asarray(x)[:, None] * width) / sigma_px) ** 2)
    down = np.exp(-0.5 * ((np.arange(height) + 0.5 - np.asarray(y)[:, None] * height) / sigma_px) ** 2)
    return as_density(down.T @ across)


def as_density(saliency: Map) -> RealArray:
    """[h, w], sums to 1, of the same proportions; lifted so that its least value is 0 if it has negative ones.

    A map of zeros becomes uniform.
    """
    values = _map(saliency)
    values = values - min(0.0, float(values.min()))
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, 1 / values.size)


def nss(saliency: Map, rows: CellArray, cols: CellArray) -> float:
    """Normalised scanpath saliency: mean of the map, standardised over its cells, at the fixations; 0 for a constant map."""
    values = _map(saliency)
    at = _at(values, rows, cols)
    spread = values.std()
    return float((at.mean() - values.mean()) / spread) if _varies(values) else 0.0


def auc_judd(saliency: Map, rows: CellArray, cols: CellArray) -> float:
    """Area under the ROC curve of fixated against unfixated cells, thresholds at the fixations' values (Judd et al. 2009).

    0.5 for a constant map and where every cell is fixated. No jitter is added: ties count as they fall.
    """
    values = _map(saliency)
    positives = np.sort(_at(values, rows, cols))[::-1]
    free = np.ones(values.shape, bool)
    free[rows, cols] = False
    negatives = np.sort(values[free])
    if not len(negatives):
        return 0.5
    low = min(positives[-1], negatives[0])
    thresholds = np.concatenate([positives, [low]])
    hits = np.searchsorted(-positives, -thresholds, side="right") / len(positives)
    alarms = 1 - np.searchsorted(negatives, thresholds, side="left") / len(negatives)
    return float(np.trapezoid(np.concatenate([[0], hits]), np.concatenate([[0], alarms])))


def auc_shuffled(
    saliency: Map, rows: CellArray, cols: CellArray, negative_rows: CellArray, negative_cols: CellArray
) -> float:
    """Area under the ROC curve of this clip's fixations against those of other clips (Zhang et al. 2008).

    The chance that a fixation of this clip has a higher value than one of the others, ties counted half; 0.5 for a
    constant map. negative_rows, negative_cols: [M], the cells of the others. Raises ValueError if M = 0.
    """
    values = _map(saliency)
    positives = _at(values, rows, cols)
    negatives = np.sort(_at(values, negative_rows, negative_cols))
    below = np.searchsorted(negatives, positives, side="left")
    not_above = np.searchsorted(negatives, positives, side="right")
    return float((below + not_above).mean() / 2 / len(negatives))


def cc(saliency: Map, density: Map) -> float:
    """Pearson's correlation of two maps over their cells, in [-1, 1]; 0 if either is constant."""
    one, other = _pair(saliency, density)
    if not (_varies(one) and _varies(other)):
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def sim(saliency: Map, density: Map) -> float:
    """Similarity: the mass that two maps, each scaled to sum to 1, have in common, in [0, 1]."""
    one, other = _pair(saliency, density)
    return float(np.minimum(as_density(one), as_density(other)).sum())


def kl(saliency: Map, density: Map) -> float:
    """KL divergence in nats of a map, scaled to sum to 1, from the fixation density (the second, the truth); >= 0.

    As the MIT/Tübingen benchmark has it: 2.2204e-16 added to quotient and denominator, so that a map that is zero where
    there are fixations costs at most about 36 nats.
    """
    one, other = _pair(saliency, density)
    model, truth = as_density(one), as_density(other)
    return float(np.sum(truth * np.log(_EPSILON + truth / (model + _EPSILON))))


def information_gain_bits(density: Map, baseline: Map, rows: CellArray, cols: CellArray) -> float:
    """Mean log2 of density over baseline at the fixations, bits a fixation (Kümmerer et al., PNAS 112(52), 2015).

    Both are scaled to sum to 1; a model must not be 0 where there are fixations, so both are kept at 2.2204e-16 or more.
    """
    one, other = _pair(density, baseline)
    model = np.log2(np.maximum(_at(as_density(one), rows, cols), _EPSILON))
    known = np.log2(np.maximum(_at(as_density(other), rows, cols), _EPSILON))
    return float(np.mean(model - known))


def _map(saliency: Map) -> RealArray:
    values = np.asarray(saliency, np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"a map of shape {values.shape} must be [h, w], not empty, with finite values only")
    return values


def _pair(one: Map, other: Map) -> tuple[RealArray, RealArray]:
    first, second = _map(one), _map(other)
    if first.shape != second.shape:
        raise ValueError(f"maps of {first.shape} and {second.shape} can't be compared")
    return first, second


def _at(values: RealArray, rows: CellArray, cols: CellArray) -> RealArray:
    if not len(rows):
        raise ValueError("there are no fixations")
    at: RealArray = values[rows, cols]
    return at


def _varies(values: RealArray) -> bool:
    """False for a constant map, whose deviation may be a rounding error above 0."""
    return bool(values.max() > values.min())
