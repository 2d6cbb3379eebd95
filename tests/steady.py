"""Runs in real time, on a machine that may stand still: virtual ones do, for up to a second, all their processes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

FREEZE_SECONDS = 0.1
"""A process with nothing to do that wakes so late was kept from it by the machine."""
_TRIES = 8
_WATCH = """
import select, sys, time
longest, last = 0.0, time.monotonic()
while not select.select([sys.stdin], [], [], 0.01)[0]:
    now = time.monotonic()
    longest, last = max(longest, now - last - 0.01), now
print(max(longest, time.monotonic() - last - 0.01))
"""
_Found = TypeVar("_Found")


def undisturbed(run: Callable[[], _Found]) -> _Found:
    """What a run in real time came to when the machine did not stand still meanwhile; it is run anew until then.

    A process of its own watches, so that what holds up the run itself is no excuse. After some tries the last one counts,
    whatever the machine did.
    """
    for _ in range(_TRIES - 1):
        with subprocess.Popen(
            [sys.executable, "-c", _WATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as watch:
            try:
                found, error = run(), None
            except BaseException as raised:
                error = raised
            longest = float(watch.communicate("")[0])
        if longest < FREEZE_SECONDS:
            if error is not None:
                raise error
            return found
    return run()
