"""Portion of a file that is looked at. Without numpy, so that command lines are parsed at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stcodec.errors import OptionsError, check_range


@dataclass(frozen=True)
class View:
    """Portion of a file: a stretch of its time, through filters."""

    start_seconds: float = 0.0
    """The first frame that is not before this time becomes the first; times count from here on."""
    end_seconds: float | None = None
    """Frames from this time on are left out; None = to the end."""
    filters: str = ""
    """A chain of libavfilter's filters, as ffmpeg's -vf takes it; it sees the picture upright."""

    def __post_init__(self) -> None:
        start, end = self.start_seconds, self.end_seconds
        check_range("start", start, 0, unit="s")
        if end is not None and not end > start:  # NaN fails too
            raise OptionsError(
                f"end is {end:g} s: it has to be after the start, {start:g} s", value=end, allowed=(start, math.inf)
            )


WHOLE = View()
"""All of a file, as it is."""
