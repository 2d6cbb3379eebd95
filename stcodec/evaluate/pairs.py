"""Frames of two files that show the same instant, found by their times and never by counting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stcodec.errors import MediaError
from stcodec.media.decode import VideoReader
from stcodec.media.planes import is_full_range
from stcodec.types import TimeArray, VideoInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_MOST_OF_A_FRAME = 0.45
"""Of the distance of frames: times that lie nearer are one. Containers and encoders round times to clocks of their own."""
_RATE_TOLERANCE = 0.02


@dataclass(frozen=True)
class FramePair:
    """Two frames of one instant."""

    index: int
    """Number of the reference's frame, from 0."""
    seconds: float
    """Since the reference's first frame."""
    reference: VideoFrame
    distorted: VideoFrame


class UnpairedError(MediaError):
    """A frame of one video has no partner in the other."""


def frame_times(path: Path) -> TimeArray:
    """The presentation times of all frames in seconds, by decoding them. Raises MediaError."""
    with VideoReader(path) as reader:
        return np.array([frame.time for frame in reader.frames()])


def check_alike(reference: VideoInfo, distorted: VideoInfo, name: str) -> None:
    """Raises MediaError unless two videos have one size and one range of luma; name: what the distorted one is called."""
    ours, theirs = (f"{one.width_px}x{one.height_px}" for one in (reference, distorted))
    if ours != theirs:
        raise MediaError(
            f"{name}: has frames of {theirs} px, the reference of {ours}: scale one of them first, the same way for all"
        )
    if reference.rotation_degrees != distorted.rotation_degrees:
        raise MediaError(
            f"{name}: is turned by {distorted.rotation_degrees} degrees for display, the reference by "
            f"{reference.rotation_degrees}: give files that are turned alike"
        )
    if is_full_range(reference) != is_full_range(distorted):
        ranges = ("full" if is_full_range(one) else "limited" for one in (distorted, reference))
        raise MediaError("{}: has {} range luma, the reference {} range: convert one of them first".format(name, *ranges))


def time_shift(reference: TimeArray, distorted: TimeArray, name: str) -> float:
    """Delay of each frame in the distorted file, seconds: times as they stand, or counted from the first frames.

    Raises MediaError, with the time, unless every frame has its partner both ways.
    """
    tolerance = _tolerance(reference)
    shifts = sorted((0.0, float(distorted[0] - reference[0])), key=abs)
    distances = [_distances(reference, distorted - shift) for shift in shifts]
    # Of two shifts that pair as many frames the one is right that leaves less between them.
    best = max(range(len(shifts)), key=lambda place: _fit(distances[place], tolerance))
    missing = reference[distances[best] > tolerance]
    _check_rates(reference, distorted, name, bool(len(missing)))
    if len(missing):
        raise MediaError(f"{name}: {_lacking(missing, reference)}; every frame of the reference must be there")
    extra = distorted[_distances(distorted - shifts[best], reference) > tolerance]
    if len(extra):
        raise MediaError(
            f"{name}: has {len(extra)} frames that the reference has not, the first at {extra[0]:.3f} s "
            f"({len(distorted)} frames against {len(reference)}): cut both to one length"
        )
    return shifts[best]


def frame_pairs(reference: VideoReader, distorted: VideoReader) -> Iterator[FramePair]:
    """The frames of two open files pair by pair: their times are one, as they stand or counted from the first frames.

    Raises UnpairedError, with the time, for a frame without partner.
    """
    others = distorted.frames()
    tolerance = _MOST_OF_A_FRAME / float(frame_rate(reference.info))
    start, shifts = 0.0, [0.0]
    for index, frame in enumerate(reference.frames()):
        other = next(others, None)
        if index == 0:
            start = frame.time
            shifts += [] if other is None else [other.time - start]
        fitting = [] if other is None else [one for one in shifts if abs(other.time - one - frame.time) <= tolerance]
        if other is None or not fitting:
            found = "it ends before" if other is None else f"its next is at {other.time:.3f} s"
            raise UnpairedError(f"{distorted.name}: has no frame at {frame.time + shifts[-1]:.3f} s ({found})")
        shifts = fitting
        yield FramePair(index, frame.time - start, frame, other)
    if (other := next(others, None)) is not None:
        raise UnpairedError(f"{distorted.name}: goes on after the reference's end, with a frame at {other.time:.3f} s")


def frame_rate(video: VideoInfo) -> Fraction:
    """The average rate of frames; 25 a second if the container does not say."""
    return video.frame_rate or Fraction(25)


def _tolerance(times: TimeArray) -> float:
    """Tolerance of pairing: below half of the shortest distance no two frames can be taken for each other."""
    return float(_MOST_OF_A_FRAME * np.diff(times).min()) if len(times) > 1 else _MOST_OF_A_FRAME


def _distances(times: TimeArray, others: TimeArray) -> TimeArray:
    """[T] seconds from each time to the nearest of the others; both sorted."""
    if not len(others):
        return np.full(len(times), np.inf)
    after = np.clip(np.searchsorted(others, times), 0, len(others) - 1)
    before = np.clip(after - 1, 0, len(others) - 1)
    return np.asarray(np.minimum(np.abs(others[after] - times), np.abs(others[before] - times)))


def _fit(distances: TimeArray, tolerance: float) -> tuple[int, float]:
    """Number of times with a partner and, if all have one, closeness of these; more is better."""
    near = distances <= tolerance
    return int(near.sum()), -float(distances.sum()) if near.all() else 0.0


def _check_rates(reference: TimeArray, distorted: TimeArray, name: str, unmatched: bool) -> None:
    """Raise MediaError if frames don't match because the two have different rates."""
    if not unmatched or min(len(reference), len(distorted)) < 3:
        return
    ours, theirs = (1 / float(np.median(np.diff(times))) for times in (reference, distorted))
    if abs(theirs / ours - 1) > _RATE_TOLERANCE:
        raise MediaError(
            f"{name}: has {theirs:.3g} frames a second, the reference {ours:.3g}: compare files of one frame rate"
        )


def _lacking(missing: TimeArray, reference: TimeArray) -> str:
    first: Sequence[str] = [f"{time:.3f}" for time in missing[:3]]
    more = f" and at {len(missing) - len(first)} more times" if len(missing) > len(first) else ""
    return f"has no frame at {', '.join(first)} s{more} ({len(missing)} of the reference's {len(reference)} are missing)"
