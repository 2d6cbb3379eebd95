"""Bitrate by a search of the CRF, for encoders whose own rate control can't be used."""

from __future__ import annotations

import math
from collections.abc import Callable

from stcodec.errors import TargetError

_USUAL_SLOPE = 0.12
"""Of the bitrate's binary logarithm, for each step of the CRF."""


def crf_at_rate(kbps_at: Callable[[int], float], wanted_kbps: float, low: int, high: int, first: int) -> int:
    """The lowest whole CRF from low to high whose encode has no more than a bitrate.

    kbps_at: encodes with a CRF, and returns the bitrate; it is asked a handful of times, beginning with `first`.
    Raises TargetError if even the highest has more.
    """
    tried: dict[int, float] = {}
    crf = first
    while True:
        tried[crf] = kbps_at(crf)
        over = max((one for one, kbps in tried.items() if kbps > wanted_kbps), default=low - 1)
        fits = min((one for one, kbps in tried.items() if kbps <= wanted_kbps), default=high + 1)
        if over >= high:
            raise TargetError(
                f"{wanted_kbps:g} kbit/s can't be reached: at crf {high}, the highest, it is {tried[high]:.0f} kbit/s; "
                "ask for more, or encode a smaller picture"
            )
        if fits - over <= 1:
            return fits
        crf = min(max(_expected(tried, wanted_kbps), over + 1), fits - 1)


def _expected(tried: dict[int, float], wanted_kbps: float) -> int:
    """The CRF where a straight line through the two nearest bitrates, as logarithms, has what is wanted."""
    nearest = sorted(tried, key=lambda one: abs(math.log2(max(tried[one], 1e-3) / wanted_kbps)))[:2]
    distances = [math.log2(max(tried[one], 1e-3) / wanted_kbps) for one in nearest]
    slope = _USUAL_SLOPE
    if len(nearest) == 2:
        slope = max((distances[0] - distances[1]) / (nearest[1] - nearest[0]), _USUAL_SLOPE / 4)
    return math.ceil(nearest[0] + distances[0] / slope)
