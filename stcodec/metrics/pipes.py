"""Several pipes to one process, written side by side without threads."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from stcodec.errors import MediaError
from stcodec.media.paths import file_error

if sys.platform == "linux":
    import fcntl

_CAPACITY_BYTES = 1 << 20
PATIENCE_SECONDS = 300.0
"""A process that takes nothing for so long is stuck."""


class PipeWriter:
    """A pipe whose other end a process is to read.

    Raises MediaError if no more files can be opened, and on Windows, where a process gets no pipes but its three.
    """

    def __init__(self) -> None:
        try:
            self.reading_end, self.writing_end = os.pipe()
        except OSError as error:
            raise file_error(None, "no pipe can be opened", error, ": raise the limit of open files") from None
        self._open = {self.reading_end, self.writing_end}
        if sys.platform == "win32":
            self.started()
            self.close()
            raise MediaError(
                "VMAF, XPSNR and CAMBI can't be measured on Windows, whose processes get no pipes but three: choose other "
                "metrics, or use WSL"
            )
        os.set_blocking(self.writing_end, False)
        if sys.platform == "linux":  # elsewhere a pipe is as large as it is
            with contextlib.suppress(OSError):  # more than this user may have: slower, but as good
                fcntl.fcntl(self.writing_end, fcntl.F_SETPIPE_SZ, _CAPACITY_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.started()
        self.close()

    @property
    def is_open(self) -> bool:
        """True until `close`."""
        return self.writing_end in self._open

    def started(self) -> None:
        """The process runs and has its end: let go of that one here, so that its death is noticed."""
        self._close(self.reading_end)

    def close(self) -> None:
        """Tell the process that this is all."""
        self._close(self.writing_end)

    def _close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)


def write_all(work: Sequence[tuple[PipeWriter, Sequence[memoryview]]], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Write each pipe its buffers of bytes, in whatever order the process reads the pipes: so neither can wait for ever.

    Raises ValueError for a pipe that was closed, BrokenPipeError if the process closes one, TimeoutError if it takes
    nothing for so many seconds.
    """
    if sys.platform == "win32":
        raise ValueError("there are no such pipes on Windows")
    if not all(pipe.is_open for pipe, _ in work):
        raise ValueError("nothing can be written after the end")
    left = {pipe.writing_end: [view for view in buffers if len(view)] for pipe, buffers in work}
    poll = select.poll()
    for end in left:
        poll.register(end, select.POLLOUT)
    while any(left.values()):
        ready = poll.poll(patience_seconds * 1000)
        if not ready:
            raise TimeoutError(f"it took no frame for {patience_seconds:g} s")
        for end, _ in ready:
            if _write_some(end, left[end]):
                poll.unregister(end)


def _write_some(end: int, buffers: list[memoryview]) -> bool:
    """Write what the pipe takes and drop it from the buffers; True when nothing is left."""
    with contextlib.suppress(BlockingIOError):
        while buffers:
            buffers[0] = buffers[0][os.write(end, buffers[0]) :]
            if not len(buffers[0]):
                del buffers[0]
    return not buffers
