"""stdout and stderr of a command: they don't end it when nobody takes what it prints, and control no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO, cast

from stcodec.media.paths import printable


@dataclass
class Lost:
    """Reason why some of stdout was lost."""

    error: OSError | None = None


class _Forgiving:
    """A stream that after an error takes everything and keeps nothing.

    Control characters come out escaped: names, tags and messages of others may hold them.
    """

    def __init__(self, stream: TextIO, lost: Lost, *, escapes: bool = True) -> None:
        self._stream = stream
        self._lost = lost
        self._escapes = escapes

    def for_drawing(self) -> _Forgiving:
        """The same stream without escaping."""
        return _Forgiving(self._stream, self._lost, escapes=False)

    def write(self, text: str) -> int:
        shown = printable(text) if self._escapes else text
        encoding = self._stream.encoding or "utf-8"  # what it can't say comes out escaped, too
        try:
            self._stream.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._give_up(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        self._lost.error = self._lost.error or error
        with suppress(OSError, ValueError):  # what is still in its buffer must not fail once more
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def for_drawing(stream: TextIO) -> TextIO:
    """The stream for who moves the cursor and sets colours, and escapes what comes from others himself."""
    return cast(TextIO, stream.for_drawing()) if isinstance(stream, _Forgiving) else stream


@contextmanager
def forgiving_streams() -> Iterator[Lost]:
    """Keep sys.stdout and sys.stderr from raising OSError; yields the reason if output was lost, once it was flushed."""
    before, lost = (sys.stdout, sys.stderr), Lost()
    sys.stdout, sys.stderr = cast(TextIO, _Forgiving(before[0], lost)), cast(TextIO, _Forgiving(before[1], Lost()))
    try:
        yield lost
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
