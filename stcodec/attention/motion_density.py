"""How far motion draws the gaze: from motion energy to a fixation density."""

from __future__ import annotations

import cv2
import numpy as np

from stcodec.attention.motion_energy import Evidence, MotionTuning, motion_energy
from stcodec.types import FloatArray


class MotionMemory:
    """A leaky memory of motion energy, since gaze stays a while on what moved; a shot begins without any."""

    def __init__(self, prior: FloatArray, tuning: MotionTuning) -> None:
        """prior: [h, w] density without any motion, sums to 1."""
        self._prior = prior
        self._tuning = tuning
        self.forget()

    def forget(self) -> None:
        """A new shot begins."""
        self._energy = np.zeros_like(self._prior)
        self._trust = 0.0

    def remember(self, evidence: Evidence, seconds: float) -> None:
        """Take in a step that lasted so long."""
        share = np.float32(1 - np.exp(-seconds / self._tuning.memory_seconds))
        self._energy = (1 - share) * self._energy + share * motion_energy(evidence, self._tuning)
        self._trust += float(share) * (1 - self._trust)

    @property
    def energy(self) -> FloatArray:
        """[h, w] in [0, 1], the energy that is remembered."""
        return self._energy

    def density(self) -> FloatArray:
        """[h, w] expected fixation density, sums to 1: right after a cut the prior, then more and more the motion."""
        return motion_density(self._energy, self._prior, self._trust, self._tuning)


def motion_density(energy: FloatArray, prior: FloatArray, trust: float, tuning: MotionTuning) -> FloatArray:
    """The gaze density [h, w], sums to 1: a mixture of the prior and of the prior (flattened) where there is energy.

    energy: [h, w] in [0, 1]; prior: [h, w], sums to 1; trust: in [0, 1], grows with the time since the cut. The share
    of motion grows with its energy up to `tuning.share`, so nothing moving, or trust 0, gives the prior itself, and
    shrinks again as more of the frame moves. A mixture bounds what a miss costs: log2(1 / (1 - share)) bits.
    """
    sigma = max(tuning.blur * energy.shape[1], 0.3)
    blurred = np.asarray(cv2.GaussianBlur(energy, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float64)
    drawn = blurred * (prior + tuning.spread / prior.size)
    mass = float(drawn.sum())
    if mass == 0:
        return prior
    area = float(blurred.sum() ** 2 / np.sum(blurred**2)) / blurred.size
    share = tuning.share * trust * mass / (mass + tuning.mass_floor) / (1 + (area / tuning.crowd_area) ** 2)
    return ((1 - share) * prior + (share / mass) * drawn).astype(np.float32)
