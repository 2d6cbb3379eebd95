"""A video seen once before the search: its shots, and its maps in a file."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

from stcodec.attention.cached import CachedSource
from stcodec.matching.shots import Shot, find_shots
from stcodec.media.shots import mark_shots
from stcodec.pipeline.attend import AttentionCounts, attend
from stcodec.pipeline.encode import Job
from stcodec.progress import Meter
from stcodec.types import SaliencyTrack

MAPS_FILE = "maps.mkv"


@dataclass(frozen=True)
class Scan:
    """Knowledge of a video before anything is encoded."""

    times: array[float]
    """Of all frames, seconds."""
    shots: list[Shot]
    source: CachedSource
    """Gives the maps to every encode from here on."""
    maps: Path
    """The file that they are in."""
    map_times: array[float]
    """Time of each map, seconds: the file rounds."""
    map_starts: list[bool]
    """True if a shot begins with a map."""
    counts: AttentionCounts
    """Of the source's own look."""


def scan(job: Job, folder: Path, meter: Meter) -> Scan:
    """See a job's video once; its maps go into a file in the folder. Raises MediaError or AttentionError."""
    assert job.source is not None
    meter.enter("shots", what="maps and cuts")
    meter.now("making the first maps")
    maps = folder / MAPS_FILE
    source = CachedSource(job.source, maps)
    times, starts = array("d"), list[int]()
    map_times, map_starts = array("d"), list[bool]()

    counts = AttentionCounts()

    def note(track: SaliencyTrack) -> None:
        counts.take(track)
        map_times.extend(track.pts_seconds)
        map_starts.extend(bool(one) for one in track.shot_starts)

    with job.reopened().reader as reader:
        for frame, begins, _ in attend(reader.frames(), reader.info, source, note, mark=mark_shots):
            if begins:
                starts.append(len(times))
            times.append(frame.time)
            meter.frame(frame.time, 0)
    shots = find_shots(times, starts)
    return Scan(times, shots, source, maps, map_times, map_starts, counts)
