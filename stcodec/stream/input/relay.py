"""What libav reads from a pipe: stdin, and the ffmpeg program where PyAV's wheel can't speak to a source (SRT, cameras)."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable
from typing import Any

import ffmpeg

from stcodec.errors import MediaError
from stcodec.media.paths import display_name
from stcodec.stream.child import Child

_LOOK_SECONDS = 0.1
_COPY_VIDEO = {"c": "copy", "flush_packets": "1"}
_COPY = {"map": "0", **_COPY_VIDEO}


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

    def __init__(self, output: Any, url: str, stall_seconds: float, stopping: Callable[[], bool]) -> None:
        """output: ffmpeg-python's node, into "pipe:1". Raises MediaError if there is no program."""
        self._child = Child(output, url, writes=False)
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
    source = ffmpeg.input(os.fsencode(url), f="data", nofind_stream_info=None)
    return Relay(source.output("pipe:1", f="data", **_COPY), url, stall_seconds, stopping)


def device_relay(
    kind: str, place: str, options: dict[str, str], stall_seconds: float, stopping: Callable[[], bool]
) -> Relay:
    """Pictures of a device as it gives them, in NUT. Raises MediaError for an option that is no device's."""
    if refused := options.keys() & {"f", "format", "filename"}:
        raise MediaError(f"{kind}:{display_name(place)}: {min(refused)} is no option of a device")
    # ffmpeg-python takes video_size as two numbers only; -s is the same, in ffmpeg's words.
    given = {"s" if key == "video_size" else key: value for key, value in options.items()}
    source = ffmpeg.input(os.fsencode(place), f=kind, **given)
    return Relay(source["v:0"].output("pipe:1", f="nut", **_COPY_VIDEO), place, stall_seconds, stopping)
