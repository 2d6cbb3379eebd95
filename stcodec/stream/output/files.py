"""Files of a stream's folder: their names, and how they are written and removed."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

GROWING = ".tmp"
"""Ending of the name of a file that is not whole yet."""
_DIGITS = 10


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is always whole for who reads it. Raises OSError and leaves what was there."""
    growing = path.with_name(path.name + GROWING)
    try:
        growing.write_bytes(content)
        growing.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            growing.unlink(missing_ok=True)
        raise


def first_number() -> int:
    """The number of a stream's first segment. Seconds since 1970: a name is never used twice, whatever caches hold."""
    return int(time.time())


def media_name(prefix: str) -> re.Pattern[str]:
    """The names of a stream's segments, their parts and heads."""
    return re.compile(rf"{re.escape(prefix)}\w+_([0-9]{{{_DIGITS}}}(\.[0-9]{{1,4}})?\.m4s|init[0-9]+\.mp4)")


def remove_old(folder: Path, prefix: str) -> None:
    """Remove the segments of an earlier stream of that name."""
    ours = media_name(prefix)
    for path in folder.iterdir():
        if ours.fullmatch(path.name.removesuffix(GROWING)):
            path.unlink(missing_ok=True)
