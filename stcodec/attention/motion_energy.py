"""Motion of each place beside the camera's, and the fixation density that it draws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stcodec.attention.global_motion import GlobalMotion, fit_global_motion, median
from stcodec.attention.motion_field import GrayImage, gradient_size, local_mean, picture_change, resized
from stcodec.types import Arrays, FloatArray

_TEXTURE_LEVELS = 2.0  # grey levels per pixel at which a cell's velocity is half trusted when the camera is sought
_SHIFT_PX = 0.3  # motion of the camera, px of the thumbnail, at which its misfit is half of what it comes to


@dataclass(frozen=True)
class MotionTuning:
    """The constants of the source, tuned on the training clips of a gaze data set by tools/tune_motion.py.

    The floors (speed_floor, camera_share, noise_levels, noise_px) are as high as the gain on those clips allows at
    almost no loss, so that pans, zooms, shake and noise stay dark.
    """

    speed_floor: float = 0.003
    """Frame widths per second of residual speed that count half; an absolute floor, so that rest stays rest."""
    speed_spreads: float = 0.3
    """The same, in standard deviations of the background's own residuals, where the picture's change is known too."""
    camera_share: float = 0.25
    """The same, as a share of the camera's own speed there: neither estimates nor eyes tell less (Weber's law)."""
    blind_spreads: float = 11.0
    """The same where there are vectors but no picture: vectors of a flat background err by much more."""
    change_levels: float = 5.5
    """Grey levels of change beyond the noise that count half."""
    noise_levels: float = 1.3
    """Grey levels of change that are always noise."""
    noise_medians: float = 3.0
    """Change that is noise, in medians of the change over the frame."""
    noise_px: float = 0.85
    """Misfit of the camera in px of the thumbnail, interpolation included, whose change is noise."""
    memory_seconds: float = 0.3
    """Time constant of the memory of motion."""
    blur: float = 0.0155
    """Standard deviation of the spatial blur, frame widths."""
    spread: float = 0.06
    """Probability that is uniform over the frame, beside the prior's 1, where motion draws the gaze from."""
    share: float = 0.8
    """Largest share of the gaze that motion takes from the centre prior."""
    crowd_area: float = 0.45
    """Share of the frame that moves at which motion takes half of that: where everything moves, it tells little."""
    mass_floor: float = 0.002
    """Mean energy (under the prior) at which motion takes half of that share."""


@dataclass(frozen=True, eq=False, repr=False)
class Change(Arrays):
    """Change of the picture over a step once the camera's motion is taken away, in grey levels."""

    levels: FloatArray
    """[h, w] mean absolute change."""
    misfit: FloatArray
    """[h, w] change that a misfit of the camera by 1 px of the thumbnail would make; 0 for a camera at rest."""
    typical: float
    """Median of the absolute change over the thumbnail's pixels."""


@dataclass(frozen=True, eq=False, repr=False)
class Evidence(Arrays):
    """Motion and change over one step between two instants, on the grid of the maps; speeds in frame widths per second."""

    camera: GlobalMotion
    camera_speed: FloatArray
    """[h, w] speed of the camera's motion, at least its mean: about the still centre of a zoom all estimates err too."""
    speed: FloatArray
    """[h, w] speed against the camera, 0 where unknown."""
    change: Change | None
    """None if there are no thumbnails."""


def gather(velocity: FloatArray, now: GrayImage | None, before: GrayImage | None, seconds: float) -> Evidence:
    """Fit the camera to velocities [h, w, 2] (frame widths per second, NaN where unknown) and measure what is left.

    now, before: the thumbnails at both ends of the step, None if there are none.
    """
    if now is None or before is None:
        return _evidence(fit_global_motion(velocity, np.ones(velocity.shape[:2], np.float32)), velocity)
    texture = resized(gradient_size(now), (velocity.shape[0], velocity.shape[1]))
    camera = fit_global_motion(velocity, texture / (texture + np.float32(_TEXTURE_LEVELS)))
    evidence = _evidence(camera, velocity)
    change = picture_change(now, before, seconds, camera)
    shift_px = evidence.camera_speed * np.float32(seconds * now.shape[1])
    misfit = texture * shift_px / (shift_px + np.float32(_SHIFT_PX))
    levels = local_mean(change, (velocity.shape[0], velocity.shape[1]))
    return replace(evidence, change=Change(levels, misfit, median(change)))


def _evidence(camera: GlobalMotion, velocity: FloatArray) -> Evidence:
    moving = camera.velocity(velocity.shape[0], velocity.shape[1])
    camera_speed = _speed(moving)
    at_least_mean = np.maximum(camera_speed, camera_speed.mean())
    return Evidence(camera, at_least_mean, np.nan_to_num(_speed(velocity - moving)), None)


def _speed(velocity: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(velocity[..., 0] ** 2 + velocity[..., 1] ** 2), np.float32)


def motion_energy(evidence: Evidence, tuning: MotionTuning) -> FloatArray:
    """Motion of each cell's own, [h, w] in [0, 1]: both its speed and the change it makes must stand out.

    Each is x^2 / (x^2 + x0^2), a saturating response, with x0 no less than the noise.
    """
    spreads = tuning.blind_spreads if evidence.change is None else tuning.speed_spreads
    speed = evidence.speed**2
    unclear = (tuning.camera_share * evidence.camera_speed) ** 2 + (spreads * evidence.camera.scale) ** 2
    energy = speed / (speed + tuning.speed_floor**2 + unclear)
    if evidence.change is not None:
        energy = energy * _changed(evidence.change, tuning)
    return energy.astype(np.float32)


def _changed(change: Change, tuning: MotionTuning) -> FloatArray:
    noise = tuning.noise_levels**2 + (tuning.noise_medians * change.typical) ** 2 + (tuning.noise_px * change.misfit) ** 2
    beyond = np.maximum(change.levels**2 - noise, 0)
    return np.asarray(beyond / (beyond + tuning.change_levels**2), np.float32)


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
