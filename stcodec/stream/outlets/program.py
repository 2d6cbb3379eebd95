"""Targets that the ffmpeg program reaches: RTMP, RTSP, SRT. It copies what it is given; nothing is encoded again.

A process of its own, because libavformat connects and ends while it holds Python's lock: a server that does not answer
would stop every thread of this one, the encoders first. PyAV's wheel has no SRT, besides.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections import deque

from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.stream.address import TargetAddress
from stcodec.stream.outlets.muxed import ByteSender, FragmentedBody
from stcodec.stream.outlets.sender import Tracks
from stcodec.stream.outlets.sinks import STALL_SECONDS, PipeSink
from stcodec.stream.packet import LivePacket

_READ = (
    *("-v", "error", "-nostdin", "-nostats", "-progress", "pipe:2", "-stats_period", "0.25"),
    *("-probesize", "32", "-analyzeduration", "0", "-nofind_stream_info", "-fflags", "nobuffer"),
    *("-f", "mp4", "-i", "pipe:0", "-map", "0", "-c", "copy", "-copyts", "-map_metadata", "-1"),
    *("-max_interleave_delta", "200000", "-flush_packets", "1"),
)
_WRITE = {
    "rtmp": ("-flvflags", "no_duration_filesize", "-f", "flv"),
    "rtsp": ("-rtsp_transport", "tcp", "-f", "rtsp"),
    "srt": (
        *("-mpegts_flags", "+initial_discontinuity", "-pes_payload_size", "0"),
        *("-muxdelay", "0.1", "-muxpreload", "0", "-f", "mpegts"),
    ),
}
_END_SECONDS = 5.0
_SRT_LINGER_SECONDS = 0.3
"""A receiver of SRT forgets what it still holds back (120 ms by default) when the sender hangs up."""


class ProgramSink(PipeSink):
    """The program's stdin. Raises OSError with what it said when it has ended."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self.process.stdin is not None
        super().__init__(self.process.stdin.fileno(), STALL_SECONDS)
        self.is_connected = False
        self._began = time.monotonic()
        self._said: deque[str] = deque(maxlen=8)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def write(self, content: bytes) -> int:
        """Write all of it."""
        if not self.is_connected and time.monotonic() - self._began > STALL_SECONDS:
            raise TimeoutError(f"no answer for {STALL_SECONDS:g} s")
        try:
            return super().write(content)
        except BrokenPipeError:
            raise self._failure() from None

    def finish(self, linger_seconds: float) -> None:
        """Let it send what it has, and end. Raises OSError if it ends badly."""
        time.sleep(linger_seconds)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            if self.process.wait(_END_SECONDS) != 0:
                raise self._failure()
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"it did not end within {_END_SECONDS:g} s") from None

    def close(self) -> None:
        """Whatever it is at, it is over."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        assert self.process.stdin is not None and self.process.stderr is not None
        for pipe in (self.process.stdin, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def interrupt(self) -> None:
        super().interrupt()
        self.process.kill()

    def _listen(self) -> None:
        """Errors, and lines of progress: the first that counts something says that the other side has taken it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace").strip()
            name, equals, value = text.partition("=")
            if equals and name.isidentifier():
                self.is_connected |= name == "frame" and value.isdigit() and int(value) > 0
            elif text:
                self._said.append(text)

    def _failure(self) -> OSError:
        self._listener.join(1)
        return OSError(_reason(list(self._said)))


def _reason(said: list[str]) -> str:
    """The words of the program that say most: the first line names the place, the last the kind of error."""
    if not said:
        return "the connection was closed"
    last = said[-1].rpartition(": ")[2]
    if last == "Input/output error":
        return "the other side does not answer, or refused the stream (Input/output error)"
    return last


class ProgramSender(ByteSender):
    """Packets for the program, as MP4 frame by frame: it holds exact times and headers, and the program needn't guess."""

    def __init__(self, target: TargetAddress) -> None:
        super().__init__(self._start, FragmentedBody, target.rendition)
        self._target = target
        self._program: ProgramSink | None = None

    def write(self, packet: LivePacket) -> None:
        """Pass a packet on."""
        super().write(packet)
        self.is_connected = self._program is not None and self._program.is_connected

    def open(self, tracks: Tracks) -> None:
        """Start the program; it connects when the first packet comes."""
        super().open(tracks)
        self.is_connected = False

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
        self._program = ProgramSink([find_ffmpeg(), *_READ, *_WRITE[self._target.kind], self._target.url])
        return self._program
