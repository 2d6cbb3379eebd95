"""Local file names, made safe for libav: a name is never read as a protocol or an option."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from stcodec.errors import OUT_OF_SPACE, MediaError, MissingFileError, NoSpaceError

VIDEO_ENDINGS = frozenset(
    {".mp4", ".mkv", ".mov", ".m4v", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".y4m", ".nut", ".ogv"}
)
"""Name endings that are taken for videos in a folder."""


def local_url(path: str | os.PathLike[str]) -> str:
    """The file as a libav URL. "http:x", "concat:a|b" or "-y" as a name mean the file of that name, nothing else."""
    text = os.fspath(path)
    if not text or "\0" in text:
        raise MediaError(f"{text!r} is not a file name")
    return f"file:{text}"


def free_name(path: Path) -> Path:
    """The path, or with -2, -3, ... behind its stem the first under which there is nothing."""
    others = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, 1000))
    return next((one for one in (path, *others) if not os.path.lexists(one)), path)


def check_input(path: str | os.PathLike[str]) -> Path:
    """Raise MediaError, with the reason in plain words, unless the path is a readable file with something in it."""
    local_url(path)
    file = Path(path)
    name = display_name(file)
    try:
        status = file.stat()
    except FileNotFoundError as error:
        raise MissingFileError(f"{name}: no such file", path=file, errno=error.errno) from None
    except OSError as error:
        raise file_error(file, "can't be read", error) from None
    if file.is_dir():
        raise MediaError(f"{name}: is a directory; give a video file (folders are not walked here)", path=file)
    if not file.is_file():
        raise MediaError(
            f"{name}: is a pipe or a device, and a file is read more than once; save it to a file first", path=file
        )
    if status.st_size == 0:
        raise MediaError(f"{name}: the file is empty (0 bytes)", path=file)
    if not os.access(file, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise MediaError(f"{name}: no permission to read it", path=file)
    return file


def file_error(path: str | os.PathLike[str] | None, what: str, error: Exception, advice: str = "") -> MediaError:
    """The error "PATH: WHAT (the reason that the system or libav gives)ADVICE", with its facts.

    path: None = a file that is no concern of the user's.
    """
    number: int | None = getattr(error, "errno", None)
    kind = NoSpaceError if number in OUT_OF_SPACE else MissingFileError if number == errno.ENOENT else MediaError
    reason = getattr(error, "strerror", None) or error
    name = "" if path is None else f"{display_name(path)}: "
    return kind(f"{name}{what} ({reason}){advice}", path=path, errno=number)


def display_name(path: str | os.PathLike[str]) -> str:
    """A name that can be printed on any terminal: control characters and undecodable bytes are escaped."""
    return _escaped(os.fspath(path), "")


def printable(text: str) -> str:
    """Text of several lines that can be printed on any terminal: as `display_name`, but tabs and line ends stay."""
    return _escaped(text, "\t\n")


def _escaped(text: str, kept: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(one if one.isprintable() or one in kept else one.encode("unicode_escape").decode("ascii") for one in text)
