"""All metrics of one distorted file, in one decode of it and of its reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from stcodec.errors import StcodecError
from stcodec.evaluate.jods import mean_foveated_jods, whole_jods
from stcodec.evaluate.pairs import check_alike, frame_pairs, frame_rate
from stcodec.media.decode import VideoReader
from stcodec.media.planes import PlaneReader, common_format
from stcodec.metrics.fidelity import RegionMeans, error_means, ssim_means
from stcodec.metrics.foveated import VIEWING_DISTANCE, foveated_weights
from stcodec.metrics.jod import PACKAGES
from stcodec.metrics.memory import keep_freed_memory
from stcodec.metrics.planes import Planes, composite
from stcodec.metrics.ssim import Luma
from stcodec.metrics.vmaf import FrameScorer
from stcodec.types import FloatArray

OF_FFMPEG = {
    "vmaf-whole": "vmaf",
    "vmaf-neg": "vmaf_neg",
    "vmaf-attended": "attended_vmaf",
    "cambi-whole": "cambi",
    "xpsnr-whole": "xpsnr",
}
"""Our names of what ffmpeg measures, and those of FrameScorer."""
_PEAKS = {"yuv420p": 255.0, "yuv420p10le": 1023.0}


@dataclass(frozen=True)
class Comparison:
    """Request to measure one file."""

    reference: Path
    distorted: Path
    metrics: tuple[str, ...]
    """Names of the catalogue."""
    weights: Path | None = None
    """float32 [T, h, w] in a .npy file, in coded orientation; None = whole-frame metrics only."""
    threads: int = 1
    """Of libvmaf."""
    viewing_distance: float = VIEWING_DISTANCE
    """Of the eyes from the screen in heights of the picture, for foveated metrics."""
    scanpaths: Path | None = None
    """float32 [N, T, 2] in a .npy file, as shares of the frame in display orientation; for `fvvdp`."""


@dataclass(frozen=True)
class Measured:
    """Raw values of one file."""

    raw: dict[str, list[float]] = field(default_factory=dict)
    """By metric, [T]: for PSNR the (weighted) mean squared error on the 8-bit scale, else the metric; NaN = no value."""
    failed: dict[str, str] = field(default_factory=dict)
    """By metric, why there is nothing."""
    reference_times: list[float] = field(default_factory=list)
    """[T] presentation times of the reference's frames in seconds."""
    times: list[float] = field(default_factory=list)
    """[T] those of the distorted file's."""


class _Gaze(NamedTuple):
    """Gaze of viewers at one frame; both of one shape [h, w]."""

    density: FloatArray
    foveated: FloatArray | None
    """Weight of an error for their eyes; None if no metric asks."""


class _Consumer(Protocol):
    """Takes every pair of frames and knows its metrics at the end."""

    metrics: tuple[str, ...]

    def push(self, reference: Planes, distorted: Planes, gaze: _Gaze) -> None: ...

    def finish(self) -> dict[str, list[float]]: ...


def measure(wanted: Comparison) -> Measured:
    """Measure a file; a metric that fails leaves the others alone. Raises UnpairedError if the frames don't pair up."""
    keep_freed_memory()
    measured = _measure(wanted)
    together = [name for name in measured.failed if name in OF_FFMPEG]
    if len(together) > 1:  # they share a process: whose fault is it?
        for name in together:
            alone = _measure(replace(wanted, metrics=(name,)))
            measured.raw.update(alone.raw)
            del measured.failed[name]
            measured.failed.update(alone.failed)
    for name in (one for one in wanted.metrics if one in PACKAGES):
        _tried((name,), measured, partial(_keep_jods, name, wanted, measured))
    return measured


def _measure(wanted: Comparison) -> Measured:
    measured = Measured()
    with VideoReader(wanted.reference) as reference, VideoReader(wanted.distorted) as distorted, ExitStack() as stack:
        check_alike(reference.info, distorted.info, distorted.name)
        pix_fmt = common_format(reference.info, distorted.info)
        working = list(_consumers(wanted, pix_fmt, frame_rate(reference.info), stack))
        for one, other, gaze in _pictures(wanted, reference, distorted, pix_fmt, measured):
            working = [each for each in working if _tried(each.metrics, measured, partial(each.push, one, other, gaze))]
        for consumer in working:
            _tried(consumer.metrics, measured, partial(_keep, consumer, measured))
    return measured


def _keep_jods(metric: str, wanted: Comparison, measured: Measured) -> None:
    how = (wanted.reference, wanted.distorted, len(measured.times), wanted.viewing_distance)
    if metric == "cvvdp":
        measured.raw[metric] = whole_jods(*how)
    elif wanted.scanpaths is not None:
        measured.raw[metric] = mean_foveated_jods(*how, wanted.scanpaths)


def _keep(consumer: _Consumer, measured: Measured) -> None:
    measured.raw.update(consumer.finish())


def _tried(metrics: tuple[str, ...], measured: Measured, step: Callable[[], None]) -> bool:
    """Do a step; what goes wrong is noted for all these metrics."""
    try:
        step()
    except (StcodecError, ValueError, ArithmeticError, OSError) as error:
        measured.failed.update(dict.fromkeys(metrics, str(error)))
        return False
    return True


def _consumers(wanted: Comparison, pix_fmt: str, rate: Fraction, stack: ExitStack) -> Iterator[_Consumer]:
    peak = _PEAKS[pix_fmt]
    ours = {family: tuple(name for name in wanted.metrics if name.startswith(family)) for family in ("psnr", "ssim")}
    if ours["psnr"]:
        yield _ByRegion(ours["psnr"], error_means, (255 / peak) ** 2)
    if ours["ssim"]:
        yield _ByRegion(ours["ssim"], partial(ssim_means, peak=peak))
    theirs = tuple(name for name in wanted.metrics if name in OF_FFMPEG)
    if theirs:
        yield _OfFfmpeg(theirs, pix_fmt, rate, wanted.threads, stack)


def _pictures(
    wanted: Comparison, reference: VideoReader, distorted: VideoReader, pix_fmt: str, measured: Measured
) -> Iterator[tuple[Planes, Planes, _Gaze]]:
    """Reference, distorted and gaze of each pair of frames, whose times are noted."""
    ours, theirs = PlaneReader(pix_fmt), PlaneReader(pix_fmt)
    densities = None if wanted.weights is None else np.load(wanted.weights, mmap_mode="r")
    nothing = np.ones((1, 1), np.float32)
    video = reference.info
    is_foveated = any(name.endswith("-foveated") for name in wanted.metrics)
    viewing_px = wanted.viewing_distance * video.display_height_px
    for pair in frame_pairs(reference, distorted):
        measured.reference_times.append(pair.reference.time)
        measured.times.append(pair.distorted.time)
        density = nothing if densities is None else np.asarray(densities[pair.index])
        foveated = foveated_weights(density, (video.height_px, video.width_px), viewing_px) if is_foveated else None
        yield ours(pair.reference), theirs(pair.distorted), _Gaze(density, foveated)


class _ByRegion:
    """A quantity of each pixel, averaged by region."""

    def __init__(
        self,
        metrics: tuple[str, ...],
        means: Callable[[Luma, Luma, FloatArray, FloatArray | None], RegionMeans],
        scale: float = 1.0,
    ) -> None:
        self.metrics = metrics
        self._means = means
        self._scale = scale
        self._values: dict[str, list[float]] = {name: [] for name in metrics}

    def push(self, reference: Planes, distorted: Planes, gaze: _Gaze) -> None:
        means = self._means(reference[0], distorted[0], gaze.density, gaze.foveated)
        for name, values in self._values.items():
            values.append(getattr(means, name.split("-")[1]) * self._scale)

    def finish(self) -> dict[str, list[float]]:
        return self._values


class _OfFfmpeg:
    """Metrics of an ffmpeg process; it is started with the first pair of frames, and ended with the stack."""

    def __init__(self, metrics: tuple[str, ...], pix_fmt: str, rate: Fraction, threads: int, stack: ExitStack) -> None:
        self.metrics = metrics
        self._pix_fmt, self._rate, self._threads = pix_fmt, rate, threads
        self._stack = stack
        self._scorer: FrameScorer | None = None

    def push(self, reference: Planes, distorted: Planes, gaze: _Gaze) -> None:
        if self._scorer is None:
            height, width = reference[0].shape
            keys = {key for _, key in self._keys()}
            scorer = FrameScorer(width, height, self._pix_fmt, self._rate, keys, self._threads)
            self._scorer = self._stack.enter_context(scorer)
        mixed = composite(reference, distorted, gaze.density) if "vmaf-attended" in self.metrics else None
        self._scorer.push(reference, distorted, mixed)

    def finish(self) -> dict[str, list[float]]:
        if self._scorer is None:
            return {}
        found, frames = self._scorer.finish(), self._scorer.frames
        # NaN for the frames at the start that have no value.
        return {name: [math.nan] * (frames - len(found[key])) + found[key] for name, key in self._keys()}

    def _keys(self) -> list[tuple[str, str]]:
        return [(name, OF_FFMPEG[name]) for name in self.metrics]
