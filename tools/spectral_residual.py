"""The spectral residual: a baseline from the picture alone, without learning; only for scoring.

Hou and Zhang, "Saliency detection: a spectral residual approach", CVPR 2007: what the logarithm of a picture's amplitude
spectrum has beyond its own local mean, transformed back with the picture's phase, squared and smoothed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian

from stcodec.attention.base import AttentionSession, AttentionSource, PromptSession
from stcodec.types import Clip, ClipSpec, FloatArray, VideoInfo

SIDE_PX = 64
"""The paper's size: larger pictures show smaller objects."""
SIGMA_PX = 2.5
"""Of the smoothing, as in the authors' code."""
_LUMA = np.array([0.299, 0.587, 0.114])


def spectral_residual(gray: NDArray[np.float64]) -> FloatArray:
    """[h, w] saliency with a maximum of 1 of a gray picture [h, w] of any scale; all ones for an even picture."""
    spectrum = np.fft.fft2(gray)
    log_amplitude = np.log(np.abs(spectrum) + 1e-9)
    residual = log_amplitude - _mean_3x3(log_amplitude)
    saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    smooth = gaussian(saliency, SIGMA_PX)  # type: ignore[no-untyped-call]
    even = np.ptp(gray) < 1e-6
    return np.ones(gray.shape, np.float32) if even else np.asarray(smooth / smooth.max(), np.float32)


def _mean_3x3(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A spectrum goes round: so does the mean."""
    rows = values + np.roll(values, 1, 0) + np.roll(values, -1, 0)
    return np.asarray((rows + np.roll(rows, 1, 1) + np.roll(rows, -1, 1)) / 9)


class SpectralResidualSource(AttentionSource):
    """The spectral residual of each thumbnail."""

    name = "spectral"
    spec = ClipSpec(thumbnail_side_px=SIDE_PX, shots=False)

    def open(self, video: VideoInfo) -> AttentionSession:
        return PromptSession(video, self.name, _maps)


def _maps(clip: Clip) -> FloatArray:
    assert clip.thumbnails is not None
    return np.stack([spectral_residual(thumbnail @ _LUMA) for thumbnail in clip.thumbnails])
