"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from stcodec.cleanup import afterwards
from stcodec.errors import MediaError
from stcodec.media.paths import display_name, file_error, local_url

_LONGEST_ENDING = 16


def check_output(
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    source: str | os.PathLike[str] | None = None,
    also_read: Sequence[str | os.PathLike[str]] = (),
) -> Path:
    """Raise MediaError unless a file can be written there without losing anything that was not to be lost.

    source, also_read: the input and the other files that are read; the output must be none of them.
    """
    local_url(path)
    target = Path(path)
    try:
        _check_place(target, overwrite, source)
        for other in also_read:
            if target.exists() and Path(other).exists() and target.samefile(other):
                raise MediaError(f"{display_name(target)}: is read for the attention too; give the output another name")
    except OSError as error:
        raise file_error(target, "can't be written", error) from None
    return target


def _check_place(target: Path, overwrite: bool, source: str | os.PathLike[str] | None) -> None:
    name = display_name(target)
    folder = target.parent
    if target.is_dir():
        raise MediaError(f"{name}: is a directory; give a file name inside it")
    if not folder.is_dir():
        raise MediaError(f"{name}: the folder {display_name(folder)} does not exist; make it first")
    if source is not None and target.exists() and target.samefile(source):
        raise MediaError(f"{name}: output and input are the same file; give another name")
    if os.path.lexists(target) and not overwrite:  # a link that leads nowhere is there, too
        raise MediaError(f"{name}: exists already; -y replaces it")
    if target.exists() and not target.is_file():
        raise MediaError(f"{name}: is no regular file")
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise MediaError(f"{name}: no permission to write in {display_name(folder)}")


@contextlib.contextmanager
def atomic_output(target: Path) -> Iterator[Path]:
    """A temporary name in the target's folder, with its ending; renamed to the target if the block ends well.

    If it does not, whatever was written is removed and the target is as it was.
    """
    # An ending may be as long as a name; then it means nothing to anyone, and would make this name too long.
    ending = target.suffix if len(target.suffix) <= _LONGEST_ENDING else ""
    temporary = target.parent / f"{_new_name('.')}{ending}"
    with afterwards(lambda: temporary.unlink(missing_ok=True)):
        try:
            temporary.touch(0o600, exist_ok=False)
        except OSError as error:
            raise file_error(target, "can't be written", error) from None
        yield temporary
        _finish(temporary, target)


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for a run's own files, gone afterwards. Raises MediaError if there is no place for one."""
    try:
        folder = Path(tempfile.gettempdir()) / _new_name()
    except OSError as error:
        raise _no_place(error) from None
    with afterwards(lambda: shutil.rmtree(folder, ignore_errors=True)):
        try:
            folder.mkdir(0o700)
        except OSError as error:
            raise _no_place(error) from None
        yield folder


def _new_name(start: str = "") -> str:
    """One that nothing has: 64 random bits."""
    return f"{start}stcodec-{secrets.token_hex(8)}"


def _no_place(error: OSError) -> MediaError:
    return MediaError(f"there is no place for temporary files ({error}): set TMPDIR to a folder")


def _finish(temporary: Path, target: Path) -> None:
    try:
        _like_a_new_file(temporary)
        _sync(temporary)
        temporary.replace(target)
    except OSError as error:
        raise file_error(target, "can't be written", error, "; nothing was left behind") from None


def _like_a_new_file(path: Path) -> None:
    """Unfinished files are private; the result has the permissions of any file that the user makes."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def _sync(path: Path) -> None:
    """On the disk before the rename, so that a power cut leaves the old file or the new one."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
