"""Offsets of a frame from the newest map, which is held and then faded to the centre prior as it ages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stcodec.attention.center import center_density, map_shape
from stcodec.encoders.plan import EncoderPlan
from stcodec.options import OffsetPolicy
from stcodec.qp import QpLaw
from stcodec.stream.attend import LiveMap
from stcodec.stream.observe.snapshot import MapCondition
from stcodec.types import Arrays, FloatArray

FRESH_SECONDS = 0.5
"""A map younger than this is as good as new; older ones are held..."""
HELD_SECONDS = 1.5
"""...up to here, and then fade..."""
FADED_SECONDS = 4.0
"""...to the centre prior alone."""
_FADE_STEPS = 10
"""A fading map changes in so many steps, not with every frame."""


@dataclass(frozen=True, eq=False, repr=False)
class FrameOffsets(Arrays):
    """Offsets that a frame is encoded with."""

    delta_qp: FloatArray
    """[rows, cols] in QP steps."""
    blocks: FloatArray
    """[rows, cols]: the saliency that they were made of."""
    condition: MapCondition
    age_seconds: float | None
    """Age of the map; None if the centre prior stands in for one that is not there."""


def faded_share(age_seconds: float) -> float:
    """The centre prior's share in the map of a frame: 0 up to `HELD_SECONDS`, 1 from `FADED_SECONDS` on."""
    share = (age_seconds - HELD_SECONDS) / (FADED_SECONDS - HELD_SECONDS)
    return round(min(1.0, max(0.0, share)) * _FADE_STEPS) / _FADE_STEPS


class LiveOffsets:
    """Offsets on one encoder's blocks; each map is worked out once, not once a frame."""

    def __init__(self, plan: EncoderPlan, policy: OffsetPolicy) -> None:
        self._law = QpLaw(plan.grid, policy)
        self._center = _density(self._law.blocks(center_density(*map_shape(plan.video))))
        self._made: tuple[int, float] | None = None
        """Number and faded share of the newest map worked out; -1 is the centre prior."""
        self._delta = self._blocks = self._center

    def at(self, seconds: float, newest: LiveMap | None) -> FrameOffsets:
        """The offsets of a frame at a time; newest: the map that there is for it."""
        age = None if newest is None else 0.0 if newest.lasts else max(0.0, seconds - newest.seconds)
        share = 1.0 if age is None else faded_share(age)
        if newest is None or share == 1:
            self._make((-1, 1.0), None)
            return FrameOffsets(self._delta, self._blocks, "center", age)
        self._make((newest.number, share), newest)
        assert age is not None
        condition: MapCondition = "fresh" if age <= FRESH_SECONDS else "held" if share == 0 else "fading"
        return FrameOffsets(self._delta, self._blocks, condition, age)

    def _make(self, wanted: tuple[int, float], newest: LiveMap | None) -> None:
        if self._made == wanted:
            return
        share = np.float32(wanted[1])
        seen = self._center if newest is None else _density(self._law.blocks(newest.saliency))
        self._blocks = seen if share == 0 else (1 - share) * seen + share * self._center
        self._delta = self._law.offsets(self._blocks)
        self._made = wanted


def _density(blocks: FloatArray) -> FloatArray:
    """Blocks with mean 1, so that maps of different scales can be mixed; all ones for a map of zeros."""
    mean = float(blocks.mean())
    return blocks / np.float32(mean) if mean > 0 else np.ones_like(blocks)
