"""The qualities that can be searched for: what is measured of each frame, and how frames are pooled.

Attended ones are weighted by a density of gaze, the foveated one by the acuity of eyes that look as the density says
(`stcodec.metrics.foveated`). PSNR is pooled as the mean of the weighted squared errors (EWPSNR: Li, Qin
and Itti 2011, see `stcodec.metrics.fidelity`), SSIM and VMAF as the mean over frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from stcodec.metrics.fidelity import Luma, squared_error, ssim_means, weighted_mean
from stcodec.metrics.foveated import VIEWING_DISTANCE, foveated_weights
from stcodec.metrics.planes import Planes, bytes_a_sample, composite
from stcodec.types import FloatArray, TimeArray

BEST_PSNR_DB = 60.0
"""Cap on PSNR: nobody sees a difference beyond it, and black pictures would be infinitely good."""
_LEAST_ERROR = 10 ** (-BEST_PSNR_DB / 10)


@dataclass(frozen=True)
class PictureFormat:
    """The format of the frames that are scored."""

    width_px: int
    height_px: int
    pix_fmt: str
    """yuv420p or yuv420p10le."""
    rate: Fraction
    """Frames a second."""
    display_height_px: int
    """Of the picture as it is shown: eyes are `VIEWING_DISTANCE` of these away."""

    @property
    def peak(self) -> float:
        """The largest sample."""
        return 255.0 if bytes_a_sample(self.pix_fmt) == 1 else 1023.0


class Scorer(Protocol):
    """Measures pairs of frames as they come; what was measured is known at the end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def push(self, reference: Planes, distorted: Planes, density: FloatArray) -> None:
        """Add a pair; density [h, w] covers the frame, on any scale."""

    def finish(self) -> TimeArray:
        """[frames] what `QualityMetric.pool` takes."""


@dataclass(frozen=True)
class QualityMetric:
    """A measure of quality; higher is better."""

    unit: str
    tolerance: float
    """Largest difference that is near enough, in the unit."""
    slope: float
    """Quality lost with each QP step on average, > 0: what a search supposes before it knows."""
    values: tuple[float, float]
    """The values that can be asked for."""
    scorer: Callable[[PictureFormat], Scorer]
    pool: Callable[[TimeArray, TimeArray], float]
    """Quality of all frames by what was measured of each, and how many frames each stands for."""
    of_frames: Callable[[TimeArray], TimeArray]
    """Quality of each frame by what was measured of it."""


_Measure = Callable[[Luma, Luma, FloatArray, PictureFormat], float]


class _EachFrame:
    """A function of two luma planes, a density and the format."""

    def __init__(self, measure: _Measure, picture: PictureFormat) -> None:
        self._measure = measure
        self._picture = picture
        self._measured: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def push(self, reference: Planes, distorted: Planes, density: FloatArray) -> None:
        self._measured.append(self._measure(reference[0], distorted[0], density, self._picture))

    def finish(self) -> TimeArray:
        return np.array(self._measured)


class _Vmaf:
    """libvmaf in a process of its own."""

    def __init__(self, name: str, picture: PictureFormat) -> None:
        from stcodec.metrics.vmaf import FrameScorer

        self._name = name
        self._scorer = FrameScorer(picture.width_px, picture.height_px, picture.pix_fmt, picture.rate, {name})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._scorer.close()

    def push(self, reference: Planes, distorted: Planes, density: FloatArray) -> None:
        mixed = composite(reference, distorted, density) if self._name == "attended_vmaf" else None
        self._scorer.push(reference, distorted, mixed)

    def finish(self) -> TimeArray:
        return np.array(self._scorer.finish()[self._name])


def _attended_error(reference: Luma, distorted: Luma, density: FloatArray, picture: PictureFormat) -> float:
    return weighted_mean(squared_error(reference, distorted), density) / picture.peak**2


def _foveated_error(reference: Luma, distorted: Luma, density: FloatArray, picture: PictureFormat) -> float:
    viewing_px = VIEWING_DISTANCE * picture.display_height_px
    seen = foveated_weights(density, (picture.height_px, picture.width_px), viewing_px)
    return _attended_error(reference, distorted, seen, picture)


def _whole_error(reference: Luma, distorted: Luma, density: FloatArray, picture: PictureFormat) -> float:
    return float(squared_error(reference, distorted).mean()) / picture.peak**2


def _attended_ssim(reference: Luma, distorted: Luma, density: FloatArray, picture: PictureFormat) -> float:
    return ssim_means(reference, distorted, density, peak=picture.peak).attended


def _psnr_of(errors: TimeArray) -> TimeArray:
    return np.asarray(-10 * np.log10(np.maximum(errors, _LEAST_ERROR)))


def _pooled_psnr(errors: TimeArray, weights: TimeArray) -> float:
    return float(_psnr_of(np.atleast_1d(np.average(errors, weights=weights)))[0])


def _mean(scores: TimeArray, weights: TimeArray) -> float:
    return float(np.average(scores, weights=weights))


def _psnr(measure: _Measure) -> QualityMetric:
    return QualityMetric("dB", 0.1, 0.5, (20.0, BEST_PSNR_DB), partial(_EachFrame, measure), _pooled_psnr, _psnr_of)


def _vmaf(name: str) -> QualityMetric:
    return QualityMetric("points", 0.3, 0.8, (10.0, 100.0), partial(_Vmaf, name), _mean, np.asarray)


METRICS: dict[str, QualityMetric] = {
    "attended-psnr": _psnr(_attended_error),
    "attended-ssim": QualityMetric("of 1", 0.002, 0.006, (0.5, 1.0), partial(_EachFrame, _attended_ssim), _mean, np.asarray),
    "attended-vmaf": _vmaf("attended_vmaf"),
    "foveated-psnr": _psnr(_foveated_error),
    "psnr": _psnr(_whole_error),
    "vmaf": _vmaf("vmaf"),
}
"""By the name that a user writes."""
