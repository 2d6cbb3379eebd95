"""Whether the program was told to end: the handler of a signal says so, and loops over frames, packets and tasks look.

Where stcodec is used as a library nothing says so here: Python raises KeyboardInterrupt by itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

POLL_SECONDS = 0.1
"""How long a wait may last before it looks again."""
requested = threading.Event()
"""Set when the program was told to end."""


@dataclass
class Ending:
    """The end of an interrupted program, as far as it has come."""

    seconds: float = 0.6
    """For the clean-up; after that the program ends without it."""
    said: str = "nothing unfinished was left behind"
    """What is true after the clean-up."""
    said_without: str = "nothing unfinished was left behind"
    """What is true without it; temporary files are removed in any case."""


ending = Ending()


def check() -> None:
    """Raise KeyboardInterrupt if the program was told to end."""
    if requested.is_set():
        raise KeyboardInterrupt
