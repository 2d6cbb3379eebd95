"""Weights of the error at each pixel for an eye that looks where viewers looked: acuity, falling off with eccentricity.

The smallest contrast seen at a spatial frequency f (cycles a degree) and an eccentricity e (degrees) is

    CT(f, e) = CT0 exp(alpha f (e + e2) / e2)        CT0 = 1/64, alpha = 0.106, e2 = 2.3 degrees

(Geisler and Perry, "Real-time foveated multiresolution system for low-bandwidth video communication", SPIE 3299, 1998), so
that beyond f_c(e) = e2 ln(1/CT0) / (alpha (e + e2)) nothing is seen at all. What a display shows ends at its Nyquist
frequency (Wang and Bovik, "Embedded foveation image coding", IEEE TIP 10(10), 2001): f_c is cut off there. A pixel's squared
error counts by f_c squared, the number of samples that the eye takes of its area, as in the foveal PSNR of Lee, Pattichis
and Bovik, "Foveated video quality assessment", IEEE Trans. Multimedia 4(1), 2002.

The score of a frame is the mean over viewers of each viewer's weighted mean. Where they look is a density, so that
measuring errors of eye trackers (its Gaussians), and sources that are no recordings, are taken in.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stcodec.types import FloatArray

ALPHA_DEGREES = 0.106
"""Decay of contrast sensitivity with spatial frequency."""
HALF_RESOLUTION_DEGREES = 2.3
"""Eccentricity e2 at which acuity is half of what it is where the eye looks."""
LEAST_CONTRAST = 1 / 64
"""CT0."""
VIEWING_DISTANCE = 3.0
"""Picture heights from which a screen is looked at, by default."""

RealArray = NDArray[np.float64]


def eccentricity_degrees(distance_px: RealArray, viewing_px: float) -> RealArray:
    """Angle between where an eye looks and points so many pixels off; viewing_px: distance of the eye from the screen.

    As Wang and Bovik have it: the same wherever on the screen the eye looks.
    """
    return np.degrees(np.arctan(distance_px / viewing_px))


def cutoff_cycles_per_degree(eccentricity: RealArray) -> RealArray:
    """The highest spatial frequency that is seen at an eccentricity in degrees, at full contrast (f_c above)."""
    seen = HALF_RESOLUTION_DEGREES * np.log(1 / LEAST_CONTRAST)
    return np.asarray(seen / (ALPHA_DEGREES * (eccentricity + HALF_RESOLUTION_DEGREES)))


def nyquist_cycles_per_degree(viewing_px: float) -> float:
    """The highest spatial frequency that a screen shows: two pixels a cycle."""
    return float(np.pi * viewing_px / 360)


def acuity(distance_px: RealArray, viewing_px: float) -> RealArray:
    """Weight of a squared error so many pixels from where an eye looks, in (0, 1]: 1 where it sees all that is shown."""
    cutoff = cutoff_cycles_per_degree(eccentricity_degrees(distance_px, viewing_px))
    return np.minimum(1.0, cutoff / nyquist_cycles_per_degree(viewing_px)) ** 2


def foveated_weights(density: FloatArray, picture: tuple[int, int], viewing_px: float) -> FloatArray:
    """[h, w], sums to 1: how much an error counts for viewers who look as a density [h, w] says, of any scale.

    picture: height and width in px of what the density covers; viewing_px: distance of the eyes, in its pixels.
    A weighted mean by these is the mean over viewers of the means that each viewer's acuity gives.
    Raises ValueError if the density is zero everywhere or has negative values, or if the distance is not above 0.
    """
    if density.min() < 0 or density.max() <= 0:
        raise ValueError("a density must be >= 0 and not zero everywhere")
    spectrum, mass = _kernel(density.shape, picture, viewing_px)
    looks = density / mass
    seen = np.maximum(_convolved(looks, spectrum), 0)
    return np.asarray(seen / seen.sum(), np.float32)


@lru_cache(maxsize=8)
def _kernel(cells: tuple[int, int], picture: tuple[int, int], viewing_px: float) -> tuple[NDArray[np.complex128], RealArray]:
    """The spectrum of acuity about a cell, on twice the grid; [h, w]: its sum over the picture, by where an eye looks."""
    if not viewing_px > 0:
        raise ValueError(f"a viewing distance of {viewing_px:g} px: it must be above 0")
    down, across = (
        np.minimum(np.arange(2 * count), 2 * count - np.arange(2 * count)) * side / count
        for count, side in zip(cells, picture, strict=True)
    )
    spectrum = np.fft.rfft2(acuity(np.hypot(down[:, None], across[None]), viewing_px))
    mass = _convolved(np.ones(cells), spectrum)
    mass.flags.writeable = spectrum.flags.writeable = False
    return spectrum, mass


def _convolved(values: NDArray[np.floating], spectrum: NDArray[np.complex128]) -> RealArray:
    height, width = values.shape
    twice = (2 * height, 2 * width)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(values, twice) * spectrum, twice)[:height, :width])
