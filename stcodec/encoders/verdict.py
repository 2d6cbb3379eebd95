"""The verdict on offsets: how what blocks show in a file goes with what was asked for. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stcodec.encoders.encoder import ReadBack
from stcodec.report import OffsetsApplied
from stcodec.types import Arrays, BoolArray, FloatArray

LEAST_SPREAD = 0.5
"""QP steps: offsets that vary less within a frame can't be told from the encoder's own rounding."""
_LEAST_KNOWN_SHARE = 0.1
"""Share of the blocks that must have something to tell for a verdict."""
_LEAST_BLOCKS = 16
"""Fewer, all frames together, tell nothing."""
_ERRORS = 3.0
"""Standard errors that a slope must lie below half of what was asked for, before offsets count as lost: neighbouring blocks
are not independent."""
_LEAST_MEASURED = 1e-3
"""QP steps or dB: what varies less over the blocks is a constant, but for the rounding of floats."""
_AGAINST = {"against-plain": "against a plain encode's at the same frame", "against-frame": "against its frame's"}


@dataclass(frozen=True, eq=False, repr=False)
class BlockReading(Arrays):
    """One frame: what was asked for and what is there, per block."""

    requested: FloatArray
    measured: FloatArray
    """QP steps, or dB, relative to the baseline; NaN where nothing is known."""
    in_file: FloatArray | None = None
    """[rows, cols] absolute QP in the file."""
    qp_limits: tuple[float, float] = (-np.inf, np.inf)
    """Lowest and highest QP that the format has."""
    gain: Gain | None = None


@dataclass(frozen=True)
class Gain:
    """Quality of one frame against the plain encode's at the same settings, dB; negative = lost."""

    attended_db: float
    """Blocks weighed by the attention that their offsets were made of."""
    whole_db: float


@dataclass(frozen=True, eq=False, repr=False)
class Blocks(Arrays):
    """All blocks of all frames that something is known of, [N] each."""

    requested: FloatArray
    allowed: FloatArray
    """Offsets requested, as far as the format has such QPs."""
    measured: FloatArray
    """QP steps, or dB; each frame's own constant is taken out."""
    carried: BoolArray
    """True where a block has exactly its left neighbour's QP."""
    at_limit: BoolArray
    """True where a block has the lowest or the highest QP."""
    known_share: float


def pool(readings: Sequence[BlockReading]) -> Blocks:
    """All blocks of some frames together."""
    parts = [_comparable(reading) for reading in readings]
    whole = sum(reading.measured.size for reading in readings)
    requested, allowed, measured, carried, at_limit = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Blocks(requested, allowed, measured, carried, at_limit, requested.size / whole)


def _comparable(reading: BlockReading) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray, BoolArray]:
    """The columns of `Blocks`. The rate control moves a frame's QP as a whole; what counts is how its blocks differ."""
    known = np.isfinite(reading.measured)
    low, high = reading.qp_limits
    if reading.in_file is not None and ((reading.in_file <= low) | (reading.in_file >= high)).all():
        known[:] = False  # the rate control left no room: nobody knows how far beyond it would have gone
    requested, measured = reading.requested[known], reading.measured[known]
    qp = np.zeros_like(measured) if reading.in_file is None else reading.in_file[known]
    at_limit = np.asarray((qp <= low) | (qp >= high))
    free = ~at_limit if not at_limit.all() else at_limit
    constant = np.median((measured - requested)[free]) if known.any() else 0
    baseline = qp - measured
    allowed = np.clip(baseline + requested + constant, low, high) - baseline - constant
    return (
        requested,
        allowed.astype(np.float32),
        (measured - constant).astype(np.float32),
        _carried(reading)[known],
        at_limit,
    )


def judge(blocks: Blocks, frames: int, way: ReadBack, codec: str) -> OffsetsApplied:
    """The verdict on all blocks together."""
    method = "effect" if way == "effect" else "bitstream"
    requested, measured = blocks.allowed, blocks.measured
    if measured.size < _LEAST_BLOCKS:
        return OffsetsApplied(
            method, "not-measured", f"{measured.size} blocks are too few to judge by", frames, measured.size
        )
    if blocks.requested.std() < LEAST_SPREAD:
        why = "the offsets vary too little to be told from chance"
        return OffsetsApplied(method, "not-measured", why, frames, requested.size)
    if blocks.known_share < _LEAST_KNOWN_SHARE or requested.std() < LEAST_SPREAD:
        why = "the blocks are at the end of the encoder's QPs, where offsets have no room: use another crf or bitrate"
        return OffsetsApplied(method, "not-measured", why, frames, requested.size)
    slope = float(np.polyfit(requested, measured, 1)[0])
    correlation = float(np.corrcoef(requested, measured)[0, 1]) if measured.std() > _LEAST_MEASURED else 0.0
    full = 1.0 if method == "bitstream" else 0.5
    if correlation >= 0.5 and slope >= full / 2:
        verdict = "applied"
    elif correlation >= 0.2 and slope >= full / 10:
        verdict = "weak"
    elif slope + _ERRORS * _slope_error(requested, measured, correlation) >= full / 2:
        found = f"slope {slope:.2f}, correlation {correlation:.2f}"
        why = f"the offsets are too gentle to tell from the encoder's own choices ({found})"
        return OffsetsApplied(method, "not-measured", why, frames, requested.size)
    else:
        verdict = "not-applied"
    common = {"frames": frames, "blocks": requested.size, "slope": slope, "correlation": correlation}
    if method == "effect":
        why = f"{codec} exports no QP: error around each block against a plain encode's, in dB for each QP step"
        return OffsetsApplied(method, verdict, why, **common)  # type: ignore[arg-type]
    applied = np.abs(blocks.measured - blocks.requested) <= 1.0
    return OffsetsApplied(
        method,
        verdict,
        f"QP of each block in the file {_AGAINST[way]}",
        share_applied=float(applied.mean()),
        share_snapped=float((~applied & blocks.carried).mean()),
        share_clipped=float((~applied & blocks.at_limit).mean()),
        **common,  # type: ignore[arg-type]
    )


def _slope_error(requested: FloatArray, measured: FloatArray, correlation: float) -> float:
    """Standard error of the slope of a least-squares line through blocks."""
    rest = max(0.0, 1 - correlation**2) / (requested.size - 2)
    return float(measured.std() / requested.std() * rest**0.5)


def _carried(reading: BlockReading) -> BoolArray:
    carried = np.zeros(reading.requested.shape, np.bool_)
    if reading.in_file is not None:
        carried[:, 1:] = reading.in_file[:, 1:] == reading.in_file[:, :-1]
    return carried
