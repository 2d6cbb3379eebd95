"""Memory that a process keeps when it has freed it."""

from __future__ import annotations

import numpy as np

_FREED_BYTES = 31 << 20
"""Of blocks below 32 MiB glibc learns, as soon as one is freed, that such memory is better kept."""


def keep_freed_memory() -> None:
    """Have glibc keep what arrays of whole pictures free, up to some 60 MiB; elsewhere this does nothing.

    Otherwise it is given back with every picture and asked for again with the next, page by page, which takes as long as
    the arithmetic does.
    """
    np.empty(_FREED_BYTES, np.uint8)
