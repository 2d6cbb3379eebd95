"""Every exception stcodec raises on purpose.

    StcodecError
    ├── MediaError        a file can't be read, decoded, copied or written
    │   ├── MissingFileError    it is not there
    │   └── NoSpaceError        the disk, or the user's share of it, is full
    ├── AttentionError    a source of attention can't be opened or gave an unusable map
    ├── OptionsError      a combination of options that can't work (also a ValueError)
    ├── EncoderError      the encoder refused its input, or offsets can't reach it
    ├── VerifyError       the result was read back and is not what was asked for
    ├── TargetError       a quality that was asked for can't be reached
    └── BatchError        a set of jobs can't go on

A message says what went wrong, the value, what is allowed and what to do. What a program may want to act on are attributes.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterable
from typing import Any

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk, or of a full share of it."""
OUT_OF_RESOURCES = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)
"""Error numbers of a system without memory, threads or file descriptors left: no file is to blame."""


class StcodecError(Exception):
    """Base of all errors that stcodec raises on purpose."""

    def __init__(
        self,
        message: str = "",
        *,
        path: str | os.PathLike[str] | None = None,
        errno: int | None = None,
        value: Any = None,
        allowed: Any = None,
    ) -> None:
        """path: the file it is about; errno: the system's reason; value, allowed: what was given, and what can be."""
        super().__init__(message)
        self.path = path
        self.errno = errno
        self.value = value
        self.allowed = allowed


class MediaError(StcodecError):
    """A media file can't be read, decoded, copied or written."""


class MissingFileError(MediaError):
    """A file is not there."""


class NoSpaceError(MediaError):
    """A file can't be written because the disk, or the user's share of it, is full."""


class AttentionError(StcodecError):
    """A source of attention can't be opened, or its maps can't be used."""


class OptionsError(StcodecError, ValueError):
    """An option, or a combination of options, that can't work."""


def check_range(
    name: str, value: float | None, low: float, high: float = math.inf, *, unit: str = "", note: str = ""
) -> None:
    """Raise OptionsError unless an option's value is from low to high, which NaN is not, or was not given (None)."""
    if value is not None and not low <= value <= high:
        allowed = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
        given = f"{value:g} {unit}" if unit else f"{value:g}"
        raise OptionsError(f"{name} is {given}: allowed is {allowed}{note}", value=value, allowed=(low, high))


def check_choice(name: str, value: str, allowed: Iterable[str], *, note: str = "") -> None:
    """Raise OptionsError unless an option's value is one of those that are allowed."""
    choices = tuple(allowed)
    if value not in choices:
        raise OptionsError(f"{name} is {value!r}: allowed are {', '.join(choices)}{note}", value=value, allowed=choices)


class EncoderError(StcodecError):
    """The encoder is missing, refused its input, or can't be given offsets."""


class VerifyError(StcodecError):
    """The finished file was read back and is not what was asked for."""


class TargetError(StcodecError):
    """A quality that was asked for can't be reached with this encoder and these options."""


class BatchError(StcodecError):
    """A set of jobs can't go on."""
