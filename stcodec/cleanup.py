"""What has to be done at the end in any case, also when an interrupt comes at the wrong moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def afterwards(clean_up: Callable[[], None]) -> Iterator[None]:
    """Do it when the block ends, and once more: an interrupt may come in the middle of it, but not twice.

    Enter the block before there is anything to clean up: between making something and noting it an interrupt may come, too.
    """
    try:
        try:
            yield
        finally:
            clean_up()
    finally:
        clean_up()
