"""Portion of a file that is looked at. Without numpy, so that command lines are parsed at once."""

from __future__ import annotations

from dataclasses import dataclass


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
        if not self.start_seconds >= 0:  # NaN fails too
            raise ValueError(f"start is {self.start_seconds:g} s: allowed is 0 or more")
        if self.end_seconds is not None and not self.end_seconds > self.start_seconds:
            raise ValueError(f"end is {self.end_seconds:g} s: it has to be after the start, {self.start_seconds:g} s")


WHOLE = View()
"""All of a file, as it is."""
