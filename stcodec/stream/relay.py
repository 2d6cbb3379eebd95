"""SRT as a source: PyAV's wheel can't speak it, the ffmpeg program can. It hands on the bytes of MPEG-TS as they come."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from stcodec.stream.child import Child

_LOOK_SECONDS = 0.1


class SrtRelay:
    """A file object for av.open(..., format="mpegts"); the program behind it ends with it."""

    def __init__(self, url: str, stall_seconds: float, stopping: Callable[[], bool]) -> None:
        """stall_seconds: nothing for so long, and reading fails; stopping: whether it is all over. Raises MediaError."""
        self._stall = stall_seconds
        self._stopping = stopping
        self._is_over = False
        # As data, the program looks into nothing: no probing, no delay, no other times.
        read = ["-nostdin", "-nofind_stream_info", "-f", "data", "-i", url, "-map", "0", "-c", "copy"]
        self._child = Child([*read, "-flush_packets", "1", "-f", "data", "pipe:1"], url, writes=False)

    def read(self, size: int) -> bytes:
        """What has come, at least a byte; empty when stopping. Raises OSError when it stalls or the program ends."""
        fd, waited = self._child.pipe.fileno(), 0.0
        # libav asks again after an error: it is told once, or the first would be lost.
        while not self._is_over and not self._stopping():
            if select.select([fd], [], [], _LOOK_SECONDS)[0]:
                content = os.read(fd, size)
                if not content:
                    self._is_over = True
                    raise ConnectionError(self._child.reason())
                return content
            waited += _LOOK_SECONDS
            if waited >= self._stall:
                self._is_over = True
                raise TimeoutError(f"nothing came for {self._stall:g} s")
        return b""

    def close(self) -> None:
        """End the program."""
        self._child.close()
