"""Sources of a live stream, opened for demuxing: files, pipes, network addresses, cameras and screens."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.paths import check_input, display_name, local_url
from stcodec.media.probe import main_video
from stcodec.stream.input.relay import PipeReader, device_relay, srt_relay
from stcodec.stream.output.address import hide_in, hide_secrets

_PROBE = {"probesize": "1000000", "analyzeduration": "1500000"}
"""Enough to see every stream of a live source, and no more: what is read for it comes in a burst."""
_NETWORK = ("rtmp", "rtmps", "rtsp", "rtsps", "udp", "rtp", "tcp", "http", "https", "srt")
_DEVICES = ("v4l2", "x11grab", "fbdev", "lavfi")
_DEVICE = re.compile(rf"({'|'.join(_DEVICES)}):(?!//)(.+)")
_SEGMENTS_SLOWER = 3
"""HLS comes a segment at a time: silence between two is no stall."""
_LISTEN_SECONDS = 86_400
"""Time for which a listening source waits for a caller."""


@dataclass(frozen=True)
class SourceAddress:
    """Address of a source."""

    url: str
    """The path, the address, or the device's name."""
    kind: str
    """"file", "pipe", the scheme of a network address, or ffmpeg's name of a kind of device."""
    shown: str
    """Without credentials."""

    @property
    def is_paced(self) -> bool:
        """Whether it must be paced: it comes faster than real time, as files do, or in segments, as HLS does."""
        return self.kind in ("file", "lavfi", "http", "https")

    @property
    def is_device(self) -> bool:
        """Whether it is a camera, a screen, or a generated picture (lavfi)."""
        return self.kind in _DEVICES

    @property
    def ends(self) -> bool:
        """Whether its end is the end of the stream; otherwise it is opened again."""
        return self.kind in ("file", "lavfi", "pipe", "http", "https")


def source_address(text: str) -> SourceAddress:
    """Parse a source as written by the user. Raises MediaError for a missing file and for an unknown scheme."""
    if text == "-":
        return SourceAddress(text, "pipe", "stdin")
    device = _DEVICE.fullmatch(text)
    if device is not None:
        return _device(device[1], device[2], display_name(text))
    scheme, colon, _ = text.partition("://")
    if not colon:
        return SourceAddress(str(check_input(text)), "file", display_name(text))
    if scheme == "file":
        return source_address(text.removeprefix("file://"))
    if scheme not in _NETWORK:
        raise MediaError(
            f"{hide_secrets(text)}: can't be streamed from: there are {', '.join(_NETWORK)}, files, -, v4l2:DEVICE and "
            "x11grab:DISPLAY"
        )
    return SourceAddress(text, scheme, hide_secrets(text))


def _device(kind: str, place: str, shown: str) -> SourceAddress:
    if kind in ("v4l2", "fbdev") and not Path(place).exists():
        raise MediaError(f"{shown}: no such device")
    return SourceAddress(place, kind, shown)


@dataclass(frozen=True)
class OpenSource:
    """A source, open for demuxing."""

    container: InputContainer
    pipe: PipeReader | None = None

    def close(self) -> None:
        """Close the container and the pipe."""
        self.container.close()
        if self.pipe is not None:
            self.pipe.close()


def open_source(
    address: SourceAddress,
    options: dict[str, str],
    stall_seconds: float,
    stopping: Callable[[], bool],
    open_seconds: float = 10.0,
) -> OpenSource:
    """Open a source. Raises MediaError in one line. open_seconds: a server has at least this long to answer."""
    pipe, keywords = _open_arguments(address, options, stall_seconds, stopping, open_seconds)
    try:
        container = av.open(pipe or keywords.pop("file"), "r", metadata_errors="replace", **keywords)
    except (FFmpegError, OSError, ValueError) as error:
        why = _cause(pipe, error)
        raise MediaError(f"{address.shown}: can't be opened ({hide_in(why, address.url)})") from None
    assert isinstance(container, InputContainer)
    return OpenSource(container, pipe)


def _open_arguments(
    address: SourceAddress, options: dict[str, str], stall_seconds: float, stopping: Callable[[], bool], open_seconds: float
) -> tuple[PipeReader | None, dict[str, Any]]:
    """The pipe, if there is one, and the arguments of av.open."""
    if address.kind == "file":
        return None, {"file": local_url(address.url), "options": {"pattern_type": "none", **options}}
    probing = {"options": {**_PROBE, **options}}
    if address.kind == "pipe":
        return PipeReader(sys.stdin.fileno(), stopping), probing
    if address.kind == "srt":
        return srt_relay(address.url, stall_seconds, stopping), {"format": "mpegts", **probing}
    if address.is_device and address.kind in av.formats_available:
        return None, {"file": address.url, "format": address.kind, "options": options}
    if address.is_device:
        return device_relay(address.kind, address.url, options, stall_seconds, stopping), {"format": "nut"}
    if address.kind in ("rtsp", "rtsps"):
        probing["options"].setdefault("rtsp_transport", "tcp")
    listens = options.get("rtsp_flags") == "listen" or "listen" in options or "listen" in urlsplit(address.url).query
    if options.get("rtsp_flags") == "listen":
        probing["options"].setdefault("listen_timeout", str(_LISTEN_SECONDS))  # its own default is out of its own range
    if address.kind in ("http", "https"):
        stall_seconds *= _SEGMENTS_SLOWER
    timeout = (_LISTEN_SECONDS if listens else max(open_seconds, stall_seconds), stall_seconds)
    return None, {"file": address.url, "timeout": timeout, **probing}


def _cause(pipe: PipeReader | None, error: BaseException) -> str:
    """Reason of a failure, in the words of the program where one reads the source."""
    try:
        if pipe is not None:
            pipe.ended()
    except OSError as known:
        error = known
    finally:
        if pipe is not None:
            pipe.close()
    return reason(error)


def choose_streams(container: InputContainer, address: SourceAddress) -> tuple[VideoStream, AudioStream | None]:
    """The video, and the audio that goes with it. Raises MediaError if there is no video."""
    video = main_video(container)
    if video is None:
        kinds = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
        raise MediaError(f"{address.shown}: has no video that can be decoded (it holds {kinds})")
    audio_streams = [one for one in container.streams.audio if one.codec_context is not None]
    return video, audio_streams[0] if audio_streams else None


def reason(error: BaseException) -> str:
    """libav's message, in one line."""
    if isinstance(error, ExitError):
        return "nothing came in time"
    text = str(getattr(error, "strerror", None) or error)
    return display_name(" ".join(text.split()))[:200]


_AT_MOST = 300
"""Most packets of one stream that wait for the other, some seconds: the other may have ended."""


def by_time(packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
    """Sort packets of two streams by decoding time; those without a time stay in place."""
    waiting: dict[int, deque[Packet[Any]]] = {}
    for packet in packets:
        if not packet.size or packet.dts is None:
            yield from _drained(waiting)
            yield packet
            continue
        waiting.setdefault(packet.stream.index, deque()).append(packet)
        while len(waiting) > 1 and (all(waiting.values()) or max(map(len, waiting.values())) > _AT_MOST):
            yield _earliest(waiting)
        if len(waiting) == 1 and len(waiting[packet.stream.index]) > _AT_MOST:
            yield _earliest(waiting)
    yield from _drained(waiting)


def _drained(waiting: dict[int, deque[Packet[Any]]]) -> Iterator[Packet[Any]]:
    while any(waiting.values()):
        yield _earliest(waiting)


def _earliest(waiting: dict[int, deque[Packet[Any]]]) -> Packet[Any]:
    def seconds(packets: deque[Packet[Any]]) -> float:
        first = packets[0]
        assert first.dts is not None and first.time_base is not None
        return float(first.dts * first.time_base)

    return min((one for one in waiting.values() if one), key=seconds).popleft()
