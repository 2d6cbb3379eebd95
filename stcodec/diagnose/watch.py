"""Measures maps as they come, beside what the film does at the same instants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stcodec.attention.grids import resize
from stcodec.diagnose.content import Content
from stcodec.diagnose.faults.background import background_mass
from stcodec.diagnose.faults.flicker import flicker_percent
from stcodec.diagnose.measures import area_percent, carried, centre_likeness, centre_of_mass, density_of, moved_percent
from stcodec.diagnose.series import Series
from stcodec.types import FloatArray


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
        """Whether a map flickers is known when the next has come."""
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
