"""Still pictures on disk: a folder of them, a numbered sequence, or one."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import av
from av.error import FFmpegError

from stcodec.errors import MediaError
from stcodec.media.luma import LumaReader
from stcodec.media.paths import check_input, display_name, file_error, local_url
from stcodec.types import FloatArray

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp"})
"""File name endings, in lower case, that are taken for pictures."""


def find_pictures(path: str | os.PathLike[str]) -> list[Path] | None:
    """The pictures that a path stands for, in order; None if it is another kind of file.

    A folder stands for the pictures in it, in the order of their names, numbers in them counted as numbers. A path
    that does not exist and whose last part holds one `%d` or `%04d` stands for the numbered files, gaps allowed.
    Raises MediaError if there is no such file or no picture.
    """
    local_url(path)
    file = Path(path)
    if file.is_dir():
        return _in_folder(file)
    if not file.exists() and (pattern := _as_pattern(file.name)) is not None:
        return _numbered(file, pattern)
    check_input(path)
    return [file] if file.suffix.lower() in SUFFIXES else None


def read_picture(path: Path, luma: LumaReader) -> FloatArray:
    """The luma of a picture, [h, w] float32 in [0, 1]. Raises MediaError."""
    try:
        # The bytes, not the name: libav takes some names of pictures for patterns ("%d", "*").
        with av.open(io.BytesIO(check_input(path).read_bytes()), "r", metadata_errors="replace") as container:
            frame = next(container.decode(video=0), None) if container.streams.video else None
    except (FFmpegError, OSError) as error:
        raise file_error(path, "not a picture that can be read", error) from None
    if frame is None:
        raise MediaError(f"{display_name(path)}: not a picture (it holds no image)")
    return luma(frame)


def _in_folder(folder: Path) -> list[Path]:
    found = [one for one in _listing(folder) if one.suffix.lower() in SUFFIXES and not one.name.startswith(".")]
    if not found:
        kinds = " ".join(sorted(SUFFIXES))
        raise MediaError(f"{display_name(folder)}: the folder holds no picture (looked for {kinds})")
    return sorted(found, key=lambda one: [int(part) if part.isdecimal() else part for part in _split(one.name)])


def _numbered(file: Path, pattern: re.Pattern[str]) -> list[Path]:
    matches = [(int(match[1]), one) for one in _listing(file.parent) if (match := pattern.fullmatch(one.name))]
    if not matches:
        raise MediaError(
            f"{display_name(file)}: no such file, and as a pattern for numbered pictures it matches nothing in "
            f"{display_name(file.parent)}"
        )
    return [one for _, one in sorted(matches)]


def _as_pattern(name: str) -> re.Pattern[str] | None:
    """A regular expression for a name with one %d, %4d or %04d in it ("%%" is a percent sign)."""
    parts = re.split(r"%0?(\d*)d", name.replace("%%", "\0"))
    if len(parts) != 3:
        return None
    before, digits, after = (part.replace("\0", "%") for part in parts)
    number = rf"([0-9]{{{int(digits or 1)},}})"
    return re.compile(re.escape(before) + number + re.escape(after), re.DOTALL)


def _listing(folder: Path) -> list[Path]:
    try:
        return [one for one in folder.iterdir() if one.is_file()]
    except OSError as error:
        raise file_error(folder, "the folder can't be read", error) from None


def _split(name: str) -> list[str]:
    """Text and numbers by turns, text first, so that names can be compared part by part."""
    return re.split(r"([0-9]+)", name)
