"""FovVideoVDP of many encodes of one clip at once: what depends on the reference and on viewers alone is computed once.

The figures are those of pyfvvdp (Mantiuk et al. 2021), to within 1e-5 JOD: its display, table of sensitivities, parameters
and pooling are used, and the pyramid, the contrast and the masking are its formulas on filters that are faster on a CPU. A
frame of 540 lines takes 0.04 s for each encode and viewer, where `stcodec.metrics.jod` takes 0.9 s. Bands are [2, h, w],
of the sustained and of the transient channel.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stcodec.evaluate.pairs import frame_rate, frame_times
from stcodec.media.decode import VideoReader
from stcodec.media.rgb import RgbReader
from stcodec.metrics.jod import DISPLAY, LUMINANCE, Screening, geometry_arguments, loaded

Bands = list[NDArray[np.float32]]
_KERNEL = np.array([0.05, 0.25, 0.4, 0.25, 0.05], np.float32)
_ONE = np.ones(1, np.float32)


def reduced(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half of the size: a level of the Gaussian pyramid."""
    down = cv2.sepFilter2D(plane, -1, _ONE, _KERNEL, borderType=cv2.BORDER_REFLECT)[::2]
    result: NDArray[np.float32] = np.array(
        cv2.sepFilter2D(down, -1, _KERNEL, _ONE, borderType=cv2.BORDER_REFLECT)[:, ::2], np.float32
    )
    rows, columns = plane.shape
    if rows % 2 != columns % 2:  # pyfvvdp takes the parity of the rows for that of the columns
        as_even, as_odd = _KERNEL[4] * down[:, -1], _KERNEL[3] * down[:, -1] + _KERNEL[4] * down[:, -2]
        result[:, -1] += as_odd - as_even if rows % 2 else as_even - as_odd
    return result


def expanded(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Twice the size."""
    return _twice(_twice(plane, shape[0]).T, shape[1]).T


def _twice(plane: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    padded = np.concatenate([plane[:1], plane, plane[-1:]])
    result = np.empty((2 * len(plane), plane.shape[1]), np.float32)
    result[::2] = 0.1 * (padded[:-2] + padded[2:]) + 0.8 * plane
    result[1::2] = 0.5 * (plane + padded[2:])
    return result[:rows]


class Meter:
    """Measures encodes of one clip along some viewers' scanpaths."""

    def __init__(self, shown: Screening, scanpaths_px: NDArray[np.float32]) -> None:
        """scanpaths_px: [N, T, 2]."""
        self.torch, package = loaded("fvvdp")
        self.torch.set_num_threads(1)
        cv2.setNumThreads(1)
        geometry = package.fvvdp_display_geometry(*geometry_arguments(shown))
        cpu = self.torch.device("cpu")
        self.model = package.fvvdp(DISPLAY, display_geometry=geometry, foveated=True, quiet=True, device=cpu)
        from pyfvvdp.fvvdp_lpyr_dec import fvvdp_contrast_pyr  # loaded() makes it importable

        pyramid = fvvdp_contrast_pyr(shown.width_px, shown.height_px, self.model.pix_per_deg, cpu)
        self.frequencies = pyramid.get_freqs()
        self.levels = int(pyramid.height)
        self.shown = shown
        self.scanpaths_px = scanpaths_px
        self.model.filter_len = int(np.ceil(250.0 / (1000.0 / shown.frames_per_second)))
        filters, omega = self.model.get_temporal_filters(shown.frames_per_second)
        self.filters = np.stack([one.numpy()[::-1] for one in filters]).astype(np.float32)
        tables = [self._of_frequency(one) for one in omega]
        self._axes = [tables[0][name] for name in ("ecc_sqrt", "rho_log", "Y_log")]
        self._table = self.torch.stack([one["S_log"] for one in tables])[None]
        self._views = [self._view(level) for level in range(self.levels)]
        levels = self.torch.arange(256, dtype=self.torch.float32) / 255
        light = self.model.display_photometry.forward(levels).numpy()
        self._light = [np.float32(weight) * light for weight in LUMINANCE]

    def light(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """cd/m2 [H, W] of RGB."""
        first, second, third = (self._light[at][picture[..., at]] for at in range(3))
        return np.asarray(first + second + third, np.float32)

    def reference(self, planes: Sequence[NDArray[np.float32]], frame: int) -> Reference:
        """What encodes of this frame are compared with."""
        gaussian = [list(planes)]
        for _ in range(self.levels):
            gaussian.append([reduced(one) for one in gaussian[-1]])
        bands, light = [], []
        for level in range(self.levels):
            shape = gaussian[level][0].shape
            larger = [expanded(one, shape) for one in gaussian[level + 1]]
            background = np.maximum(larger[0], np.float32(0.1))
            light.append(background)
            layers = [one - two for one, two in zip(gaussian[level], larger, strict=True)]
            bands.append(self._contrast(layers, background, level))
        seen = []
        for path in self.scanpaths_px:
            sensitivity = [self._sensitivity(light[level], level, path[frame]) for level in range(self.levels)]
            seen.append(sensitivity)
        return Reference(bands, light, seen)

    def bands(self, planes: Sequence[NDArray[np.float32]], reference: Reference) -> Bands:
        """Contrast of an encode's frame."""
        current = list(planes)
        bands = []
        for level in range(self.levels):
            smaller = [reduced(one) for one in current]
            layers = [one - expanded(two, one.shape) for one, two in zip(current, smaller, strict=True)]
            bands.append(self._contrast(layers, reference.light[level], level))
            current = smaller
        return bands

    def _contrast(
        self, layers: Sequence[NDArray[np.float32]], background: NDArray[np.float32], level: int
    ) -> NDArray[np.float32]:
        gain = np.float32(1 if level == 0 else 2)
        result: NDArray[np.float32] = np.minimum(np.stack(layers) / background, np.float32(1000)) * gain
        return result

    def _sensitivity(self, light: NDArray[np.float32], level: int, look: NDArray[np.float32]) -> NDArray[np.float32]:
        """[2, h, w]: pyfvvdp's table by luminance, frequency and eccentricity, whose axes are even, read by torch."""
        torch, model = self.torch, self.model
        direction, frequency = self._views[level]
        size = torch.tensor((self.shown.width_px, self.shown.height_px))
        x, y = (torch.as_tensor(float(one) + 0.5) for one in look)
        gaze = model.display_geometry.pix2view_direction(size, x, y).view(2, 1, 1)
        eccentricity = ((direction - gaze) ** 2).sum(0).sqrt_().sqrt_()
        at = (eccentricity, frequency, torch.from_numpy(light).log2())
        places = [(one - axis[0]) * (2 / (axis[-1] - axis[0])) - 1 for one, axis in zip(at, self._axes, strict=True)]
        grid = torch.stack(places, -1)[None, None]
        found = torch.nn.functional.grid_sample(self._table, grid, padding_mode="border", align_corners=True)
        gain = 10.0 ** (model.sensitivity_correction / 20.0)
        return np.asarray(found[0, :, 0].exp2_().mul_(gain), np.float32)

    def _of_frequency(self, omega: Any) -> Any:
        """pyfvvdp's table of sensitivities at one frequency over time."""
        key = self.model.get_cache_key(omega, self.model.csf_sigma, self.model.k_cm)
        return self.model.csf_cache[key]["lut"]

    def _view(self, level: int) -> tuple[Any, Any]:
        """Of the pixels of a level: where they are seen [2, h, w], and the logarithm of their frequency [h, w]."""
        torch, geometry = self.torch, self.model.display_geometry
        height, width = self.shown.height_px, self.shown.width_px
        for _ in range(level):
            height, width = -(-height // 2), -(-width // 2)
        xx, yy = torch.meshgrid(torch.arange(width) + 0.5, torch.arange(height) + 0.5, indexing="xy")
        direction = geometry.pix2view_direction(torch.tensor((width, height)), xx, yy)
        return direction, torch.log2(self.frequencies[level] * geometry.get_resolution_magnification(direction))

    def differences(self, bands: Bands, reference: Reference, viewer: int, level: int) -> Any:
        """[2, h, w] visible differences of one band, to the power of the pooling over space."""
        torch, model = self.torch, self.model
        sensitivity = torch.from_numpy(reference.sensitivity[viewer][level])
        theirs = torch.from_numpy(bands[level])
        ours = torch.from_numpy(reference.bands[level])
        difference = (theirs - ours).abs_().mul_(sensitivity)
        masker = torch.minimum(theirs.abs(), ours.abs()).mul_(sensitivity).mul_(10**model.mask_c).log2_()
        masker[0].mul_(model.mask_q_sust)
        masker[1].mul_(model.mask_q_trans)
        masker.exp2_().add_(1).log2_()
        seen = difference.log2_().mul_(model.mask_p).sub_(masker).clamp_(max=math.log2(1e4))
        return seen.mul_(model.beta).exp2_()

    def pooled(self, bands: Bands, reference: Reference, viewer: int) -> NDArray[np.float64]:
        """[bands, 2] quality of one frame."""
        found = np.zeros((self.levels, 2))
        for level in range(self.levels):
            powers = self.differences(bands, reference, viewer, level)
            found[level] = powers.mean((1, 2)).double().numpy() ** (1 / self.model.beta)
        return found

    def jod(self, quality: NDArray[np.float64]) -> float:
        """JOD of a video that were all the time as one frame, from its quality [bands, 2]."""
        seen = self.torch.from_numpy(quality.astype(np.float32))[:, :, None]
        return float(self.model.do_pooling_and_jods(seen, self.frequencies[:-1]))


@dataclass(frozen=True)
class Reference:
    """One frame of the reference."""

    bands: Bands
    light: Bands
    """[h, w] what contrast is relative to, in cd/m2."""
    sensitivity: list[Bands]
    """By viewer."""


class Window:
    """The last quarter of a second of a video, filtered over time."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._light: NDArray[np.float32] | None = None
        self._at = 0

    def push(self, picture: NDArray[np.uint8]) -> None:
        """Take one more picture."""
        light = self._meter.light(picture)
        length = self._meter.filters.shape[1]
        if self._light is None:
            self._light = np.repeat(light.reshape(1, -1), length, axis=0)
        else:
            self._light[self._at] = light.reshape(-1)
            self._at = (self._at + 1) % length

    def planes(self) -> list[NDArray[np.float32]]:
        """Sustained and transient [H, W]."""
        assert self._light is not None
        shape = self._meter.shown.height_px, self._meter.shown.width_px
        return [one.reshape(shape) for one in np.roll(self._meter.filters, self._at, axis=1) @ self._light]


def pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    """RGB pictures of a video."""
    with VideoReader(path) as reader:
        rgb = RgbReader(reader.info)
        for frame in reader.frames():
            yield rgb(frame)  # type: ignore[misc]


def screening(reference: Path, viewing_distance: float) -> Screening:
    """How a reference is shown."""
    with VideoReader(reference) as reader:
        video, rate = reader.info, float(frame_rate(reader.info))
    return Screening(video.display_width_px, video.display_height_px, len(frame_times(reference)), rate, viewing_distance)


def shared_jods(
    reference: Path,
    distorted: Sequence[Path],
    shown: Screening,
    scanpaths_px: NDArray[np.float32],
    scored: Sequence[bool],
) -> NDArray[np.float64]:
    """[files, viewers, T] JOD of each frame, NaN of those that aren't scored.

    scanpaths_px: [N, T, 2]; scored: [T].
    """
    meter = Meter(shown, scanpaths_px)
    window, windows = Window(meter), [Window(meter) for _ in distorted]
    jods = np.full((len(distorted), len(scanpaths_px), shown.frames), np.nan)
    for at, (one, *others) in enumerate(zip(pictures(reference), *(pictures(path) for path in distorted), strict=True)):
        window.push(one)
        for mine, other in zip(windows, others, strict=True):
            mine.push(other)
        if not scored[at]:
            continue
        truth = meter.reference(window.planes(), at)
        for number, mine in enumerate(windows):
            bands = meter.bands(mine.planes(), truth)
            for viewer in range(len(scanpaths_px)):
                jods[number, viewer, at] = meter.jod(meter.pooled(bands, truth, viewer))
    return jods
