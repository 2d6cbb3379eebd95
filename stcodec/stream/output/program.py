"""Targets reached by the ffmpeg program: RTMP, RTSP, SRT. It copies packets; nothing is encoded again.

A process of its own, because libavformat connects and ends while it holds Python's lock: a server that does not answer
would stop every thread of this one, the encoders first. PyAV's wheel has no SRT, besides.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

import ffmpeg

from stcodec.stream.ffmpeg_process import FfmpegProcess
from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.muxed import ByteSender, FragmentWriter
from stcodec.stream.output.sinks import STALL_SECONDS, PipeSink
from stcodec.stream.packet import Tracks

_READ = {
    **{"f": "mp4", "fflags": "nobuffer"},
    **{"probesize": 32, "analyzeduration": 0, "nofind_stream_info": None},
}
_COPY = {
    **{"map": 0, "c": "copy", "copyts": None, "map_metadata": -1},
    **{"max_interleave_delta": 200000, "flush_packets": 1},
}
_FORMATS: dict[str, dict[str, object]] = {
    "rtmp": {"f": "flv", "flvflags": "no_duration_filesize"},
    "rtsp": {"f": "rtsp", "rtsp_transport": "tcp"},
    "srt": {
        **{"f": "mpegts", "mpegts_flags": "+initial_discontinuity", "pes_payload_size": 0, "omit_video_pes_length": 0},
        **{"muxdelay": 0.1, "muxpreload": 0},
    },
}
_PROGRESS = ("-progress", "pipe:2", "-stats_period", "0.25")
_END_SECONDS = 5.0
_SRT_LINGER_SECONDS = 0.3
"""A receiver of SRT forgets what it still holds back (120 ms by default) when the sender hangs up."""


class ProgramSink(PipeSink):
    """The program's stdin. Raises OSError with what it said when it has ended."""

    def __init__(self, output: Any, hide: Callable[[str], str], answers_within: float | None) -> None:
        """output: ffmpeg-python's node, from "pipe:0"; hide: makes what the program says fit to be shown.

        answers_within: seconds in which the other side must take a frame; None = it comes when it comes.
        """
        self.program = FfmpegProcess(output, hide, writes=True)
        super().__init__(self.program.pipe.fileno(), answers_within)
        self._answers_within = answers_within
        self._began = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Whether a frame has gone through."""
        return self.program.frames > 0

    def write(self, content: bytes) -> int:
        """Write all of it."""
        if self.is_connected:
            self.stall_seconds = STALL_SECONDS
        elif self._answers_within is not None and time.monotonic() - self._began > self._answers_within:
            raise TimeoutError(f"no answer for {self._answers_within:g} s")
        try:
            return super().write(content)
        except BrokenPipeError:
            raise OSError(self.program.reason()) from None

    def finish(self, linger_seconds: float) -> None:
        """Let the program send the rest and end. Raises OSError if it fails."""
        time.sleep(linger_seconds)
        with contextlib.suppress(BrokenPipeError):
            self.program.pipe.close()
        try:
            if self.program.process.wait(_END_SECONDS) != 0:
                raise OSError(self.program.reason())
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"it did not end within {_END_SECONDS:g} s") from None

    def close(self) -> None:
        """End the program at once."""
        self.program.close()

    def interrupt(self) -> None:
        super().interrupt()
        self.program.kill()


class ProgramSender(ByteSender):
    """Packets for the program, as MP4 frame by frame: it holds exact times and headers, and the program needn't guess."""

    def __init__(self, target: TargetAddress) -> None:
        super().__init__(self._start, FragmentWriter, target.rendition)
        self._target = target
        self._program: ProgramSink | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the program, which connects when the first packet comes, has passed on a frame."""
        return self._is_open and self._program is not None and self._program.is_connected

    def change(self, tracks: Tracks) -> None:
        """A new connection: most servers take no other head in the old one."""
        self.close()
        self.open(tracks)

    def close(self) -> None:
        """Send the rest and end the program."""
        try:
            self._end()
            if self._program is not None:
                self._program.finish(_SRT_LINGER_SECONDS if self._target.kind == "srt" else 0.0)
        finally:
            self.abandon()

    def _start(self) -> ProgramSink:
        target = self._target
        within = None if target.network is not None and target.network.listens({}) else STALL_SECONDS
        output = ffmpeg.input("pipe:0", **_READ).output(target.url, **_COPY, **_FORMATS[target.kind])
        self._program = ProgramSink(output.global_args(*_PROGRESS), target.hide, within)
        return self._program
