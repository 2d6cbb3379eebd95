"""`-` as a name: the video comes from a pipe, or goes to one.

A file is read more than once (its end is looked at, offsets are read back, a search tries parts of it), so that what comes
through a pipe is kept in a temporary file meanwhile, and what goes to one is checked before its first byte is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stcodec import interrupts
from stcodec.errors import MediaError, OptionsError
from stcodec.media.output import work_folder
from stcodec.media.paths import file_error

PIPE = "-"
_CHUNK_BYTES = 1 << 20


@contextmanager
def piped_input(name: str, *, says: bool) -> Iterator[str]:
    """The path of the input: the name itself, or for "-" a temporary file with all that stdin gives.

    says: tell so on stderr. Raises OptionsError for a terminal, MediaError if nothing comes or it can't be kept.
    """
    if name != PIPE:
        yield name
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise OptionsError("- reads the video from a pipe, and stdin is none: write `program | stcodec encode - OUT`")
    with work_folder() as folder:
        path = folder / "stdin"
        if says:
            print("stcodec: stdin is read to its end first: the video is read more than once", file=sys.stderr)
        try:
            with path.open("wb") as file:
                _copy(sys.stdin.buffer, file)
        except OSError as error:
            raise file_error(path, "can't keep what stdin gives", error, "; set TMPDIR to a folder with more room") from None
        if not path.stat().st_size:
            raise MediaError("stdin: nothing came: is the program before the pipe all right?")
        yield str(path)


@contextmanager
def piped_output(name: str, container: str | None) -> Iterator[str]:
    """The path of the output: the name itself, or for "-" a temporary file that goes to stdout after the block.

    container: "mkv" (what None means) or "mp4", for a pipe only. Raises OptionsError for a terminal.
    """
    if name != PIPE:
        yield name
        return
    if sys.stdout is None or sys.stdout.isatty():
        raise OptionsError("- writes the video to a pipe, and stdout is none: write `stcodec encode IN - | program`")
    with work_folder() as folder:
        path = folder / f"stdout.{container or 'mkv'}"
        yield str(path)
        try:
            with path.open("rb") as file:
                _copy(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise file_error(Path("stdout"), "can't be written", error) from None


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    while chunk := source.read(_CHUNK_BYTES):
        interrupts.check()
        target.write(chunk)
