"""Byte sinks of muxers: files, sockets, stdout. None waits for ever."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import sys
import time
from pathlib import Path
from typing import BinaryIO, Protocol

from stcodec.stream.output.sender import ReaderGoneError

DATAGRAM_BYTES = 7 * 188
"""Bytes of whole MPEG-TS packets that fit into a datagram which no network splits."""
STALL_SECONDS = 10.0
"""A peer that takes nothing for so long is lost."""
_PIECE_BYTES = getattr(select, "PIPE_BUF", 512)
"""A pipe that is said to be ready takes as much without waiting."""


class Sink(Protocol):
    """File object that a muxer writes into."""

    def write(self, content: bytes) -> int: ...

    def close(self) -> None: ...

    def interrupt(self) -> None:
        """End a waiting write. Safe from any thread."""


class FileSink:
    """A new file, or the rest of one."""

    def __init__(self, path: Path, mode: str = "wb") -> None:
        self._path = path
        self._file: BinaryIO = path.open(mode, buffering=0)  # type: ignore[assignment]

    def write(self, content: bytes) -> int:
        """Write all of it: a nearly full disk takes a part without an error, and so does a file that was removed."""
        if os.fstat(self._file.fileno()).st_nlink == 0 and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            raise FileNotFoundError(errno.ENOENT, "it was removed")
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """Close it; a file that nothing could be written into goes."""
        self._file.close()
        with contextlib.suppress(OSError):
            if self._path.is_file() and self._path.stat().st_size == 0:
                self._path.unlink()

    def interrupt(self) -> None:
        """A disk is not waited for."""


class PipeSink:
    """A pipe, the reading end of which may go away or be slow; it is not set to non-blocking, for others share it."""

    def __init__(self, fd: int, stall_seconds: float | None) -> None:
        """stall_seconds: how long a reader may take nothing; None = for ever."""
        self._fd = fd
        self.stall_seconds = stall_seconds
        self._is_interrupted = False

    def write(self, content: bytes) -> int:
        """Write all of it. Raises TimeoutError or OSError."""
        rest = memoryview(content)
        while rest:
            self._wait()
            rest = rest[os.write(self._fd, rest[:_PIECE_BYTES]) :]
        return len(content)

    def close(self) -> None:
        """The descriptor belongs to whoever made it."""

    def interrupt(self) -> None:
        self._is_interrupted = True

    def _wait(self) -> None:
        if sys.platform == "win32":  # which doesn't tell of pipes whether they take anything: the write waits
            return
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        end = None if self.stall_seconds is None else time.monotonic() + self.stall_seconds
        while not poll.poll(100):
            if self._is_interrupted:
                raise TimeoutError("it was cut off: nobody read")
            if end is not None and time.monotonic() > end:
                raise TimeoutError(f"nothing was taken for {self.stall_seconds:g} s")


class StdoutSink(PipeSink):
    """stdout; when its reader goes, it is over."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, None)

    def write(self, content: bytes) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            raise ReaderGoneError("the reader of stdout has gone") from None


class TcpSink:
    """A connection."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.settimeout(STALL_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, content: bytes) -> int:
        self._socket.sendall(content)
        return len(content)

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class TcpListener:
    """A port of this machine where one reader at a time is given the stream."""

    def __init__(self, address: tuple[str, int]) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.create_server(address, family=family, backlog=1)
        self._is_interrupted = False

    def accept(self) -> TcpSink:
        """The next reader; waits for one. Raises TimeoutError when interrupted."""
        while not self._is_interrupted:
            if select.select([self._socket], [], [], 0.1)[0]:
                return TcpSink(self._socket.accept()[0])
        raise TimeoutError("no reader came")

    def interrupt(self) -> None:
        self._is_interrupted = True

    def close(self) -> None:
        self._socket.close()


def connect_tcp(address: tuple[str, int]) -> TcpSink:
    """A connection to a reader who listens. Raises OSError."""
    return TcpSink(socket.create_connection(address, STALL_SECONDS))


class UdpSink:
    """Datagrams to an address, of one host or of a group. Whether anybody listens is not known, and no error."""

    def __init__(self, address: tuple[str, int], ttl: int | None = None, local: str | None = None) -> None:
        family, kind, protocol, _, place = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind, protocol)
        self._place = place
        if local:
            self._socket.bind((local, 0))
        if ttl is not None:
            six = family == socket.AF_INET6
            level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
            for option in (
                (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS) if six else (socket.IP_MULTICAST_TTL, socket.IP_TTL)
            ):
                self._socket.setsockopt(level, option, ttl)

    def write(self, content: bytes) -> int:
        for start in range(0, len(content), DATAGRAM_BYTES):
            self._socket.sendto(content[start : start + DATAGRAM_BYTES], self._place)
        return len(content)

    def close(self) -> None:
        self._socket.close()

    def interrupt(self) -> None:
        """Datagrams are not waited for."""
