"""stdout and stderr that don't end a command when nobody takes what it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TextIO, cast


@dataclass
class Lost:
    """Reason why some of stdout was lost."""

    error: OSError | None = None


class _Forgiving:
    """A stream that after an error takes everything and keeps nothing."""

    def __init__(self, stream: TextIO, lost: Lost) -> None:
        self._stream = stream
        self._lost = lost

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

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
