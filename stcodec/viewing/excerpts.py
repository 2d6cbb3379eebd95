"""The choice of excerpts: all over the video, by its shots, without a look at the files that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stcodec.media.decode import VideoReader
from stcodec.media.scaling import Thumbnailer
from stcodec.media.shots import mark_shots
from stcodec.types import TimeArray

_GRID_SECONDS = 0.5
"""Distance of the places where an excerpt may begin, beside the starts of shots."""
_EDGE_SECONDS = 1.0
"""A cut nearer to either end of an excerpt shows a shot too short to be judged."""
_FLAT_GREY_LEVELS = 6.0
"""Standard deviation of a thumbnail's luma below which a picture shows nothing: black, a fade, a plain card."""
_THUMBNAIL_PX = 48


@dataclass(frozen=True)
class Excerpt:
    """A run of frames of the reference, and so of all files that are compared with it."""

    first_frame: int
    frames: int
    start_seconds: float
    """Since the reference's first frame."""
    seconds: float
    """From its first frame to the end of its last."""
    cuts: int
    """Scene cuts inside."""

    @property
    def end_frame(self) -> int:
        """Number of the frame after the last."""
        return self.first_frame + self.frames


class VideoContent(NamedTuple):
    """Measures that excerpts are chosen by, [T] each."""

    seconds: TimeArray
    """Since the first frame."""
    starts: np.ndarray
    """Whether a frame begins a shot, bool."""
    is_flat: np.ndarray
    """Whether a frame shows hardly anything, bool."""


def read_content(path: Path) -> VideoContent:
    """Shots and flat pictures of a video. Raises MediaError."""
    seconds: list[float] = []
    starts: list[bool] = []
    flat: list[bool] = []
    with VideoReader(path) as reader:
        thumbnail = Thumbnailer(reader.info, _THUMBNAIL_PX, fast=True)
        for frame, begins in mark_shots(reader.frames(), reader.info):
            seconds.append(frame.time)
            starts.append(begins)
            flat.append(float(thumbnail(frame).mean(axis=2).std()) < _FLAT_GREY_LEVELS)
    return VideoContent(np.array(seconds) - seconds[0], np.array(starts), np.array(flat))


def choose_excerpts(content: VideoContent, seconds: float, count: int) -> list[Excerpt]:
    """Up to so many excerpts, one in each of as many equal parts of the video; fewer where it is too short, at least one.

    In its part an excerpt lies where it has the fewest cuts, least of all near its ends, and the fewest flat pictures; it
    begins with a shot if it can.
    """
    frame_seconds = float(np.median(np.diff(content.seconds))) if len(content.seconds) > 1 else 1.0
    total = float(content.seconds[-1]) + frame_seconds
    count = max(1, min(count, int(total / seconds + 1e-6)))
    part, length = total / count, min(seconds, total)
    found: list[Excerpt] = []
    for number in range(count):
        excerpt = _best(content, (number * part, (number + 1) * part), length, frame_seconds)
        if not found or excerpt.first_frame >= found[-1].end_frame:  # frames may be seconds apart
            found.append(excerpt)
    return found


def _best(content: VideoContent, part: tuple[float, float], seconds: float, frame_seconds: float) -> Excerpt:
    """The excerpt of a part of the video (seconds from, to)."""
    begin, end = part
    latest = max(begin, end - seconds)
    places = set(np.arange(begin, latest + 1e-6, _GRID_SECONDS)) | {latest}
    places |= {second for second in content.seconds[content.starts] if begin <= second <= latest}
    # The half of a frame that is taken off keeps rounded times from moving an excerpt by one.
    firsts = {int(np.searchsorted(content.seconds[:-1], place - frame_seconds / 2)) for place in places}
    middle = (begin + latest) / 2
    found = [_excerpt(content, first, seconds, frame_seconds) for first in sorted(firsts)]
    return min(found, key=lambda one: (_cost(content, one), abs(one.start_seconds - middle)))


def _excerpt(content: VideoContent, first: int, seconds: float, frame_seconds: float) -> Excerpt:
    start = float(content.seconds[first])
    end = int(np.searchsorted(content.seconds, start + seconds - frame_seconds / 2))
    end = max(end, first + 1)
    length = float(content.seconds[end - 1]) + frame_seconds - start
    return Excerpt(first, end - first, start, length, int(content.starts[first + 1 : end].sum()))


def _cost(content: VideoContent, excerpt: Excerpt) -> float:
    """Cost of an excerpt: how ill it suits a test; no unit."""
    inside = slice(excerpt.first_frame, excerpt.end_frame)
    since = content.seconds[inside] - excerpt.start_seconds
    cuts = since[1:][content.starts[inside][1:]]
    at_edge = (cuts < _EDGE_SECONDS) | (cuts > excerpt.seconds - _EDGE_SECONDS)
    flat = float(content.is_flat[inside].mean())
    return 10 * flat + len(cuts) + 2 * int(at_edge.sum()) - 0.5 * bool(content.starts[excerpt.first_frame])
