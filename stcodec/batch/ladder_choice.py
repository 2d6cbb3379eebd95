"""Choice of the renditions that suit a video, by its quality in some sizes and bitrates: `--ladder auto`.

Quality over the logarithm of the bitrate has an upper convex hull: what lies below it is better reached with another size.
The hull says from which bitrate on the video is good enough; that is the top rendition. The others follow at fixed ratios,
each in the size that is the best at its bitrate, down to where the video becomes too bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stcodec.batch.ladder import LadderRendition

GOOD_ENOUGH_DB = 44.0
"""Attended PSNR of the top rendition: better is not seen."""
TOO_BAD_DB = 26.0
"""Of the lowest rendition at least, unless it is the only one."""
SPACING = 1.8
"""Of bitrates: near enough that a change is no jump, far enough that a player gains from it (1.5 to 2 are usual)."""
MOST_RENDITIONS = 6
LEAST_KBPS = 64.0
_REACH = 2.0
"""A size is judged up to so many times beyond the bitrates it was tried at: farther, a straight line says little."""


@dataclass(frozen=True)
class LadderTrial:
    """Bitrate and quality of one trial encode."""

    lines: int
    kbps: float
    quality_db: float
    """Attended PSNR in the video's own size."""


def hull(trials: Sequence[LadderTrial]) -> list[LadderTrial]:
    """The upper convex hull over the logarithm of the bitrate, by rising bitrate and quality."""
    found: list[LadderTrial] = []
    for one in sorted(trials, key=lambda trial: (trial.kbps, -trial.quality_db)):
        if found and one.quality_db <= found[-1].quality_db:
            continue
        while len(found) > 1 and _slope(found[-2], found[-1]) <= _slope(found[-2], one):
            found.pop()
        found.append(one)
    return found


def choose_renditions(trials: Sequence[LadderTrial], most_kbps: float) -> tuple[LadderRendition, ...]:
    """The renditions, largest first; most_kbps: of the source, beyond which there is nothing to gain."""
    outline = hull(trials)
    curves: dict[int, list[LadderTrial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.kbps):
        curves.setdefault(trial.lines, []).append(trial)
    kbps = min(_bitrate_of(outline, GOOD_ENOUGH_DB), max(most_kbps, LEAST_KBPS))
    renditions: list[LadderRendition] = []
    while len(renditions) < MOST_RENDITIONS and (not renditions or kbps >= LEAST_KBPS):
        allowed = [one for one in curves if not renditions or one <= renditions[-1].lines]
        quality, lines = max((_quality_at(curves[one], kbps), one) for one in allowed)
        if renditions and quality < TOO_BAD_DB:
            break
        renditions.append(LadderRendition(lines, rounded(kbps)))
        kbps /= SPACING
    return tuple(renditions)


def rounded(kbps: float) -> float:
    """A rate to two digits: 2437 is 2400."""
    return float(f"{kbps:.1e}")


def _slope(one: LadderTrial, other: LadderTrial) -> float:
    return (other.quality_db - one.quality_db) / float(np.log2(other.kbps / one.kbps))


def _bitrate_of(outline: Sequence[LadderTrial], quality_db: float) -> float:
    """Bitrate at which the hull reaches a quality; its end if it does not, its beginning if that is better."""
    logs = np.interp(quality_db, [one.quality_db for one in outline], [np.log2(one.kbps) for one in outline])
    return float(2**logs)


def _quality_at(curve: Sequence[LadderTrial], kbps: float) -> float:
    """Quality of one size at a bitrate, by a straight line through the two trials about a bitrate, or the two nearest."""
    if not curve[0].kbps / _REACH <= kbps <= curve[-1].kbps * _REACH:
        return -np.inf if kbps < curve[0].kbps else curve[-1].quality_db
    place = int(np.clip(np.searchsorted([one.kbps for one in curve], kbps), 1, max(1, len(curve) - 1)))
    if len(curve) < 2:
        return curve[0].quality_db
    one, other = curve[place - 1], curve[place]
    return one.quality_db + _slope(one, other) * float(np.log2(kbps / one.kbps))
