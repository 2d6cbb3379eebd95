"""Background fixation: the map sits on what only flickers: water, leaves, screens, noise."""

from __future__ import annotations

import numpy as np

from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.series import Series
from stcodec.types import BoolArray, FloatArray

_LEAST_LIFT = 1.5
"""Times their share of the frame that such places must draw: what flickers everywhere draws nothing."""

FAULT = Fault(
    name="background",
    title="Background fixation",
    definition="Share of the map's mass on places where the picture has kept changing (by over 5 grey levels a step) in a "
    "way that no motion explains and that leads nowhere; counted from "
    f"{_LEAST_LIFT:g} times those places' share of the frame.",
    unit="% of the map's mass",
    threshold=35.0,
    least_seconds=0.5,
    hint="give the spatial branch more weight (neural:balance=0.3), or blend with a source that knows no motion "
    "(0.7*neural+0.3*center)",
)


def background_mass(density: FloatArray, flickers: BoolArray) -> tuple[float, float]:
    """The share of a density's mass on flickering places in %, and how many times their share of the frame that is."""
    area = float(flickers.mean())
    mass = float(density[flickers].sum())
    return 100 * mass, mass / area if area > 0 else 0.0


def background_scores(series: Series) -> FloatArray:
    """[T] % of the map's mass; 0 where the places draw no more than their share."""
    scores = np.where(series["background_lift"] >= _LEAST_LIFT, series["background_percent"], 0)
    return scores.astype(np.float32)


def find(series: Series) -> list[Finding]:
    """The moments of background fixation."""
    text = "{value:.0f} % of the map's mass lies on places that only flicker"
    return find_runs(FAULT, background_scores(series), series.seconds, text)
