"""Two sources on one video: where they differ most."""

from __future__ import annotations

import numpy as np

from stcodec.diagnose.faults.base import Fault, Finding
from stcodec.diagnose.measure import Attended
from stcodec.diagnose.measures import density_of, greatest, moved_percent
from stcodec.diagnose.rank import worst_moments

_LEAST_PERCENT = 1.0
"""Share of the mass below which two maps are the same but for rounding."""

DIFFERENCE = Fault(
    name="difference",
    title="Sources differ",
    definition="Share of the mass of one source's map that lies elsewhere in the other's; the moments at which they differ "
    "most, most first. Half of the mass is as far as many good models are apart.",
    unit="% of the map's mass",
    threshold=50.0,
    least_seconds=0.0,
    hint="see which of them looks at what matters there; gaze (--gaze) tells",
)


def find_differences(one: Attended, other: Attended) -> list[Finding]:
    """The moments at which two sources differ most, most first; adds `differs_percent` to the first one's measures.

    Both must have been asked at the same instants.
    """
    densities = ((density_of(one.maps[index]), density_of(other.maps[index])) for index in range(len(one.series)))
    differs = np.array([moved_percent(*both) for both in densities], np.float32)
    one.series.add("differs_percent", differs)
    worst = worst_moments(differs, one.series.seconds)
    return [_finding(one, other, index, float(differs[index])) for index in worst if differs[index] >= _LEAST_PERCENT]


def _finding(one: Attended, other: Attended, index: int, value: float) -> Finding:
    first, second = density_of(one.maps[index]), density_of(other.maps[index])
    seconds = float(one.series.seconds[index])
    text = f"{value:.0f} % of the map's mass lies elsewhere; the ring is where A sees more than B"
    return Finding(DIFFERENCE.name, seconds, seconds, seconds, value, text, greatest(first - second))
