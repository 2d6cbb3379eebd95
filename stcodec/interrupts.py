"""Whether the program was told to end: the handler of a signal says so, and loops over frames, packets and tasks look.

Where stcodec is used as a library nothing says so here: Python raises KeyboardInterrupt by itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

POLL_SECONDS = 0.1
"""How long a wait may last before it looks again."""
PATIENCE_SECONDS = 0.6
requested = threading.Event()
"""Set when the program was told to end."""


@dataclass
class Patience:
    """How long the clean-up may take before the program ends without it."""

    seconds: float = PATIENCE_SECONDS


patience = Patience()


def check() -> None:
    """Raise KeyboardInterrupt if the program was told to end."""
    if requested.is_set():
        raise KeyboardInterrupt
