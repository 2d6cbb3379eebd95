"""What has to be done to its end, also when an interrupt comes at the wrong moment.

An interrupt is raised in the main thread, wherever that is: also in the middle of a clean-up, between making something and
noting that it was made, or inside a lock that is written in Python.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue


@contextlib.contextmanager
def afterwards(clean_up: Callable[[], None]) -> Iterator[None]:
    """Do it when the block ends, and once more: an interrupt may come in the middle of it, but not twice.

    Enter the block before there is anything to clean up.
    """
    try:
        try:
            yield
        finally:
            clean_up()
    finally:
        clean_up()


class Unbroken:
    """Something that is done once, on a thread of its own: an interrupt breaks off the wait for it, and nothing else.

    Call it again to wait again. What it raises is raised by each call.
    """

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._lock = threading.Lock()
        """Held while it is being done."""
        self._is_done = False
        self._error: BaseException | None = None

    def __call__(self) -> None:
        has_begun: SimpleQueue[None] = SimpleQueue()
        # A threading.Thread waits for its begin with a lock in Python, which an interrupt could leave locked.
        _thread.start_new_thread(self._run, (has_begun,))
        has_begun.get()
        with self._lock:
            pass
        if self._error is not None:
            raise self._error

    def _run(self, has_begun: SimpleQueue[None]) -> None:
        with self._lock:
            has_begun.put(None)
            if not self._is_done:
                self._is_done = True
                try:
                    self._do()
                except BaseException as error:  # carried to whoever waits
                    self._error = error
