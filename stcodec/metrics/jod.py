"""FovVideoVDP and ColorVideoVDP: how far a viewer would tell two videos apart, in just-objectionable differences (JOD).

Both are packages of others that the user installs (docs/evaluate.md says how): `pyfvvdp`, whose licence is CC BY-NC 4.0,
not for commercial use, and `cvvdp`, MIT. 10 JOD: no difference is seen; of two videos 1 JOD apart 75 % of viewers prefer
the better one.

- `fvvdp`: Mantiuk et al., "FovVideoVDP: a visible difference predictor for wide field-of-view video", ACM TOG 40(4), 2021.
  Luminance alone, seen by an eye that looks along a scanpath: sensitivity falls with eccentricity.
- `cvvdp`: Mantiuk et al., "ColorVideoVDP: a visual difference predictor for image, video and display distortions", ACM TOG
  43(4), 2024. In colour, every place seen as sharply as if it were looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stcodec.errors import OptionsError

Picture = NDArray[np.uint8] | NDArray[np.uint16]
"""[H, W, 3] RGB as a display takes it, in the full range of its type."""
Pairs = Iterator[tuple[Picture, Picture]]
"""Reference and distorted, from the first frame on."""

PACKAGES = {"fvvdp": ("pyfvvdp", "pyfvvdp"), "cvvdp": ("pycvvdp", "cvvdp")}
"""By metric: the module, and what it is installed as."""
POOLING_EXPONENTS = {"fvvdp": 10**0.228, "cvvdp": 2 / 0.93020427}
"""Of the distance to 10 JOD, whose mean over frames the packages (1.2.2 and 0.5.7) turn into the JOD of a video."""
DISPLAY = "standard_fhd"
"""Both packages' name of a display of 200 cd/m2, contrast 1000, 24 inches, in an office; its geometry is our own."""
_DIAGONAL_INCHES = 24.0
_PLAIN_MODULES = ("interp", "third_party", "utils")
LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Of linear red, green and blue (BT.709)."""


def check_installed(metric: str) -> None:
    """Raises OptionsError if a metric's package is not there."""
    module, package = PACKAGES[metric]
    if find_spec(module) is None:
        raise OptionsError(
            f'{metric} needs the package {package}, which is not installed: see "Just-objectionable differences" in '
            "docs/evaluate.md for how to install it, and for its licence",
            value=metric,
        )


@dataclass(frozen=True)
class Screening:
    """Conditions under which a video is shown."""

    width_px: int
    height_px: int
    frames: int
    frames_per_second: float
    viewing_distance: float
    """In heights of the picture."""


def foveated_jods(pairs: Pairs, shown: Screening, scanpath_px: NDArray[np.float32]) -> list[float]:
    """FovVideoVDP of each frame: the JOD of a video that were as bad as this frame all the time.

    scanpath_px: [T, 2], x and y that are looked at, one of each frame. Raises OptionsError if the package is not installed.
    """
    torch, package = loaded("fvvdp")
    geometry = package.fvvdp_display_geometry(*geometry_arguments(shown))
    meter = package.fvvdp(DISPLAY, display_geometry=geometry, foveated=True, quiet=True, device=torch.device("cpu"))
    weights = torch.tensor(LUMINANCE).view(1, 3, 1, 1, 1)

    def light(picture: Any, _: str) -> Any:
        return (meter.display_photometry.forward(picture) * weights).sum(1, keepdim=True)

    with torch.no_grad():
        _, found = meter.predict_video_source(_Source(pairs, shown, light), fixation_point=torch.from_numpy(scanpath_px))
        seen = torch.from_numpy(found["Q_per_ch"])
        return [float(meter.do_pooling_and_jods(seen[:, :, [at]], found["rho_band"][:-1])) for at in range(shown.frames)]


def color_jods(pairs: Pairs, shown: Screening) -> list[float]:
    """ColorVideoVDP of each frame, as for `foveated_jods`."""
    torch, package = loaded("cvvdp")
    geometry = package.vvdp_display_geometry(*geometry_arguments(shown))
    meter = package.cvvdp(DISPLAY, display_geometry=geometry, quiet=True, device=torch.device("cpu"))
    with torch.no_grad():
        source = _Source(pairs, shown, meter.display_photometry.source_2_target_colorspace)
        _, found = meter.predict_video_source(source)
        seen = torch.from_numpy(found["Q_per_ch"])
        # Each frame twice: one alone would be taken for a still picture.
        return [float(meter.do_pooling_and_jods(seen[:, :, [at, at]])) for at in range(shown.frames)]


def pooled_jod(metric: str, jods: NDArray[np.floating]) -> float:
    """The JOD of a video from those of its frames, as the package pools them."""
    exponent = POOLING_EXPONENTS[metric]
    distance = np.maximum(10 - np.asarray(jods, np.float64), 0)
    return float(10 - np.mean(distance**exponent) ** (1 / exponent))


def loaded(metric: str) -> tuple[Any, Any]:
    """Module torch, and that of a metric's package. Raises OptionsError if it can't be used."""
    check_installed(metric)
    module, package = PACKAGES[metric]
    try:
        with _own_modules(module):
            return import_module("torch"), import_module(module)
    except (ImportError, RuntimeError, OSError) as error:
        raise OptionsError(
            f"{metric}: the package {package} is installed but can't be used ({error})", value=metric
        ) from None


@contextmanager
def _own_modules(module: str) -> Iterator[None]:
    """While a package is imported: both have modules of the same plain names, each looked for in the package's folder."""
    spec = find_spec(module)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    if module not in sys.modules:
        for name in [one for one in sys.modules if one.partition(".")[0] in _PLAIN_MODULES]:
            del sys.modules[name]
    sys.path[:0] = folders
    try:
        yield
    finally:
        del sys.path[: len(folders)]


def geometry_arguments(shown: Screening) -> tuple[tuple[int, int], None, float, None, None, None, float]:
    """The first arguments of both packages' display_geometry."""
    return (shown.width_px, shown.height_px), None, shown.viewing_distance, None, None, None, _DIAGONAL_INCHES


class _Source:
    """Source of frames as both packages ask for them, in rising order, from pairs that come one after another."""

    def __init__(self, pairs: Pairs, shown: Screening, light: Callable[[Any, str], Any]) -> None:
        """light: what a display makes of a picture [1, 3, 1, H, W] in [0, 1]."""
        self._pairs = pairs
        self._shown = shown
        self._light = light
        self._torch = import_module("torch")
        self._at = -1
        self._pair: tuple[Any, Any] | None = None

    def get_video_size(self) -> tuple[int, int, int]:
        return self._shown.height_px, self._shown.width_px, self._shown.frames

    def get_frames_per_second(self) -> float:
        return self._shown.frames_per_second

    def get_batch_size(self) -> int:
        return 1

    def get_reference_frame(self, frame: int, device: Any, colorspace: str = "") -> Any:
        return self._light(self._at_frame(frame)[0], colorspace)

    def get_test_frame(self, frame: int, device: Any, colorspace: str = "") -> Any:
        return self._light(self._at_frame(frame)[1], colorspace)

    def _at_frame(self, frame: int) -> tuple[Any, Any]:
        while self._at < frame or self._pair is None:
            one, other = next(self._pairs)
            self._pair = self._tensor(one), self._tensor(other)
            self._at += 1
        if frame < self._at:
            raise ValueError(f"frame {frame} was asked for after frame {self._at}")
        return self._pair

    def _tensor(self, picture: Picture) -> Any:
        values = picture.astype(np.float32) / np.iinfo(picture.dtype).max
        return self._torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None, :, None]
