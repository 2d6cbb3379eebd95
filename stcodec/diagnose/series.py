"""Measures of maps over time: one small number for each instant and measure, taken as the maps come."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stcodec.attention.grids import resize
from stcodec.diagnose.content import Content
from stcodec.diagnose.measures import (
    area_percent,
    background_mass,
    carried,
    centre_likeness,
    centre_of_mass,
    density_of,
    flicker_percent,
    moved_percent,
)
from stcodec.types import BoolArray, FloatArray, TimeArray

MEASURES: Mapping[str, str] = {
    "x_widths": "x of the map's centre of mass, frame widths from the left",
    "y_widths": "y of the map's centre of mass, frame widths from the top",
    "level": "mean of the map as the source gave it, 0 to 1",
    "contrast": "largest less least value of the map, 0 to 1",
    "area_percent": "share of the frame that the map spreads over: 2^entropy over the number of cells",
    "centre": "correlation of the map with the centre prior",
    "confidence": "NSS to expect of the map, by the source itself; 0 is no better than a uniform map",
    "change_percent": "share of the map's mass that lies elsewhere than an instant before",
    "flicker_percent": "share of the map's mass that goes away and comes back within three instants, motion taken out",
    "background_percent": "share of the map's mass on places that only flicker",
    "background_lift": "that share, in shares of the frame that those places take",
    "active_percent": "share of the map's mass on places that moved or changed within the last second",
    "camera_speed": "mean speed of the camera's motion, frame widths a second",
    "moving_percent": "share of the frame that moves or changes by itself",
    "jump_percent": "share of the frame that changes strongly from one instant to the next",
}
"""Each measure by name, with what it is; names end in the unit."""


class Series:
    """The measures of a run of instants; grows by one instant at a time."""

    def __init__(self) -> None:
        self._seconds = array("d")
        self._starts = array("b")
        self._values: dict[str, array[float]] = {}

    def __len__(self) -> int:
        return len(self._seconds)

    def append(self, seconds: float, starts_shot: bool, values: Mapping[str, float]) -> None:
        """The next instant; the first one says which measures there are, and a later one may leave some out (NaN)."""
        if not len(self):
            self._values = {name: array("f") for name in values}
        self._seconds.append(seconds)
        self._starts.append(starts_shot)
        for name, column in self._values.items():
            column.append(values.get(name, float("nan")))

    def put(self, name: str, index: int, value: float) -> None:
        """A measure that became known later."""
        self._values[name][index] = value

    def add(self, name: str, values: FloatArray) -> None:
        """One more measure, [T]."""
        self._values[name] = array("f", np.asarray(values, np.float32).tolist())

    @property
    def seconds(self) -> TimeArray:
        """[T] presentation times."""
        return np.array(self._seconds, np.float64)

    @property
    def starts(self) -> BoolArray:
        """[T], True where a shot begins."""
        return np.array(self._starts, np.bool_)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def __getitem__(self, name: str) -> FloatArray:
        """[T] float32, NaN where unknown."""
        return np.array(self._values[name], np.float32)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def shots(self) -> Iterator[slice]:
        """The instants of each shot, one after another."""
        edges = [*np.flatnonzero(self.starts).tolist(), len(self)]
        if edges[0] != 0:
            edges.insert(0, 0)
        yield from (slice(first, last) for first, last in pairwise(edges) if last > first)


@dataclass(frozen=True)
class _Moment:
    seconds: float
    density: FloatArray
    content: Content


class MapWatch:
    """Takes one map after another and keeps their measures; of the maps themselves the last two."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """shape: of the grid that maps are measured on."""
        self.series = Series()
        self._shape = shape
        self._last: list[_Moment] = []

    def see(self, seconds: float, starts_shot: bool, saliency: FloatArray, content: Content) -> FloatArray:
        """Take the next map, as the source gave it; it comes back on the grid of the measures, in [0, 1]."""
        grid = np.clip(resize(saliency, self._shape), 0, 1)
        density = density_of(grid)
        if starts_shot:
            self._last.clear()
        self._last.append(_Moment(seconds, density, content))
        centre = centre_of_mass(density)
        share, lift = background_mass(density, content.flickers)
        self.series.append(
            seconds,
            starts_shot,
            {
                "x_widths": centre.x_widths,
                "y_widths": centre.y_widths,
                "level": float(grid.mean()),
                "contrast": float(saliency.max() - saliency.min()),
                "area_percent": area_percent(density),
                "centre": centre_likeness(density),
                "change_percent": self._change(),
                "flicker_percent": 0.0,
                "background_percent": share,
                "background_lift": lift,
                "active_percent": 100 * float(density[content.recent].sum()),
                "camera_speed": content.camera_speed,
                "moving_percent": 100 * float(content.moves.mean()),
                "jump_percent": content.jump_percent,
            },
        )
        self._look_back()
        return grid

    def _change(self) -> float:
        """NaN at the start of a shot."""
        if len(self._last) < 2:
            return float("nan")
        before, now = self._last[-2:]
        return moved_percent(before.density, now.density)

    def _look_back(self) -> None:
        """Measure flicker, which is known once the next map has come."""
        if len(self._last) < 3:
            return
        before, now, after = self._last
        still = (before.density, now.density, after.density)
        moved = (
            carried(before.density, now.content.velocity, now.seconds - before.seconds),
            now.density,
            carried(after.density, -after.content.velocity, after.seconds - now.seconds),
        )
        self.series.put("flicker_percent", len(self.series) - 2, min(flicker_percent(*still), flicker_percent(*moved)))
        self._last.pop(0)
