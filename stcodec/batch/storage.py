"""Places of sources and results: folders of this machine, or by a URL whatever fsspec knows (s3://, gs://, sftp://).

Sources that are elsewhere are fetched for the time of their encode, each to a place of its own below the job table's folder;
that place is what the table calls them. Results go from this machine to their URL when they are checked.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from stcodec.errors import MediaError, OptionsError
from stcodec.media.paths import display_name

_URL = re.compile(r"([a-z][a-z0-9+.-]*)(::.+)?://.*", re.DOTALL)
_LOCAL = ("file", "local")
_WHOLE = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "memory")
"""Storages in which a file appears whole or not at all; elsewhere it is written under another name first."""
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Remote:
    """A folder that is not on this machine."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def files(self) -> Any:
        """Its file system as fsspec has it. Raises OptionsError if the package for it is not installed."""
        return self._opened()[0]

    def place(self, below: Path) -> str:
        """A file below it, as its file system calls it. Raises MediaError for names that no URL can hold."""
        try:
            below.as_posix().encode()
        except UnicodeEncodeError:
            raise MediaError(f"{display_name(below)}: the name is not UTF-8, which {self.url} needs", path=below) from None
        return f"{self._opened()[1].rstrip('/')}/{below.as_posix()}"

    def walk(self) -> Iterator[tuple[Path, int, int]]:
        """All files below it, with their size and time of change in ns. Raises MediaError."""
        files, root = self._opened()
        with self._as_media_errors(""):
            files.invalidate_cache()
            found = files.find(root, detail=True)
        base = PurePosixPath(f"/{root.strip('/')}")
        for name, facts in sorted(found.items()):
            below = Path(PurePosixPath(f"/{name.strip('/')}").relative_to(base))
            size = facts.get("size")
            if size is None:  # a listing over HTTP says nothing of it
                with self._as_media_errors(below):
                    size = files.info(name).get("size")
            yield below, int(size or 0), change_mark(facts)

    def has(self, below: Path) -> bool:
        """True if a file or a folder is there. Raises MediaError."""
        with self._as_media_errors(below):
            return bool(self.files.exists(self.place(below)))

    def stamp(self, below: Path) -> tuple[int, int]:
        """Size and time of change: see `stcodec.batch.outputs.stamp`. Raises MediaError."""
        with self._as_media_errors(below):
            self.files.invalidate_cache()
            found = self.files.find(self.place(below), detail=True)
            if not found:
                raise FileNotFoundError("not there")
            sizes = [int(facts.get("size") or 0) for facts in found.values()]
            return sum(sizes), max(change_mark(facts) for facts in found.values())

    def content(self, below: Path) -> str:
        """Hash of the bytes: see `stcodec.work.cache.content_hash`. Raises MediaError."""
        digest, place = hashlib.sha256(), self.place(below)
        with self._as_media_errors(below):
            for name in sorted(self.files.find(place)):
                inner = name.strip("/").removeprefix(place.strip("/")).strip("/")
                digest.update(inner.encode())
                with self.files.open(name, "rb") as stream:
                    while block := stream.read(_BLOCK_BYTES):
                        digest.update(block)
        return digest.hexdigest()

    def fetch(self, below: Path, target: Path, mtime_ns: int) -> None:
        """Copy a file to this machine, whole or not at all, with its time of change. Raises MediaError."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with self._as_media_errors(below):
                self.files.get_file(self.place(below), str(part))
            os.utime(part, ns=(mtime_ns, mtime_ns))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def put(self, made: Path, below: Path) -> None:
        """Copy a file, or a folder with all that is in it, from this machine. Raises MediaError."""
        inner = sorted(one.relative_to(made) for one in made.rglob("*") if one.is_file()) if made.is_dir() else [Path()]
        # What names the others comes last: whoever finds it finds them.
        inner.sort(key=lambda one: one.suffix in (".m3u8", ".mpd"))
        for one in inner:
            with self._as_media_errors(below):
                self._put_file(made / one, self.place(below / one))

    def _put_file(self, made: Path, place: str) -> None:
        files = self.files
        with suppress(NotImplementedError):
            files.makedirs(place.rpartition("/")[0], exist_ok=True)
        if set(_WHOLE) & set((files.protocol,) if isinstance(files.protocol, str) else files.protocol):
            files.put_file(str(made), place)
            return
        folder, _, name = place.rpartition("/")
        part = f"{folder}/.stcodec-{uuid.uuid4().hex[:8]}-{name}"
        try:
            files.put_file(str(made), part)
            files.mv(part, place)
        finally:
            with suppress(Exception):
                files.rm_file(part)

    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            files, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise OptionsError(f"{self.url}: can't be opened: {error}", value=self.url) from None
        except OSError as error:
            raise MediaError(f"{self.url}: can't be opened ({error.strerror or error})", path=self.url) from None
        return files, str(root)

    @contextmanager
    def _as_media_errors(self, below: Path | str) -> Iterator[None]:
        """Raise whatever a file system raises as MediaError."""
        try:
            yield
        except (MediaError, KeyboardInterrupt):
            raise
        except Exception as error:  # every file system has exceptions of its own
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise MediaError(f"{self.url}/{display_name(below)}: {reason}") from None


@dataclass(frozen=True)
class Origin:
    """Place that a source is fetched from, not on this machine."""

    remote: Remote
    below: Path
    size_bytes: int
    mtime_ns: int

    def fetch(self, target: Path) -> None:
        """Make it a file of this machine, unless it is one. Raises MediaError."""
        with suppress(OSError):
            status = target.stat()
            if (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.mtime_ns):
                return
        self.remote.fetch(self.below, target, self.mtime_ns)


def place_of(text: str) -> Path | Remote:
    """A folder of this machine, or elsewhere. Raises OptionsError for a URL that fsspec does not know."""
    match = _URL.fullmatch(text)
    if match is None or Path(text).exists():
        return Path(text)
    if match[1] in _LOCAL and match[2] is None:
        return Path(text.partition("://")[2])
    remote = Remote(text.rstrip("/"))
    _ = remote.files  # said now if it can't be opened
    return remote


def change_mark(facts: dict[str, Any]) -> int:
    """The time of change in ns, or what else changes with a file."""
    value = next((facts[key] for key in _TIMES if facts.get(key) is not None), None)
    if isinstance(value, datetime):
        return int(value.timestamp() * 1e9)
    if isinstance(value, int | float):
        return int(value * 1e9)
    text = value if isinstance(value, str) else str(facts.get("ETag") or sorted(facts.items(), key=str))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
