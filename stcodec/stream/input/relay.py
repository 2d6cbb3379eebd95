"""What libav reads from a pipe: stdin, and the ffmpeg program where PyAV's wheel can't speak to a source (SRT, cameras)."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable, Sequence

from stcodec.stream.child import Child

_LOOK_SECONDS = 0.1


class PipeReader:
    """A file object for av.open that can be left alone: it gives up when nothing comes, or when told to stop."""

    def __init__(self, fd: int, stopping: Callable[[], bool], stall_seconds: float = math.inf) -> None:
        """stopping: whether it is all over; stall_seconds: nothing for so long, and reading fails."""
        self._fd = fd
        self._stopping = stopping
        self._stall = stall_seconds
        self._is_over = False

    def read(self, size: int) -> bytes:
        """What has come, at least a byte; empty at the end and when stopping. Raises OSError when it stalls."""
        waited = 0.0
        # libav asks again after an error: it is told once, or the first would be lost.
        while not self._is_over and not self._stopping():
            if select.select([self._fd], [], [], _LOOK_SECONDS)[0]:
                content = os.read(self._fd, size)
                if not content:
                    self._is_over = True
                    self.ended()
                return content
            waited += _LOOK_SECONDS
            if waited >= self._stall:
                self._is_over = True
                raise TimeoutError(f"nothing came for {self._stall:g} s")
        return b""

    def ended(self) -> None:
        """The pipe was closed on the other side. Raises OSError if that is no good end."""

    def close(self) -> None:
        """Let go; the pipe belongs to whoever made it."""


class Relay(PipeReader):
    """The output of the ffmpeg program, which ends with this."""

    def __init__(self, arguments: Sequence[str], url: str, stall_seconds: float, stopping: Callable[[], bool]) -> None:
        """Raises MediaError if there is no program."""
        self._child = Child(["-nostdin", *arguments, "pipe:1"], url, writes=False)
        super().__init__(self._child.pipe.fileno(), stopping, stall_seconds)

    def ended(self) -> None:
        """It ends only when the source is lost."""
        raise ConnectionError(self._child.reason())

    @property
    def process_id(self) -> int:
        """Of the program."""
        return self._child.process.pid

    def close(self) -> None:
        """End the program."""
        self._child.close()


def srt_relay(url: str, stall_seconds: float, stopping: Callable[[], bool]) -> Relay:
    """The bytes of MPEG-TS as they come. As data, the program looks into nothing: no probing, no delay, no other times."""
    read = ["-nofind_stream_info", "-f", "data", "-i", url, "-map", "0", "-c", "copy"]
    return Relay([*read, "-flush_packets", "1", "-f", "data"], url, stall_seconds, stopping)


def device_relay(
    form: str, place: str, options: dict[str, str], stall_seconds: float, stopping: Callable[[], bool]
) -> Relay:
    """Pictures of a device as it gives them, in NUT."""
    given = [word for key, value in options.items() for word in (f"-{key}", value)]
    read = ["-f", form, *given, "-i", place, "-map", "0:v:0", "-c", "copy"]
    return Relay([*read, "-flush_packets", "1", "-f", "nut"], place, stall_seconds, stopping)
