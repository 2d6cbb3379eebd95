"""Locks on open files, which the system drops when the process dies in whatever way, and files that are on the disk."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _LOOK_SECONDS = 0.05

    def lock_file(descriptor: int, *, waits: bool) -> None:
        """Take the lock on a file. Raises BlockingIOError if another has it and this one doesn't wait."""
        while True:
            try:
                os.lseek(descriptor, 0, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return
            except PermissionError:
                if not waits:
                    raise BlockingIOError("another process holds the lock") from None
                time.sleep(_LOOK_SECONDS)
else:
    import fcntl

    def lock_file(descriptor: int, *, waits: bool) -> None:
        """Take the lock on a file. Raises BlockingIOError if another has it and this one doesn't wait."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))


def sync_file(path: Path) -> None:
    """The content of a file is on the disk when this returns. Raises OSError."""
    with path.open("r+b" if sys.platform == "win32" else "rb") as file:  # there only a writer may ask for it
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk, too; Windows sees to that itself. Raises OSError."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
