"""The camera's own motion, found in a field of velocities of which a good part may belong to moving objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

ComplexArray = NDArray[np.complex128]
RealArray = NDArray[np.float64]

MIN_SAMPLES = 12
"""Fewer known cells than this say nothing about a camera: it is taken to stand still."""
TOLERANCE = 0.03
"""Frame widths per second by which a velocity may miss a hypothesis and still count for it."""
STILL_BONUS = 0.02
"""Share of the cells by which a moving camera must explain more than a still one: tripods are common."""
MIN_SCALE = 0.005
"""Frame widths per second: velocities are never taken to be more exact than this."""
_BIWEIGHT = 4.685  # Tukey's cutoff in standard deviations, for 95 % efficiency on Gaussian errors
_RAYLEIGH_30 = 0.845  # 30 % quantile of a Rayleigh distribution, in standard deviations of a coordinate
_PAIRS = 80
_MAX_SAMPLES = 200
_REFINEMENTS = 6


@dataclass(frozen=True)
class GlobalMotion:
    """The camera's motion between two instants: an affine field of velocities."""

    model: ComplexArray
    """[3] (a, b, c) of v = a + b z + c conj(z): a is the pan, b zoom and roll, c shear and aspect.
    z = x + iy in frame widths from the frame's centre, v in frame widths per second."""
    scale: float
    """Robust standard deviation of what moves with the camera about the model, frame widths per second."""

    def velocity(self, rows: int, cols: int) -> FloatArray:
        """The field on a grid over the frame: [rows, cols, 2] (x, y), frame widths per second."""
        pan, zoom, shear = (complex(one) for one in self.model)
        x, y = _axes(rows, cols)
        field = np.empty((rows, cols, 2), np.float32)
        field[..., 0] = (pan.real + (shear.imag - zoom.imag) * y)[:, None] + (zoom.real + shear.real) * x
        field[..., 1] = (pan.imag + (zoom.real - shear.real) * y)[:, None] + (zoom.imag + shear.imag) * x
        return field


def fit_global_motion(velocity: FloatArray, trust: FloatArray) -> GlobalMotion:
    """The motion that most of a field of velocities shares.

    velocity: [rows, cols, 2] (x, y) in frame widths per second on about square cells, NaN where unknown;
    trust: [rows, cols] >= 0, how well each is known. Similarities through pairs of cells find the basin (MSAC: Torr &
    Zisserman, CVIU 78, 2000), which a least-squares start would miss when a third of the frame is an
    object; reweighted least squares with Tukey's biweight refine it to an affine field.
    """
    known = np.isfinite(velocity).all(axis=2) & (trust > 0)
    cells = np.flatnonzero(known)
    if len(cells) < MIN_SAMPLES:
        return GlobalMotion(np.zeros(3, np.complex128), 0.0)
    cells = cells[:: -(-len(cells) // _MAX_SAMPLES)]
    z = _positions(*known.shape).ravel()[cells]
    x, y = velocity.reshape(-1, 2)[cells].astype(np.float64).T
    weight = trust.ravel()[cells].astype(np.float64)
    weight /= weight.sum()
    return GlobalMotion(*_refine(z, x + 1j * y, weight, _consensus(z, x + 1j * y, weight)))


@lru_cache(maxsize=8)
def _positions(rows: int, cols: int) -> ComplexArray:
    """Cell centres of a grid over the frame, [rows, cols], in frame widths from the frame's centre."""
    x, y = _axes(rows, cols)
    return np.asarray(x[None, :] + 1j * y[:, None], dtype=np.complex128)


@lru_cache(maxsize=8)
def _axes(rows: int, cols: int) -> tuple[RealArray, RealArray]:
    """The same as x [cols] and y [rows]."""
    return (np.arange(cols) + 0.5) / cols - 0.5, (np.arange(rows) + 0.5) / cols - rows / (2 * cols)


@lru_cache(maxsize=8)
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The same pairs of samples every time: the outcome must not depend on chance or on what came before."""
    drawn = np.random.default_rng(0).integers(0, count, size=(2, _PAIRS))
    apart = drawn[0] != drawn[1]
    return drawn[0][apart], drawn[1][apart]


def _consensus(z: ComplexArray, v: ComplexArray, weight: RealArray) -> ComplexArray:
    """The hypothesis that most of the weight agrees with: still, a pan by the median, or a similarity of two cells."""
    first, second = _pairs(len(z))
    slope = (v[first] - v[second]) / (z[first] - z[second])
    slopes = np.concatenate([[0, 0], slope])
    offsets = np.concatenate([[0, median(v.real) + 1j * median(v.imag)], v[first] - slope * z[first]])
    misses = _misses(z, v, offsets, slopes)
    np.minimum(misses, 1, out=misses)
    misses *= weight.astype(np.float32)
    loss = misses.sum(axis=1)
    loss[0] -= STILL_BONUS
    best = int(np.argmin(loss))
    return np.array([offsets[best], slopes[best], 0], dtype=np.complex128)


def median(values: FloatArray | RealArray) -> float:
    """Median, as np.median gives it, which imports masked arrays first: a few ms that every encode would wait for."""
    low, high = (values.size - 1) // 2, values.size // 2
    ordered = np.partition(values, (low, high), axis=None)
    return float((ordered[low] + ordered[high]) / 2)


def _misses(z: ComplexArray, v: ComplexArray, offsets: ComplexArray, slopes: ComplexArray) -> FloatArray:
    """[hypotheses, samples] squared misses of v = offset + slope z, in tolerances.

    In real float32: it only chooses where to begin, and takes most of the time of it all.
    """
    unit = np.float32(1 / TOLERANCE)
    x, y = z.real.astype(np.float32), z.imag.astype(np.float32)
    turn, roll = (part.astype(np.float32)[:, None] * unit for part in (slopes.real, slopes.imag))
    along, across = (part.astype(np.float32)[:, None] * unit for part in (offsets.real, offsets.imag))
    misses: list[FloatArray] = []
    for wanted, offset, first, second in ((v.real, along, turn * x, roll * y), (v.imag, across, turn * y, -roll * x)):
        miss = np.subtract(first, second, out=first)
        miss += offset
        miss -= wanted.astype(np.float32) * unit
        misses.append(np.square(miss, out=miss))
    misses[0] += misses[1]
    return misses[0]


def _refine(z: ComplexArray, v: ComplexArray, weight: RealArray, model: ComplexArray) -> tuple[ComplexArray, float]:
    scale = 0.0
    columns = np.stack([np.ones_like(z), z, np.conj(z)])
    for _ in range(_REFINEMENTS):
        distance = np.sqrt(_squared(v - _evaluate(model, z)))
        scale = _inlier_scale(distance)
        kept = weight * np.clip(1 - (distance / (_BIWEIGHT * max(scale, MIN_SCALE))) ** 2, 0, None) ** 2
        if np.count_nonzero(kept) < MIN_SAMPLES // 2:
            break
        model = _solve(columns, v, kept)
    return model, scale


def _evaluate(model: ComplexArray, z: ComplexArray) -> ComplexArray:
    return np.asarray(model[0] + model[1] * z + model[2] * np.conj(z), dtype=np.complex128)


def _squared(error: ComplexArray) -> RealArray:
    """Squared lengths; the last bit of np.abs depends on where an array lies in memory, and results must not."""
    return np.asarray(error.real**2 + error.imag**2, dtype=np.float64)


def _inlier_scale(distance: RealArray) -> float:
    """A standard deviation that holds up when up to 40 % of the residuals are an object's: of a Rayleigh distribution,
    by the quantile that is the median of the other 60 %."""
    rank = int(0.3 * len(distance))
    return float(np.partition(distance, rank)[rank]) / _RAYLEIGH_30


def _solve(columns: ComplexArray, v: ComplexArray, weight: RealArray) -> ComplexArray:
    """Weighted least squares of v on columns [3, N], with a ridge that keeps cells on one line from making up a zoom.

    Sums in place of matrix products: BLAS would start threads for them, which cost more than the products.
    """
    weighted = weight * np.conj(columns)
    normal = (weighted[:, None] * columns[None]).sum(axis=2)
    normal += 1e-4 * weight.sum() * np.diag([0, 1, 1])
    return np.asarray(np.linalg.solve(normal, (weighted * v).sum(axis=1)), dtype=np.complex128)
