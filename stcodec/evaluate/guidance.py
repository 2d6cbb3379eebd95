"""Maps that guide a clip's encodes, and densities that weight its scores, each made once.

Maps are made of the original, so that files of maps, masks and gaze fit as they are; they meet the frames that are encoded
by time. Every encode of an arm reads the same file of maps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

import stcodec
from stcodec.attention import AttentionSession, AttentionSource, source_of_maps, source_parts
from stcodec.attention.cached import SOURCE_TAG
from stcodec.attention.gaze import GazeSource
from stcodec.attention.grids import filled, shrink
from stcodec.evaluate.gaze import check_gaze
from stcodec.evaluate.reference import PreparedClip
from stcodec.media.clips import export_for
from stcodec.media.decode import VideoReader
from stcodec.media.map_writer import MapWriter
from stcodec.media.maps import MapReader
from stcodec.media.paths import file_error
from stcodec.pipeline.attend import attend, frames_with_maps
from stcodec.types import FloatArray, VideoInfo
from stcodec.work.cache import Cache, content_hash, key_of
from stcodec.work.sources import source_identity
from stcodec.work.versions import Artefact, made_by

GAZE = "gaze:"
_MAP_FILES = ("map", "mask")
_LONGEST_SIDE = 240
"""Cells of a stored density: those of gaze have 160, and scoring reads between them."""


@dataclass(frozen=True)
class Guide:
    """A source of attention for one clip."""

    text: str
    """Name as the user writes it."""
    observers: tuple[int, ...] | None = None
    """Of a recording of gaze, only these; None = all."""

    def open(self, original: VideoInfo) -> AttentionSource:
        """The source. Raises what `open_source` raises, and AttentionError for gaze that is not of this video."""
        if self.text.startswith(GAZE):
            gaze = GazeSource(self.text.removeprefix(GAZE), observers=self.observers)
            check_gaze(gaze, original)
            return gaze
        return source_of_maps(self.text)

    def shares_with(self, other: Guide) -> bool:
        """True if (a part of) this is (a part of) the other: the same source, the same file, the same observers.

        Options make no other source of one, and a file of maps is also the source that made it.
        """
        if self.observers is not None and other.observers is not None and not set(self.observers) & set(other.observers):
            return False
        return bool(self._origins() & other._origins())

    def _origins(self) -> set[str]:
        return set[str]().union(*(_origins(text) for _, text in source_parts(self.text)))


@dataclass(frozen=True)
class Maps:
    """The maps of a clip by one source: a file for `map:`, or of densities."""

    path: Path
    content: str
    """Hash of the file."""


@dataclass(frozen=True)
class MapsTask:
    """Maps to be made: those that guide a clip's encodes, or the densities that weight its scores.

    The densities are float32 [T, h, w] in a .npy file, in coded orientation, one for each frame.
    """

    reference: PreparedClip
    guide: Guide
    cache: Cache
    artefact: Literal["maps", "weights"] = "maps"

    def run(self) -> Maps:
        """Make them, or find them made. Raises AttentionError, OptionsError or MediaError."""
        reference, guide = self.reference, self.guide
        ending = ".mkv" if self.artefact == "maps" else ".npy"
        place = self.cache.place(self.artefact, guide_key(self.artefact, reference, guide), ending)
        if not place.exists():
            with self.cache.writing(place) as temporary:
                if self.artefact == "maps":
                    _write_maps(reference, guide, temporary)
                else:
                    write_weights(reference.original, guide, len(reference.seconds), temporary)
        return Maps(place, content_hash(place))


def write_weights(original: Path, guide: Guide, frames: int | None, path: Path) -> list[float]:
    """Write the density at each of the first frames of a video: float32 [T, h, w] in coded orientation, on any scale.

    frames: how many, None = all. Returns the frames' presentation times in seconds.
    """
    times: list[float] = []
    try:
        with path.open("wb") as file:  # written, not mapped into memory: a full disk under a map ends the process
            for seconds, density in densities(original, guide, frames):
                stored = np.ascontiguousarray(shrink(density, _LONGEST_SIDE), np.dtype("<f4"))
                if not times:
                    _write_header(file, (0, *stored.shape))
                times.append(seconds)
                file.write(stored.data)
            file.seek(0)
            _write_header(file, (len(times), *stored.shape))  # as long as the first: NumPy leaves room for the length
    except OSError as error:
        raise file_error(None, "densities can't be kept", error) from None
    return times


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


def densities(original: Path, guide: Guide, frames: int | None) -> Iterator[tuple[float, FloatArray]]:
    """Time in seconds and density of each of the first frames of a video; None = of all.

    Densities are [h, w] in coded orientation, on any scale, and none is all zero.
    """
    with VideoReader(original) as opened:
        source = guide.open(opened.info)
    if not source.spec.looks_at_pictures:
        source = _AtEveryFrame(source)
    with VideoReader(original, export=export_for(source.spec)) as reader:
        shown = islice(reader.frames(), frames)
        for frame, saliency in frames_with_maps(shown, reader.info, source):
            yield frame.time, filled(saliency)


class _AtEveryFrame(AttentionSource):
    """A source that looks at no pictures, asked at every frame instead of a few times a second: nothing is interpolated."""

    def __init__(self, source: AttentionSource) -> None:
        self.name = source.name
        self.spec = replace(source.spec, maps_per_second=math.inf if source.spec.maps_per_second else 0.0)
        self.lookahead_seconds = source.lookahead_seconds
        self._source = source

    def open(self, video: VideoInfo) -> AttentionSession:
        return self._source.open(video)


def _write_maps(reference: PreparedClip, guide: Guide, path: Path) -> None:
    with VideoReader(reference.original) as opened:
        source = guide.open(opened.info)
    with VideoReader(reference.path) as encoded:
        duration = encoded.info.duration_seconds
    with VideoReader(reference.original, export=export_for(source.spec)) as reader:
        covered = replace(reader.info, duration_seconds=duration)
        tags = {SOURCE_TAG: source.name, "STCODEC_VERSION": stcodec.__version__}
        with MapWriter(path, covered, tags) as writer:
            shown = islice(reader.frames(), len(reference.seconds))
            for _ in attend(shown, reader.info, source, writer.write):
                pass


def guide_key(artefact: Artefact, reference: PreparedClip, guide: Guide) -> str:
    """Part of the name that a clip's maps, weights or scanpaths by a source are kept under."""
    identity = source_identity(guide.text)
    return key_of(reference=reference.key, guide=identity, observers=guide.observers, made_by=made_by(artefact))


def _origins(text: str) -> set[str]:
    """Origin of the maps of a source that is no blend: contents of files, names of sources."""
    name, _, argument = text.partition(":")
    if not argument or not Path(argument).exists():
        return {name}
    found = {content_hash(Path(argument))}
    if name in _MAP_FILES:
        made_by = MapReader(argument).tags.get(SOURCE_TAG, "")
        found |= {part.partition(":")[0] for _, part in source_parts(made_by) if part and not _names_a_file(part)}
    return found


def _names_a_file(text: str) -> bool:
    """Whether the source in a map file's tag names a file, which can't be compared here."""
    return text.startswith((GAZE, "onnx:", *(f"{name}:" for name in _MAP_FILES)))


def check_source(text: str) -> None:
    """Raise what opening a source raises, so that a wrong name is said before anything is made."""
    if text.startswith(GAZE):
        GazeSource(text.removeprefix(GAZE))
    else:
        source_of_maps(text)
