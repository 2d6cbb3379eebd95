"""Saliency maps of a video, written as a video that any player shows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import stcodec
from stcodec.attention import source_files, source_of_maps
from stcodec.attention.base import AttentionSource
from stcodec.attention.smoothed import SmoothedSource
from stcodec.errors import OptionsError
from stcodec.media.clips import export_for
from stcodec.media.decode import VideoReader
from stcodec.media.map_writer import MapWriter
from stcodec.media.output import atomic_output, check_output
from stcodec.media.paths import check_input, display_name
from stcodec.options import DEFAULT_ATTENTION, OffsetPolicy
from stcodec.pipeline.attend import AttentionCounts, attend
from stcodec.progress import Meter, ProgressSink
from stcodec.types import SaliencyTrack
from stcodec.view import WHOLE, View


@dataclass(frozen=True)
class MapsReport:
    """Report on the maps that were written."""

    source: str
    output: str
    attention: str
    maps: int
    shots: int
    frames: int
    confidence: float | None
    """Mean over the maps of the NSS to expect of each (0 = no better than a uniform map); None if the source can't tell."""
    confidence_lowest: float | None
    messages: tuple[str, ...] = ()
    """What was done to the video's times and pictures, and what of it can't be right."""


def maps(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    attention: str | AttentionSource = DEFAULT_ATTENTION,
    smoothing_seconds: float = OffsetPolicy.smoothing_seconds,
    overwrite: bool = False,
    keep_partial: bool = False,
    view: View = WHOLE,
    progress: ProgressSink | None = None,
) -> MapsReport:
    """Write the saliency maps of a video as gray FFV1 in Matroska; `map:FILE` reads them back as a source.

    view: what of the video is attended to; the maps have its times.
    Raises OptionsError, MediaError or AttentionError; nothing appears under the output's name unless all went well.
    """
    OffsetPolicy(smoothing_seconds=smoothing_seconds)  # its range
    name = attention if isinstance(attention, str) else attention.name
    chosen = smoothed(source_of_maps(attention), smoothing_seconds)
    path = check_input(source)
    target = check_output(output, overwrite=overwrite, source=path, also_read=source_files(name))
    if target.suffix.lower() != ".mkv":
        raise OptionsError(
            f"{display_name(target)}: maps are written as Matroska: give a name that ends in .mkv", value=target
        )
    with (
        VideoReader(path, export=export_for(chosen.spec), keep_partial=keep_partial, view=view) as reader,
        atomic_output(target, overwrite=overwrite) as temporary,
    ):
        found = write_maps(reader, chosen, temporary, Meter(progress, reader.info), display_name(target))
        return maps_report(reader, target, name, found)


def maps_report(reader: VideoReader, target: Path, attention: str, counts: AttentionCounts) -> MapsReport:
    """The report of a video that was read to its end."""
    made = counts.maps, counts.shots, reader.frames_read, *counts.confidence(), tuple(reader.notes())
    return MapsReport(reader.name, display_name(target), attention, *made)


def write_maps(reader: VideoReader, source: AttentionSource, path: Path, meter: Meter, name: str) -> AttentionCounts:
    """Attend to a whole video and write its maps; what was counted. name: the file's, in messages."""
    meter.enter("maps")
    meter.now("making the first maps")
    tags = {"STCODEC_SOURCE": source.name, "STCODEC_VERSION": stcodec.__version__}
    counts = AttentionCounts()
    with MapWriter(path, reader.info, tags, name) as writer:

        def take(track: SaliencyTrack) -> None:
            counts.take(track)
            counts.shots += int(track.shot_starts.sum())
            writer.write(track)

        for frame, _, _ in attend(reader.frames(), reader.info, source, take):
            meter.frame(frame.time, 0)
    return counts


def smoothed(source: AttentionSource, seconds: float) -> AttentionSource:
    """The source with its maps smoothed over time; a source with one map a shot needs none."""
    if seconds <= 0 or source.spec.maps_per_second <= 0:
        return source
    return SmoothedSource(source, seconds)
