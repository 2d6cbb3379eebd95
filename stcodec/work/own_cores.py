"""Cores for a task alone, where nobody hands them out: encoders start as many threads as they may use cores."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stcodec.media.locks import lock_file

LOCKS = Path("/tmp")
"""Place of the folder of locks."""


@contextmanager
def own_cores(number: int, locks: Path = LOCKS) -> Iterator[None]:
    """Reserve so many cores for this thread, which nobody else who asks so has; all if there are none left."""
    if sys.platform != "linux":  # elsewhere a thread has no cores of its own
        yield
        return
    usable = os.sched_getaffinity(0)
    taken = free_cores(sorted(usable), number, locks)
    try:
        if taken is not None:
            os.sched_setaffinity(0, taken[0])
        yield
    finally:
        if taken is not None:
            os.sched_setaffinity(0, usable)
            taken[1].close()


def free_cores(usable: list[int], number: int, locks: Path = LOCKS) -> tuple[list[int], IO[bytes]] | None:
    """The first group of cores that nobody has, and the lock on it, to be closed; None if there is none."""
    if sys.platform == "win32":
        return None
    folder = locks / f"stcodec-cores-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours_alone(folder):
            return None
        for start in range(0, len(usable) - number + 1, number):
            lock = (folder / str(usable[start])).open("wb")
            try:
                lock_file(lock.fileno(), waits=False)
            except BlockingIOError:
                lock.close()
                continue
            return usable[start : start + number], lock
    return None


def _is_ours_alone(folder: Path) -> bool:
    """True if nobody else can put anything there: in a place that all users share, the name may have been taken."""
    if sys.platform == "win32":
        return False
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
