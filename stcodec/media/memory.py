"""What the program's memory is made of."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of malloc.h."""
_LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Have pictures go back to the system when they are freed: glibc keeps up to 64 MB of them for each thread otherwise.

    For a program that makes few: each costs a mapping of its own. It does nothing where the C library isn't glibc.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
