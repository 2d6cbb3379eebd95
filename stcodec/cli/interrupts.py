"""Ctrl-C, SIGTERM and a closed terminal, wherever the program is when they come."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

_CLEAN_UP_SECONDS = 5.0
_AGAIN_SECONDS = 0.002


class Interrupts:
    """Signals raise KeyboardInterrupt, once: the next seconds belong to the clean-up.

    Python drops what is raised while it finalises an object, with a note on stderr; then the signal comes once more.
    """

    def __enter__(self) -> None:
        self._until = 0.0
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._unraisable
        self._before = {
            number: signal.signal(number, self._interrupt)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) != signal.SIG_IGN  # as nohup wants it
        }

    def __exit__(self, *_: object) -> None:
        if signal.SIGALRM in self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._hook

    def _interrupt(self, _: int, __: FrameType | None) -> None:
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + _CLEAN_UP_SECONDS
            raise KeyboardInterrupt

    def _unraisable(self, dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_value is not None and is_interrupt(dropped.exc_value):
            self._until = 0.0
            self._before.setdefault(signal.SIGALRM, signal.signal(signal.SIGALRM, self._interrupt))
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            self._hook(dropped)


def is_interrupt(error: BaseException) -> bool:
    """Whether it is a KeyboardInterrupt or was raised because of one, as by a lock given back that wasn't held yet."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, KeyboardInterrupt):
            return True
        chain = chain.__context__
    return False
