"""Cache of what was made once: files under the hash of everything that they depend on. A killed run goes on from here."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stcodec.media.paths import file_error
from stcodec.media.temporary import temporary_folder

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Cache:
    """A folder of entries. An entry appears whole or not at all; several processes may use one folder."""

    folder: Path
    work: Path
    """For unfinished files of one run and its workers."""

    def place(self, kind: str, key: str, ending: str) -> Path:
        """Path of an entry, there or not."""
        return self.folder / kind / f"{key[:32]}{ending}"

    @contextlib.contextmanager
    def writing(self, place: Path) -> Iterator[Path]:
        """A name to write an entry under; it takes its place if the block ends well."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            temporary = Path(folder) / place.name
            yield temporary
            temporary.replace(place)

    def write_json(self, place: Path, value: Any) -> None:
        """Make an entry of JSON (numbers may be infinite or NaN)."""
        with self.writing(place) as temporary:
            temporary.write_text(json.dumps(value), encoding="utf-8")

    def read_json(self, place: Path) -> Any:
        """An entry of JSON; None if there is none, or none that can be read."""
        try:
            return json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


@contextlib.contextmanager
def open_cache(folder: Path) -> Iterator[Cache]:
    """A folder as a cache, made if it is not there; unfinished files are gone afterwards. Raises MediaError."""
    with contextlib.ExitStack() as stack:
        try:
            (folder / "work").mkdir(parents=True, exist_ok=True)
            work = stack.enter_context(temporary_folder(folder / "work"))
        except OSError as error:
            raise file_error(folder, "can't be used as a cache", error) from None
        yield Cache(folder, work)


def key_of(**parts: Any) -> str:
    """The hash of named parts: anything that JSON knows, mappings in any order."""
    text = json.dumps(parts, sort_keys=True, default=_as_json)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_hash(path: Path) -> str:
    """The hash of a file's bytes, or of all files of a folder with their names. Raises MediaError."""
    digest = hashlib.sha256()
    try:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(b"" if file == path else os.fsencode(str(file.relative_to(path))))
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK_BYTES):
                    digest.update(block)
    except OSError as error:
        raise file_error(path, "can't be read", error) from None
    return digest.hexdigest()


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
