"""An inspection as it goes on: the video, and each source's maps of it with what was found in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from stcodec.diagnose.encoded import InspectedEncode
from stcodec.diagnose.faults import Fault, Finding
from stcodec.diagnose.map_files import DetailFile
from stcodec.diagnose.measure import Attended
from stcodec.diagnose.options import InspectOptions
from stcodec.types import VideoInfo


@dataclass
class Subject:
    """One source's maps of the video and what was found in them."""

    text: str
    attended: Attended
    findings: list[Finding] = field(default_factory=list)
    ranked: list[Finding] = field(default_factory=list)
    details: DetailFile | None = None
    """The inner workings of each map, if the source shows them."""


@dataclass
class Inspection:
    """A video that is looked at."""

    path: Path
    video: VideoInfo
    options: InspectOptions
    subjects: list[Subject]
    faults: list[Fault]
    """The faults that findings may be of."""
    encoded: InspectedEncode | None = None
    notes: list[str] = field(default_factory=list)
