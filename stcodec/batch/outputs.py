"""Names of finished files: what is there, and how a file takes its name."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from stcodec.batch.storage import Remote
from stcodec.batch.table import JobRow
from stcodec.errors import MediaError
from stcodec.media.locks import sync_folder
from stcodec.media.output import atomic_output, check_output, move
from stcodec.media.paths import display_name, file_error
from stcodec.work.cache import content_hash


def is_unchanged(target: Path, job: JobRow) -> bool:
    """True if the output is there as it was made: by size and time of change, and if only the time differs by its bytes."""
    try:
        size, changed = stamp(target)
        if size != job.output_bytes:
            return False
        return changed == job.output_mtime_ns or content_hash(target) == job.output_hash
    except (OSError, MediaError):
        return False


def stamp(path: Path) -> tuple[int, int]:
    """The size of a file and its time of change; of a folder, of all files in it together."""
    files = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    found = [one.stat() for one in files]
    return sum(one.st_size for one in found), max((one.st_mtime_ns for one in found), default=0)


def put(made: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file, or folder, its name, whole or not at all; folders are made. Raises MediaError.

    Without overwrite a file that appeared there meanwhile stays, too. `sync_folder` has to be called afterwards.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if made.is_dir():
            _move_folder(made, target, overwrite)
            return
        check_output(target, overwrite=overwrite)
        _move(made, target, overwrite)
    except FileExistsError as error:
        what = "exists already; -y replaces it" if error.filename2 else "a file is in the place of one of its folders"
        raise MediaError(f"{display_name(target)}: {what}", path=target) from None
    except OSError as error:
        raise file_error(target, "can't be written", error, "; nothing was left behind") from None


def put_in_place(made: Path, target: Path, source: Path, *, overwrite: bool) -> None:
    """Give a finished file the place of its source, which goes; they may have the same name. Raises MediaError."""
    try:
        status = source.stat()
        if sys.platform != "win32":
            with suppress(PermissionError):  # only root may give files away; whoever may not, owns the result
                os.chown(made, status.st_uid, status.st_gid)
        shutil.copystat(source, made)  # after the owner, whose change takes bits of the mode away
    except OSError as error:
        raise file_error(source, "can't be replaced", error) from None
    put(made, target, overwrite=overwrite or _is_same(target, source))
    with suppress(OSError):
        sync_folder(target.parent)  # before the source goes
    remove_replaced(source, target)


def remove_replaced(source: Path, target: Path) -> None:
    """Remove a source that something else is there for. Raises MediaError."""
    if _is_same(target, source):
        return
    try:
        source.unlink(missing_ok=True)
    except OSError as error:
        raise MediaError(
            f"{display_name(source)}: is replaced by {display_name(target)}, but stays ({error.strerror})", path=source
        ) from None


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _move_folder(made: Path, target: Path, overwrite: bool) -> None:
    """A folder takes its name; an older one goes to where it was made, and is removed with what is there."""
    if os.path.lexists(target):
        if not overwrite:
            raise MediaError(f"{display_name(target)}: exists already; -y replaces it", path=target)
        target.rename(made.with_name(made.name + ".old"))
    made.rename(target)


def _move(made: Path, target: Path, overwrite: bool) -> None:
    try:
        move(made, target, overwrite=overwrite)
    except OSError as error:
        if error.errno == errno.EXDEV:  # a folder of the output lies on another disk
            with atomic_output(target, overwrite=overwrite) as temporary:
                shutil.copy2(made, temporary)
        else:
            raise


class Results:
    """The folder that results go to: of this machine, or elsewhere."""

    def __init__(self, folder: Path, remote: Remote | None) -> None:
        """folder: of the job table, and of the results themselves unless they go to a remote one."""
        self._folder = folder
        self._remote = remote

    def name(self, below: Path) -> str:
        """Name of a result for people and programs."""
        return os.fspath(self._folder / below) if self._remote is None else f"{self._remote}/{below}"

    def full_name(self, below: Path) -> str:
        """A result's absolute path, which no program takes for an option, or its URL."""
        return os.path.abspath(self.name(below)) if self._remote is None else self.name(below)  # noqa: PTH100 (links stay)

    def has(self, below: Path) -> bool:
        """True if something has a name. Raises MediaError."""
        return os.path.lexists(self._folder / below) if self._remote is None else self._remote.has(below)

    def is_unchanged(self, job: JobRow) -> bool:
        """True if the output is there as it was made."""
        if self._remote is None:
            return is_unchanged(self._folder / job.output, job)
        try:
            size, changed = self._remote.stamp(job.output)
            if size != job.output_bytes:
                return False
            return changed == job.output_mtime_ns or self._remote.content(job.output) == job.output_hash
        except MediaError:
            return False

    def has_content(self, job: JobRow, content: str) -> bool:
        """True if what is there under a job's name is this."""
        if self._remote is None:
            target = self._folder / job.output
            return target.exists() and content_hash(target) == content
        return self._remote.has(job.output) and self._remote.content(job.output) == content

    def stamp(self, below: Path) -> tuple[int, int]:
        """Size and time of change. Raises OSError or MediaError."""
        return stamp(self._folder / below) if self._remote is None else self._remote.stamp(below)

    def put(self, made: Path, below: Path, *, overwrite: bool) -> None:
        """Give a finished file, or folder, its name. Raises MediaError."""
        if self._remote is None:
            if not self._folder.is_dir():
                raise MediaError(f"{display_name(self._folder)}: the output folder has vanished", path=self._folder)
            put(made, self._folder / below, overwrite=overwrite)
            return
        if not overwrite and self._remote.has(below):
            raise MediaError(f"{display_name(self.name(below))}: exists already; -y replaces it", path=self.name(below))
        self._remote.put(made, below)
        if self._remote.stamp(below)[0] < stamp(made)[0]:
            raise MediaError(f"{display_name(self.name(below))}: did not arrive whole", path=self.name(below))
        if made.is_dir():
            shutil.rmtree(made)
        else:
            made.unlink()

    def sync(self, below: Path) -> None:
        """The names in a result's folder are on the disk, too."""
        if self._remote is None:
            sync_folder((self._folder / below).parent)
