"""Local file names, made safe for libav: a name is never read as a protocol or an option."""

from __future__ import annotations

import os
from pathlib import Path

from stcodec.errors import MediaError

VIDEO_ENDINGS = frozenset(
    {".mp4", ".mkv", ".mov", ".m4v", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".y4m", ".nut", ".ogv"}
)
"""What is taken for a video in a folder."""


def local_url(path: str | os.PathLike[str]) -> str:
    """The file as a libav URL. "http:x", "concat:a|b" or "-y" as a name mean the file of that name, nothing else."""
    text = os.fspath(path)
    if not text or "\0" in text:
        raise MediaError(f"{text!r} is not a file name")
    return f"file:{text}"


def check_input(path: str | os.PathLike[str]) -> Path:
    """Raise MediaError, with the reason in plain words, unless the path is a readable file with something in it."""
    local_url(path)
    file = Path(path)
    name = display_name(file)
    try:
        status = file.stat()
    except FileNotFoundError:
        raise MediaError(f"{name}: no such file") from None
    except OSError as error:
        raise MediaError(f"{name}: can't be read ({error.strerror})") from None
    if file.is_dir():
        raise MediaError(f"{name}: is a directory; give a video file (folders are not walked here)")
    if not file.is_file():
        raise MediaError(f"{name}: is a pipe or a device, and a file is read more than once; save it to a file first")
    if status.st_size == 0:
        raise MediaError(f"{name}: the file is empty (0 bytes)")
    if not os.access(file, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise MediaError(f"{name}: no permission to read it")
    return file


def display_name(path: str | os.PathLike[str]) -> str:
    """A name that can be printed on any terminal: control characters and undecodable bytes are escaped."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
