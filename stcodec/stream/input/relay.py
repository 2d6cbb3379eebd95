"""Pipes that libav reads: stdin, and the ffmpeg program for sources that PyAV's wheel can't open (SRT, cameras)."""

from __future__ import annotations

import math
import os
import select
import sys
from collections.abc import Callable
from typing import Any

import ffmpeg

from stcodec.errors import MediaError
from stcodec.media.paths import display_name
from stcodec.stream.address import Address
from stcodec.stream.ffmpeg_process import FfmpegProcess

_LOOK_SECONDS = 0.1
_COPY_VIDEO = {"c": "copy", "flush_packets": "1"}
_COPY = {"map": "0", **_COPY_VIDEO}


class PipeReader:
    """File object for av.open that gives up when nothing comes or when told to stop."""

    def __init__(
        self, fd: int, stopping: Callable[[], bool], stall_seconds: float = math.inf, *, begins_late: bool = False
    ) -> None:
        """stopping: whether it is all over; stall_seconds: nothing for so long, and reading fails; begins_late: the first
        bytes may take as long as they like.
        """
        self._fd = fd
        self._stopping = stopping
        self._stall = stall_seconds
        self._is_over = False
        self._has_begun = not begins_late

    def read(self, size: int) -> bytes:
        """Read at least a byte; empty at the end and when stopping. Raises OSError on a stall."""
        waited = 0.0
        # Windows doesn't tell of pipes whether anything is there: the read waits.
        # libav asks again after an error: it is told once, or the first would be lost.
        while not self._is_over and not self._stopping():
            if sys.platform == "win32" or select.select([self._fd], [], [], _LOOK_SECONDS)[0]:
                content = os.read(self._fd, size)
                if not content:
                    self._is_over = True
                    self.ended()
                self._has_begun = True
                return content
            waited += _LOOK_SECONDS
            if waited >= self._stall and self._has_begun:
                self._is_over = True
                raise TimeoutError(f"nothing came for {self._stall:g} s")
        return b""

    def ended(self) -> None:
        """Handle the end of the pipe. Raises OSError if it is an error."""

    def close(self) -> None:
        """Do nothing: the pipe belongs to its maker."""


class Relay(PipeReader):
    """Output of the ffmpeg program; closing it ends the program."""

    def __init__(
        self,
        output: Any,
        hide: Callable[[str], str],
        stall_seconds: float,
        stopping: Callable[[], bool],
        *,
        begins_late: bool = False,
    ) -> None:
        """output: ffmpeg-python's node, into "pipe:1"; hide: makes what the program says fit to be shown.

        Raises MediaError if there is no program.
        """
        self._program = FfmpegProcess(output, hide, writes=False)
        super().__init__(self._program.pipe.fileno(), stopping, stall_seconds, begins_late=begins_late)

    def ended(self) -> None:
        """Raise: the program ends only when the source is lost."""
        raise ConnectionError(self._program.reason())

    @property
    def process_id(self) -> int:
        """Process id of the program."""
        return self._program.process.pid

    def close(self) -> None:
        """End the program."""
        self._program.close()


def srt_relay(address: Address, stall_seconds: float, stopping: Callable[[], bool]) -> Relay:
    """SRT as bytes of MPEG-TS. Read as data: no probing, no delay, unchanged timestamps. A caller is waited for."""
    source = ffmpeg.input(os.fsencode(address.url), f="data", nofind_stream_info=None)
    output = source.output("pipe:1", f="data", **_COPY)
    return Relay(output, address.hide, stall_seconds, stopping, begins_late=address.listens({}))


def device_relay(
    kind: str, place: str, options: dict[str, str], stall_seconds: float, stopping: Callable[[], bool]
) -> Relay:
    """Frames of a device, copied into NUT. Raises MediaError for an option that is no device's."""
    if refused := options.keys() & {"f", "format", "filename"}:
        raise MediaError(f"{kind}:{display_name(place)}: {min(refused)} is no option of a device")
    # ffmpeg-python takes video_size as two numbers only; -s is the same, in ffmpeg's words.
    given = {"s" if key == "video_size" else key: value for key, value in options.items()}
    source = ffmpeg.input(os.fsencode(place), f=kind, **given)
    return Relay(source["v:0"].output("pipe:1", f="nut", **_COPY_VIDEO), display_name, stall_seconds, stopping)
