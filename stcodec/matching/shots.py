"""Choice of the frames of a video that are tried, and of those that are compared at the end.

A part that is encoded by itself is not coded as it would be within the whole video. x264 gives the first frame of a stream
about 3 QP more than a later key frame, which in a shot where nothing moves is seen to its end. With some frames before it
that are encoded and not measured, a shot is coded as in the whole video. The difference of two encodes suffers less: at the
start of a shot it is right without such a lead, in its middle with a longer one. Measured: docs/match.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np

from stcodec.types import TimeArray

WHOLE_VIDEO_SECONDS = 20.0
"""A video no longer than this is tried whole: its figures are exact, and the plain encode's size is known."""
SHORTEST_SHOT_SECONDS = 1.0
"""Shorter shots are tried together with their neighbours: their quality alone is mostly chance."""
HEAD_SECONDS = 2.5
"""The first sample of a shot, at its start; a shot that is little longer is tried whole."""
WHOLE_SHOT_SECONDS = 3.0
SECONDS_FOR_EACH_SAMPLE = 8.0
"""A longer shot has another sample for each such part of it: the difference varies by 1 dB within some."""
INNER_SECONDS = 1.0
"""Length of those."""
MOST_INNER = 4
SHOT_LEAD_FRAMES = 25
"""x264's and x265's least distance of key frames: a lead must not be shorter."""
INNER_LEAD_FRAMES = 50
COMPARED_SHARE = 0.1
"""Of a video that was not tried whole."""
LEAST_COMPARED_SECONDS = 20.0
LONGEST_COMPARED_SECONDS = 10.0
"""Of one shot."""


@dataclass(frozen=True)
class FrameRange:
    """Frames of a video that follow each other, and are measured."""

    first: int
    """Index of the first frame."""
    end: int
    """Index of the frame after the last."""
    lead: int = 0
    """Number of frames before it that are encoded with it, as far as there are, and not measured."""

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class Run:
    """Frames that go through one encoder, and the parts of them that are measured."""

    frames: FrameRange
    parts: tuple[FrameRange, ...]

    def measures(self, index: int) -> bool:
        """True if a frame is in one of the parts."""
        return any(part.first <= index < part.end for part in self.parts)


@dataclass(frozen=True)
class Shot:
    """Shot with a QP of its own, joined with those that are too short to stand alone."""

    frames: FrameRange
    samples: tuple[FrameRange, ...]
    """Frames that are tried, in order; all of a short shot."""


def find_shots(times: Sequence[float], starts: Sequence[int]) -> list[Shot]:
    """The shots of a video with frames at such times, seconds; starts: index of the first frame of each."""
    at = np.asarray(times, np.float64)
    whole = bool(at[-1] - at[0] <= WHOLE_VIDEO_SECONDS)
    shots = []
    for first, end in pairwise([*_long_enough(at, starts), len(at)]):
        frames = FrameRange(first, end, SHOT_LEAD_FRAMES)
        shots.append(Shot(frames, (frames,) if whole else _samples(at, frames)))
    return shots


def all_samples(shots: Iterable[Shot]) -> list[FrameRange]:
    """Samples of all shots, in order."""
    return [sample for shot in shots for sample in shot.samples]


def runs(parts: Iterable[FrameRange]) -> list[Run]:
    """Runs that encode some parts, given in order: each by itself, or with the one before if its lead reaches that."""
    found: list[Run] = []
    for part in parts:
        begin = max(0, part.first - part.lead)
        if found and part.lead and begin <= found[-1].frames.end:
            before = found.pop()
            found.append(Run(FrameRange(before.frames.first, part.end), (*before.parts, part)))
        else:
            found.append(Run(FrameRange(begin, part.end), (part,)))
    return found


def compared_parts(times: Sequence[float], shots: Sequence[Shot]) -> list[FrameRange]:
    """Frames of a video tried in samples that are compared at the end: whole shots or long parts, spread over it."""
    at = np.asarray(times, np.float64)
    parts = [_head(at, shot.frames, LONGEST_COMPARED_SECONDS) for shot in shots]
    usual = float(np.mean([at[part.end - 1] - at[part.first] for part in parts]))
    count = ceil(max(LEAST_COMPARED_SECONDS, COMPARED_SHARE * (at[-1] - at[0])) / max(usual, SHORTEST_SHOT_SECONDS))
    if count >= len(parts):
        return parts
    return [parts[int((place + 0.5) * len(parts) / count)] for place in range(count)]


def _long_enough(at: TimeArray, starts: Sequence[int]) -> list[int]:
    """The starts without those that would make a part shorter than a second; the last part may grow."""
    kept = [0]
    for start in starts:
        if at[start] - at[kept[-1]] >= SHORTEST_SHOT_SECONDS:
            kept.append(start)
    if len(kept) > 1 and at[-1] - at[kept[-1]] < SHORTEST_SHOT_SECONDS:
        kept.pop()
    return kept


def _samples(at: TimeArray, shot: FrameRange) -> tuple[FrameRange, ...]:
    """One at the start of the shot; in a long one others, spread over the rest."""
    length = float(at[shot.end - 1] - at[shot.first])
    if length <= WHOLE_SHOT_SECONDS:
        return (FrameRange(shot.first, shot.end),)
    head = _head(at, FrameRange(shot.first, shot.end), HEAD_SECONDS)
    count = min(int(length / SECONDS_FOR_EACH_SAMPLE), MOST_INNER)
    rest = length - HEAD_SECONDS
    middles = [at[head.end] + rest * (place + 0.5) / count for place in range(count)]
    firsts = np.searchsorted(at, [middle - INNER_SECONDS / 2 for middle in middles], side="left")
    inner = [_head(at, FrameRange(int(first), shot.end, INNER_LEAD_FRAMES), INNER_SECONDS) for first in firsts]
    return (head, *inner)


def _head(at: TimeArray, part: FrameRange, seconds: float) -> FrameRange:
    """The first seconds of a part, at least one frame."""
    end = int(np.searchsorted(at, at[part.first] + seconds, side="left"))
    return FrameRange(part.first, min(max(end, part.first + 1), part.end), part.lead)
