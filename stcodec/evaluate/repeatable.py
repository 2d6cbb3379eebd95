"""Encodes that come out alike whatever a process did before them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PERTURB = -6
"""M_PERTURB of mallopt(3): new memory is filled with the complement of a byte, freed memory with the byte."""
_ZERO_WHEN_NEW = 0xFF


@contextmanager
def zeroed_memory() -> Iterator[None]:
    """New memory is all zero in the block, where the C library is glibc.

    The AVX-512 code of x264's macroblock tree reads memory before it is written, so that the bits of an encode hang on what
    was there: by about 1 % of a small clip, on one thread, from one encode of a process to the next.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    mallopt(_PERTURB, _ZERO_WHEN_NEW)
    try:
        yield
    finally:
        mallopt(_PERTURB, 0)
