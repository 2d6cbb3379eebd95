"""Folders for unfinished files. Each is held by the process that made it; the next run removes those that nobody holds.

A folder is held by a lock on a file in it, which the system drops when the process dies in whatever way: no clock
and no process number is asked. The name carries the machine: on a network file system some systems see only the locks of
their own machine, so that the folders of others are never touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from stcodec.media.locks import lock_file

_MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_OURS = re.compile(rf"\.?stcodec-{_MACHINE}-[0-9a-f]{{16}}")
_LOCK = ".stcodec-lock"
_held: set[Path] = set()


@contextlib.contextmanager
def temporary_folder(place: Path, *, is_hidden: bool = False) -> Iterator[Path]:
    """A new private folder, gone afterwards, as are those there that dead processes left. Raises OSError."""
    sweep(place)
    lock = None
    while lock is None:
        folder = place / f"{'.' if is_hidden else ''}stcodec-{_MACHINE}-{secrets.token_hex(8)}"
        _held.add(folder)
        try:
            folder.mkdir(0o700)
            lock = _hold(folder)
        except BaseException:
            _remove(folder)
            raise
    try:
        yield folder
    finally:
        os.close(lock)  # first: to remove a folder takes descriptors, which may be what is missing
        _remove(folder)


def sweep(place: Path) -> None:
    """Remove the folders of this user and this machine that no living process holds."""
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_dead(Path(entry.path))


def remove_held() -> None:
    """Remove the folders of this process, which ends at once."""
    for folder in list(_held):
        shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # rmtree takes two descriptors, of which there may be one left
        for name in os.listdir(folder):  # noqa: PTH208 (names: the folder is closed before they are used)
            (folder / name).unlink()
        folder.rmdir()
    _held.discard(folder)


def _hold(folder: Path) -> int | None:
    """The lock on a new folder; None if a sweep was quicker."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        lock_file(lock, waits=False)
        if os.fstat(lock).st_nlink:
            return lock
    except BlockingIOError:
        pass
    except OSError:  # the file system knows no locks: no one else can take it, either
        return lock
    os.close(lock)
    return None


def _remove_dead(folder: Path) -> None:
    with contextlib.suppress(OSError):
        flags = os.O_RDWR | os.O_CREAT
        if sys.platform != "win32":  # where the folder for temporary files is the user's own
            if folder.lstat().st_uid != os.geteuid():
                return
            flags |= os.O_NOFOLLOW
        lock = os.open(folder / _LOCK, flags, 0o600)
        try:
            lock_file(lock, waits=False)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
        if sys.platform == "win32":  # where a file that is open stays, and its folder with it
            shutil.rmtree(folder, ignore_errors=True)
