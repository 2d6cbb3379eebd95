"""Ctrl-C, SIGTERM and a closed terminal: the command ends within a second, wherever it is, and leaves nothing unfinished.

It runs on a thread, so that the main thread, where Python handles signals, never waits for libav or a network.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from stcodec import interrupts

EXIT_INTERRUPTED = 130
if sys.platform == "win32":
    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGBREAK)
else:
    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_SECONDS = 0.25
"""Signals so close to the first are the same one: terminals and programs such as timeout(1) send it twice."""


def run(command: Callable[[], int]) -> int:
    """Run a command that looks at `interrupts`; its exit status. Off the main thread it is simply called."""
    if threading.current_thread() is not threading.main_thread():
        return command()
    results: list[int] = []
    errors: list[BaseException] = []
    has_ended = threading.Event()

    def work() -> None:
        try:
            results.append(command())
        except BaseException as error:  # raised to the caller below
            errors.append(error)
        finally:
            has_ended.set()

    interrupts.requested.clear()
    interrupts.ending = interrupts.Ending()
    first: list[float] = []

    def interrupt(_: int, __: FrameType | None) -> None:
        now = time.monotonic()
        if not first:
            first.append(now)
            interrupts.requested.set()
        elif now - first[0] > _SAME_SECONDS:
            _end_at_once()

    before = {
        number: signal.signal(number, interrupt) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN
    }  # which is as nohup wants it
    try:
        threading.Thread(target=work, name="stcodec-command", daemon=True).start()
        while not has_ended.wait(interrupts.POLL_SECONDS):
            if first and time.monotonic() - first[0] > interrupts.ending.seconds:
                _end_at_once()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for error in errors:
        if isinstance(error, KeyboardInterrupt):
            say(interrupts.ending.said)
            return EXIT_INTERRUPTED
        raise error
    return results[0]


def _end_at_once() -> None:
    """End the process, whatever its threads are at."""
    if "stcodec.media.temporary" in sys.modules:
        from stcodec.media.temporary import remove_held

        remove_held()
    say(interrupts.ending.said_without)
    os._exit(EXIT_INTERRUPTED)


def say(what: str) -> None:
    """The one line of an interrupted command; the cursor, which a progress bar hides, is shown again."""
    with contextlib.suppress(OSError):
        os.write(2, (b"\x1b[?25h\r\x1b[K" if os.isatty(2) else b"") + f"stcodec: interrupted; {what}\n".encode())
