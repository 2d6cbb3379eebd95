"""The files of a folder and of all folders in it, one at a time: videos, and what was passed over and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from stcodec.batch.storage import Remote
from stcodec.errors import MediaError
from stcodec.media.paths import VIDEO_ENDINGS, display_name, local_url
from stcodec.media.sniff import holds_video

_TRANSPORT = frozenset({".ts", ".mts", ".m2ts"})
"""Endings that other kinds of files have, too."""
_SYNC_BYTE = 0x47
_MORE_ENDINGS = frozenset({".3gp", ".divx", ".f4v", ".flv", ".gif", ".mxf", ".ogm", ".rm", ".vob", ".wmv"})
"""Of files elsewhere, whose content is not looked at before they are fetched."""


@dataclass(frozen=True)
class FoundVideo:
    """A video, by its name or its content."""

    path: Path
    """Begins with the folder that is walked."""
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class SkippedFile:
    """A file or folder that was passed over."""

    path: Path
    why: str
    is_fault: bool = False
    """True if a video may have been missed."""


class Walk:
    """One walk over a folder; a file in its place stands for itself."""

    def __init__(self, root: Path, include: Sequence[str], exclude: Sequence[str], avoid: Sequence[Path]) -> None:
        """include, exclude: shell patterns, held against the path below root and against the name alone.

        avoid: folders that are not walked. Raises MediaError if there is nothing at root.
        """
        local_url(root)
        if not root.exists():
            raise MediaError(f"{display_name(root)}: no such file or folder", path=root)
        self._root = root
        self._include, self._exclude = include, exclude
        self._seen = {_identity(folder.stat()) for folder in avoid if folder.is_dir()}
        """Folders that are not to be walked (again): links may lead in circles."""

    def __iter__(self) -> Iterator[FoundVideo | SkippedFile]:
        if not self._root.is_dir():
            yield self._file(self._root)
            return
        waiting = [self._root]
        while waiting:
            found = yield from self._folder(waiting.pop())
            waiting += reversed(found)

    def _folder(self, folder: Path) -> Generator[FoundVideo | SkippedFile, None, list[Path]]:
        """Files of one folder; returns the folders in it."""
        deeper: list[Path] = []
        try:
            identity = _identity(folder.stat())
            names = sorted(os.listdir(folder))  # noqa: PTH208 (names, not paths: a folder may hold very many)
        except OSError as error:
            yield SkippedFile(folder, f"the folder can't be read ({error.strerror})", is_fault=True)
            return deeper
        if identity in self._seen:
            if folder.is_symlink():
                yield SkippedFile(folder, "leads to a folder that is seen to elsewhere")
            return deeper
        self._seen.add(identity)
        for name in names:
            path = folder / name
            if name.startswith(".") or _matches(path.relative_to(self._root), self._exclude):
                continue
            try:
                is_folder = path.is_dir()
            except OSError as error:  # a folder whose names may be read, and nothing else
                yield SkippedFile(path, f"can't be read ({error.strerror})", is_fault=True)
                continue
            if is_folder:
                deeper.append(path)
            elif not self._include or _matches(path.relative_to(self._root), self._include):
                yield self._file(path)
        return deeper

    def _file(self, path: Path) -> FoundVideo | SkippedFile:
        is_named_so = bool(self._include) or path.suffix.lower() in VIDEO_ENDINGS
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                return SkippedFile(path, "no regular file")
            if not is_named_so and not holds_video(path, status.st_size, status.st_mtime_ns):
                return SkippedFile(path, "not a video, by its content")
            if path.suffix.lower() in _TRANSPORT and os.access(path, os.R_OK) and not _is_transport(path):
                return SkippedFile(path, f"not a video: no {path.suffix.lower()} stream begins like that")
        except OSError as error:
            broken = path.is_symlink() and not path.exists()
            if not is_named_so:
                return SkippedFile(path, f"not a video by its name, and can't be read ({error.strerror})")
            why = "a link that leads nowhere" if broken else f"can't be read ({error.strerror})"
            return SkippedFile(path, why, is_fault=not broken)
        return FoundVideo(path, status.st_size, status.st_mtime_ns)


def remote_walk(
    remote: Remote, base: Path, include: Sequence[str], exclude: Sequence[str]
) -> Iterator[FoundVideo | SkippedFile]:
    """The same for a folder that is elsewhere; base: what paths begin with. Raises MediaError."""
    for below, size, changed in remote.walk():
        folders = [*reversed(below.parents[:-1]), below]
        if any(one.name.startswith(".") or _matches(one, exclude) for one in folders):
            continue
        if include and not _matches(below, include):
            continue
        if not include and below.suffix.lower() not in VIDEO_ENDINGS | _MORE_ENDINGS:
            yield SkippedFile(base / below, "not a video, by its name")
        else:
            yield FoundVideo(base / below, size, changed)


def _matches(below: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(str(below), pattern) or fnmatchcase(below.name, pattern) for pattern in patterns)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_transport(path: Path) -> bool:
    """MPEG transport streams begin with a sync byte, behind four bytes of time in those of cameras."""
    with path.open("rb") as file:
        start = file.read(5)
    return not start or _SYNC_BYTE in (start[0], start[-1])
