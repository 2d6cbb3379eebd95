"""A source asked once: its maps are kept in a file and read from there from then on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource
from stcodec.attention.grids import filled, shrink
from stcodec.attention.map_file import MapFileSource
from stcodec.errors import AttentionError
from stcodec.media.maps import MapWriter
from stcodec.media.paths import display_name
from stcodec.types import Clip, SaliencyTrack, VideoInfo

SOURCE_TAG = "STCODEC_SOURCE"


class CachedSource(AttentionSource):
    """The source sees the video the first time, and its maps are written to a file; after that the file speaks.

    Two passes of an encoder so get the same maps to the last bit: what the first one sees is rounded as the file is.
    The file appears under its name when the first video is through; until then it is `NAME.part`, which stays behind if
    that is broken off. A file that is there already is used.
    """

    def __init__(self, source: AttentionSource, path: str | os.PathLike[str]) -> None:
        """Raises AttentionError if the file exists with the maps of another source."""
        self.name = source.name
        self.spec = source.spec
        self.lookahead_seconds = source.lookahead_seconds
        self._source = source
        self._path = Path(path)
        self._file: MapFileSource | None = None
        if self._path.exists():
            self._use_file()

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises what the source raises, or AttentionError if the file is of another video."""
        if self._file is not None:
            return self._file.open(video)
        return _CachingSession(self, self._source.open(video), video)

    def keep(self, written: Path) -> None:
        """Take a finished file into use."""
        written.replace(self._path)
        self._use_file()

    @property
    def part(self) -> Path:
        """File that the maps are written to meanwhile."""
        return self._path.with_name(self._path.name + ".part")

    def _use_file(self) -> None:
        file = MapFileSource(self._path)
        made_by = file.tags.get(SOURCE_TAG)
        if made_by != self.name:
            raise AttentionError(
                f"{display_name(self._path)}: holds the maps of {made_by}, not of {self.name}: remove it, or name "
                "another file",
                path=self._path,
            )
        file.name = self.name
        # The instants stay the same, but nobody looks at the pictures any more.
        self.spec = replace(self.spec, thumbnail_side_px=0, motion_vectors=False)
        self.lookahead_seconds = 0.0
        self._file = file


class _CachingSession(AttentionSession):
    def __init__(self, owner: CachedSource, session: AttentionSession, video: VideoInfo) -> None:
        self._owner = owner
        self._session = session
        self._writer = MapWriter(owner.part, video, {SOURCE_TAG: owner.name})

    def attend(self, clip: Clip) -> SaliencyTrack:
        return self._written(self._session.attend(clip))

    def finish(self) -> SaliencyTrack | None:
        rest = self._session.finish()
        written = None if rest is None else self._written(rest)
        self._writer.close()
        self._owner.keep(self._owner.part)
        return written

    def _written(self, found: SaliencyTrack) -> SaliencyTrack:
        """The maps as the file gives them back."""
        maps = [np.rint(filled(shrink(one)) * 255) / np.float32(255) for one in found.saliency]
        kept = replace(found, saliency=np.stack(maps)) if maps else found
        self._writer.write(kept)
        return kept
