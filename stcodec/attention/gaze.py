"""`gaze:FILE.csv`: where recorded viewers looked."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.base import AttentionSession, AttentionSource, PromptSession
from stcodec.errors import AttentionError
from stcodec.media.paths import display_name
from stcodec.types import Arrays, Clip, ClipSpec, FloatArray, TimeArray, VideoInfo

COLUMNS = ("observer", "start_ms", "duration_ms", "x_px", "y_px")
SIGMA_SHARE = 0.03
"""Sigma of a fixation's Gaussian as a share of the frame's width (Li, Qin and Itti 2011, as in EWPSNR)."""
_LEAST_INSIDE = 0.25
"""Share of the fixations that must lie in the frame: viewers look beside it now and then, not most of the time."""
_LONGEST_SIDE = 160
_MAPS_PER_SECOND = 12.5


@dataclass(frozen=True, eq=False, repr=False)
class Fixations(Arrays):
    """A recording: one entry for each fixation, [N] each."""

    start_seconds: TimeArray
    """Since the start of the video."""
    end_seconds: TimeArray
    x_px: TimeArray
    """In display pixels of the video."""
    y_px: TimeArray
    observer: TimeArray
    """Number of the viewer."""

    def active(self, seconds: float) -> NDArray[np.intp]:
        """Indices of the fixations that last at a time (start <= t < end); while there are none, of the last that did.

        Empty before the first fixation.
        """
        now = (self.start_seconds <= seconds) & (seconds < self.end_seconds)
        if not now.any():
            over = self.end_seconds[(self.end_seconds <= seconds) & (self.end_seconds > self.start_seconds)]
            if len(over):
                now = (self.start_seconds < over.max()) & (self.end_seconds == over.max())
        return np.flatnonzero(now)


class GazeSource(AttentionSource):
    """Fixation density of recorded viewers: a Gaussian of sigma = 3 % of the frame's width for each active fixation.

    The file is CSV with the columns observer, start_ms, duration_ms, x_px, y_px (others are left alone), in display
    pixels and since the start of the video. While nobody fixates the last density stays; before the first fixation all
    is alike. Maps are scaled so that their largest value is 1.
    """

    def __init__(self, path: str | os.PathLike[str], *, observers: Iterable[int] | None = None) -> None:
        """observers: count these only (half of the viewers may guide an encode that the other half judges).

        Raises AttentionError, naming the line, if the file can't be used.
        """
        self.name = f"gaze:{display_name(path)}"
        self.spec = ClipSpec(maps_per_second=_MAPS_PER_SECOND)
        self.fixations = _read(Path(path), self.name, None if observers is None else frozenset(observers))
        """All that the file holds of those observers, inside of the frame or not."""

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises AttentionError if most fixations miss its frames, or none falls into its time."""
        gaze = self.fixations
        width, height = video.display_width_px, video.display_height_px
        inside = (gaze.x_px >= 0) & (gaze.x_px <= width) & (gaze.y_px >= 0) & (gaze.y_px <= height)
        if inside.mean() < _LEAST_INSIDE:
            raise AttentionError(
                f"{self.name}: {np.sum(~inside)} of {len(inside)} fixations lie outside of the frame of {width}x{height} px "
                f"(x {gaze.x_px.min():g} to {gaze.x_px.max():g}, y {gaze.y_px.min():g} to {gaze.y_px.max():g}): is it "
                "gaze for another video, or for another size of it?"
            )
        seen = inside & (gaze.end_seconds > np.maximum(gaze.start_seconds, 0))
        if not seen.any():
            raise AttentionError(f"{self.name}: every fixation lasts 0 ms, or ends before the video begins")
        first, duration = gaze.start_seconds[seen].min(), video.sure_duration_seconds
        if duration is not None and first >= duration:
            raise AttentionError(
                f"{self.name}: the first fixation begins at {first:.9g} s, the video ends at {duration:.9g} s: is it "
                "gaze for another video?"
            )
        columns = (gaze.start_seconds, gaze.end_seconds, gaze.x_px, gaze.y_px, gaze.observer)
        return PromptSession(video, self.name, _GazeMaps(Fixations(*(column[seen] for column in columns)), video))


class _GazeMaps:
    def __init__(self, fixations: Fixations, video: VideoInfo) -> None:
        self._fixations = fixations
        self._start_seconds = video.start_seconds
        width, height = video.display_width_px, video.display_height_px
        sigma_px = max(0.5, SIGMA_SHARE * width)
        cell_px = max(1.0, min(max(width, height) / _LONGEST_SIDE, sigma_px))
        self._across = _gaussians(fixations.x_px, width, cell_px, sigma_px)
        self._down = _gaussians(fixations.y_px, height, cell_px, sigma_px)

    def __call__(self, clip: Clip) -> FloatArray:
        maps = np.empty((len(clip), self._down.shape[1], self._across.shape[1]), np.float32)
        for index, pts in enumerate(clip.pts_seconds):
            # Rounded, so that a frame at the very start of a fixation sees it.
            maps[index] = self._at(round(float(pts) - self._start_seconds, 6))
        return maps

    def _at(self, seconds: float) -> FloatArray:
        active = self._fixations.active(seconds)
        if not len(active):
            return np.ones((self._down.shape[1], self._across.shape[1]), np.float32)
        density = self._down[active].T @ self._across[active]
        scaled: FloatArray = density / density.max()
        return scaled


def _gaussians(positions_px: TimeArray, side_px: int, cell_px: float, sigma_px: float) -> FloatArray:
    """[N, cells]: the Gaussian about each position, at the centres of cells that tile the side."""
    cells = math.ceil(side_px / cell_px)
    centres_px = (np.arange(cells) + 0.5) * side_px / cells
    distance = (centres_px - positions_px[:, None]) / sigma_px
    return np.exp(-0.5 * distance**2).astype(np.float32)


def _read(path: Path, name: str, observers: frozenset[int] | None) -> Fixations:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise AttentionError(f"{name}: is a pipe or a device; give a file", path=path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(file, name))
    except OSError as error:
        raise AttentionError(f"{name}: can't be read ({error.strerror})", path=path, errno=error.errno) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise AttentionError(f"{name}: not a CSV text file ({error})", path=path) from None
    if not rows:
        raise AttentionError(f"{name}: has no fixations: one a line must follow the header {','.join(COLUMNS)}", path=path)
    present = {row[0] for row in rows}
    if observers is not None:
        rows = [row for row in rows if row[0] in observers]
        if not rows:
            wanted, had = sorted(observers), ", ".join(f"{one:g}" for one in sorted(present))
            raise AttentionError(
                f"{name}: has none of the observers {wanted}; it has {had}", path=path, value=wanted, allowed=had
            )
    observer, start_ms, duration_ms, x_px, y_px = np.array(rows, np.float64).T
    with np.errstate(over="ignore"):  # for ever is an end, too
        return Fixations(start_ms / 1000, (start_ms + duration_ms) / 1000, x_px, y_px, observer)


def _rows(file: TextIO, name: str) -> Iterator[tuple[float, ...]]:
    """The values of COLUMNS, line by line."""
    reader = csv.reader(file)
    header = [cell.strip().lower() for cell in next(reader, [])]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        found = ",".join(header)[:200] or "nothing"
        raise AttentionError(f"{name}: line 1: the header lacks {', '.join(missing)}; found: {found}")
    places = [(header.index(column), column) for column in COLUMNS]
    for cells in reader:
        if any(cell.strip() for cell in cells):
            where = f"{name}: line {reader.line_num}"
            values = tuple(_number(cells, *place, where) for place in places)
            if values[2] < 0:
                raise AttentionError(f"{where}: duration_ms is {values[2]:g}: it can't be negative", value=values[2])
            yield values


def _number(cells: list[str], place: int, column: str, where: str) -> float:
    text = cells[place].strip() if place < len(cells) else ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AttentionError(f"{where}: {column} is {text!r}: it must be a finite number", value=text)
    return value
