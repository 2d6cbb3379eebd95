"""KeyboardInterrupt raised at one chosen place of a run: wherever CPython looks for signals that have come in."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

Place = tuple[str, str, int]
"""File, function, offset of the instruction that is next."""

_ROOT = Path(__file__).parents[1] / "stcodec"
_STANDARD = ("threading.py", "contextlib.py", "tempfile.py", "thread.py", "queue.py", "pathlib.py")
_LOOKS = {
    dis.opmap[name]
    for name in ("CALL", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD", "SEND", "YIELD_VALUE")
    if name in dis.opmap
}
"""Instructions after which signals are looked for."""


class Interruption:
    """Trace a run: where it could be interrupted; at one place it is."""

    def __init__(self, at: Place | None = None) -> None:
        self.at = at
        self.places: dict[Place, None] = {}
        """In the order in which they are come to first."""
        self.has_come = False
        self._before: dict[int, int] = {}

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Of this thread."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        code = frame.f_code
        if not _is_watched(code.co_filename):
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            self._before.pop(id(frame), None)
        elif event == "opcode":
            before = self._before.get(id(frame))
            self._before[id(frame)] = frame.f_lasti
            if before is not None and _is_place(code, before, frame.f_lasti):
                self._come_to((code.co_filename, code.co_qualname, frame.f_lasti))
        return self._trace

    def _come_to(self, place: Place) -> None:
        if place not in self.places:
            self.places[place] = None
            if place == self.at:
                self.has_come = True
                raise KeyboardInterrupt


@cache
def _is_watched(file: str) -> bool:
    return Path(file).is_relative_to(_ROOT) or Path(file).name in _STANDARD


@cache
def _is_place(code: CodeType, before: int, now: int) -> bool:
    """Whether a signal is looked for between two instructions, and would go to the same handler from either."""
    return code.co_code[before] in _LOOKS and _handler(code, before) == _handler(code, now)


def _handler(code: CodeType, offset: int) -> tuple[int, int] | None:
    found = None
    table: Any = dis.Bytecode(code)
    for entry in table.exception_entries:
        if entry.start <= offset < entry.end:
            found = entry.target, entry.depth
    return found
