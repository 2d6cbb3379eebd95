"""Opening what a live stream comes from: files, pipes, network addresses, cameras and screens."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.paths import check_input, display_name, local_url
from stcodec.media.probe import main_video
from stcodec.stream.address import hide_secrets

_PROBE = {"probesize": "1000000", "analyzeduration": "1500000"}
"""Enough to see every stream of a live source, and no more: what is read for it comes in a burst."""
_NETWORK = ("rtmp", "rtmps", "rtsp", "rtsps", "udp", "rtp", "tcp", "http", "https", "srt", "tls")


class Readable(Protocol):
    """A file object that libav can read."""

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class SourceAddress:
    """Where a stream comes from."""

    url: str
    kind: str
    """"file", "pipe", "device", or the scheme of a network address."""
    shown: str
    """Without credentials."""

    @property
    def is_paced(self) -> bool:
        """Whether it gives as fast as it is read."""
        return self.kind == "file"

    @property
    def ends(self) -> bool:
        """Whether the end of what it gives is the end of the stream; else it is opened again."""
        return self.kind in ("file", "pipe", "http", "https")


def source_address(text: str) -> SourceAddress:
    """What a user wrote. Raises MediaError for a file that is not there, and for a scheme that nobody knows."""
    if text == "-":
        return SourceAddress(text, "pipe", "stdin")
    scheme, colon, _ = text.partition("://")
    if not colon:
        return SourceAddress(str(check_input(text)), "file", display_name(text))
    if scheme == "file":
        return source_address(text.removeprefix("file://"))
    if scheme not in _NETWORK:
        raise MediaError(f"{hide_secrets(text)}: can't be streamed from: there are {', '.join(_NETWORK)}, files and -")
    return SourceAddress(text, scheme, hide_secrets(text))


class PipeReader:
    """A pipe that can be left alone: a read gives up when nothing comes for so long, or when told to stop."""

    def __init__(self, fd: int, stall_seconds: float, stopping: Callable[[], bool]) -> None:
        self._fd = fd
        self._stall = stall_seconds
        self._stopping = stopping

    def read(self, size: int) -> bytes:
        """What is there, at least a byte; empty at the end. Raises OSError when it stalls."""
        waited = 0.0
        while not self._stopping():
            if select.select([self._fd], [], [], 0.1)[0]:
                return os.read(self._fd, size)
            waited += 0.1
            if waited >= self._stall:
                raise TimeoutError(f"nothing came for {self._stall:g} s")
        return b""

    def close(self) -> None:
        """The pipe belongs to whoever made it."""


def open_container(
    address: SourceAddress, options: dict[str, str], stall_seconds: float, stopping: Callable[[], bool]
) -> InputContainer:
    """The source, open for demuxing. Raises MediaError in one line."""
    given: dict[str, str] = dict(options)
    if not address.is_paced:
        given = {**_PROBE, **options}
    if address.kind.startswith("rtsp"):
        given.setdefault("rtsp_transport", "tcp")
    target: Any = address.url
    keywords: dict[str, Any] = {}
    if address.kind == "file":
        target = local_url(address.url)
        given.setdefault("pattern_type", "none")
    elif address.kind == "pipe":
        target = PipeReader(sys.stdin.fileno(), stall_seconds, stopping)
    else:
        keywords["timeout"] = (max(10.0, stall_seconds), stall_seconds)
    try:
        container = av.open(target, "r", options=given, metadata_errors="replace", **keywords)
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{address.shown}: can't be opened ({reason(error)})") from None
    assert isinstance(container, InputContainer)
    return container


def choose_streams(container: InputContainer, address: SourceAddress) -> tuple[VideoStream, AudioStream | None]:
    """The video, and the sound that goes with it. Raises MediaError if there is no video."""
    video = main_video(container)
    if video is None:
        kinds = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
        raise MediaError(f"{address.shown}: has no video that can be decoded (it holds {kinds})")
    sounds = [one for one in container.streams.audio if one.codec_context is not None]
    return video, sounds[0] if sounds else None


def reason(error: BaseException) -> str:
    """libav's words, in one line."""
    text = str(getattr(error, "strerror", None) or error)
    return display_name(" ".join(text.split()))[:200]
