"""Options of `inspect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stcodec.errors import OptionsError, check_choice, check_range
from stcodec.options import DEFAULT_ATTENTION, OffsetPolicy
from stcodec.view import WHOLE, View

STYLES = ("overlay", "contour", "side-by-side")
_MOST_MOMENTS = 20
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".m4v")


@dataclass(frozen=True)
class InspectOptions:
    """Options of an inspection: sources, outputs, and what to compare with."""

    attention: str = DEFAULT_ATTENTION
    """The source, as `stcodec.attention.open_source` reads it, or a checkpoint of the network (FILE.safetensors)."""
    against: str | None = None
    """A second source, to compare the first with."""
    report: Path | None = None
    """The page to write."""
    video: Path | None = None
    """The video with the maps in it to write."""
    style: str = STYLES[0]
    """Of that video."""
    encode: Path | None = None
    """An encode of the video: its QP is shown, and whether attention moved."""
    gaze: Path | None = None
    """Recorded fixations, to score the maps by."""
    smoothing_seconds: float = 0.0
    """Time constant of the smoothing of the maps before they are measured; 0 = as the source gives them."""
    moments: int = 2
    """Number of moments that the page shows with other windows and balances; for the network only."""
    overwrite: bool = False
    keep_partial: bool = False
    view: View = WHOLE
    """What of the video is looked at: a stretch of its time, through filters."""

    def __post_init__(self) -> None:
        OffsetPolicy(smoothing_seconds=self.smoothing_seconds)  # its range
        check_range("moments", self.moments, 0, _MOST_MOMENTS)
        check_choice("style", self.style, STYLES)
        for name in (self.attention, self.against):
            if name == "none":
                raise OptionsError("attention none has no maps to look at: give a source")
        if self.against is not None and self.encode is not None:
            raise OptionsError("--compare and --encode exclude each other: look at the encode with one source at a time")
        if self.report is not None and self.report.suffix.lower() not in (".html", ".htm"):
            raise OptionsError(
                f"{self.report.name}: the report is a page: give a name that ends in .html", value=self.report
            )
        if self.video is not None and self.video.suffix.lower() not in VIDEO_SUFFIXES:
            raise OptionsError(
                f"{self.video.name}: give a name that ends in {', '.join(VIDEO_SUFFIXES)}",
                value=self.video,
                allowed=VIDEO_SUFFIXES,
            )
        if self.report is not None and self.report == self.video:
            raise OptionsError(f"{self.report.name}: the report and the video need names of their own")
