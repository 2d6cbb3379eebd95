"""Sources of a live stream, opened for demuxing: files, pipes, network addresses, cameras and screens."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.limits import limits
from stcodec.media.open_input import check_limits, demuxers, open_input
from stcodec.media.paths import check_input, display_name
from stcodec.media.probe import main_video
from stcodec.stream.address import Address, parse_address
from stcodec.stream.input.relay import PipeReader, device_relay, srt_relay

_PROBE = {"probesize": "1000000", "analyzeduration": "1500000"}
"""Enough to see every stream of a live source, and no more: what is read for it comes in a burst."""
_MORE_FORMATS = {"http": ("hls",), "https": ("hls",), "rtsp": ("rtsp",), "rtsps": ("rtsp",), "rtp": ("rtp", "sdp")}
"""Demuxers beside those of single files: what comes by a pipe or a network may not name files of this machine."""
_NETWORK = ("rtmp", "rtmps", "rtsp", "rtsps", "udp", "rtp", "tcp", "http", "https", "srt")
_DEVICES = ("v4l2", "x11grab", "fbdev", "lavfi")
_DEVICE = re.compile(rf"({'|'.join(_DEVICES)}):(?!//)(.+)")
_SEGMENTS_SLOWER = 3
"""HLS comes a segment at a time: silence between two is no stall."""
_LONGEST_SECONDS = 2_000_000
"""Time for which RTSP waits for a caller: it counts milliseconds in 32 bits."""
_LOCALHOST = {"localhost": "127.0.0.1"}
"""Numbers of names: libav wants one to bind to."""


@dataclass(frozen=True)
class SourceAddress:
    """Address of a source."""

    url: str = field(repr=False)
    """The path, the address, or the device's name."""
    kind: str
    """"file", "pipe", the scheme of a network address, or ffmpeg's name of a kind of device."""
    shown: str
    """Without credentials."""
    network: Address | None = None
    """The address; None for a place on this machine."""

    def hide(self, text: str) -> str:
        """A message of a program or library about this source, in one line, without what is secret in it."""
        return display_name(" ".join(text.split())) if self.network is None else self.network.hide(text)

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


def source_address(text: str, options: Mapping[str, str] = MappingProxyType({})) -> SourceAddress:
    """Parse a source as written by the user. options: ffmpeg's, for it.

    Raises MediaError for a missing file and for an unknown scheme, and OptionsError for an address that can't be read, or
    that would be open to other machines.
    """
    if text == "-":
        return SourceAddress(text, "pipe", "stdin")
    device = _DEVICE.fullmatch(text)
    if device is not None:
        return _device(device[1], device[2], display_name(text))
    if text.startswith("file://"):
        return source_address(text.removeprefix("file://"))
    if "://" not in text:
        return SourceAddress(str(check_input(text)), "file", display_name(text))
    address = parse_address(text)
    if address.scheme not in _NETWORK:
        raise MediaError(
            f"{address.shown}: can't be streamed from: there are {', '.join(_NETWORK)}, files, -, v4l2:DEVICE and "
            "x11grab:DISPLAY"
        )
    address.check_private(options, reads=True)
    return SourceAddress(address.url, address.scheme, address.shown, address)


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
    if address.kind == "file":
        return OpenSource(open_input(address.url, what="can't be opened", options=options, is_live=True))
    pipe, keywords = _open_arguments(address, options, stall_seconds, stopping, open_seconds)
    try:
        container = av.open(pipe or keywords.pop("file"), "r", metadata_errors="replace", **keywords)
        check_limits(container, address.shown, limits())
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{address.shown}: can't be opened ({_cause(address, pipe, error)})") from None
    assert isinstance(container, InputContainer)
    return OpenSource(container, pipe)


def _open_arguments(
    address: SourceAddress, options: dict[str, str], stall_seconds: float, stopping: Callable[[], bool], open_seconds: float
) -> tuple[PipeReader | None, dict[str, Any]]:
    """The pipe, if there is one, and the arguments of av.open."""
    formats = ",".join((demuxers(), *_MORE_FORMATS.get(address.kind, ())))
    probing = {"options": {**_PROBE, "format_whitelist": formats, **limits().decoder_options, **options}}
    if address.kind == "pipe":
        return PipeReader(sys.stdin.fileno(), stopping), probing
    if address.is_device and address.kind in av.formats_available:
        return None, {"file": address.url, "format": address.kind, "options": options}
    if address.is_device:
        return device_relay(address.kind, address.url, options, stall_seconds, stopping), {"format": "nut"}
    network = address.network
    assert network is not None
    if network.scheme == "srt":
        return srt_relay(network, stall_seconds, stopping), {"format": "mpegts", **probing}
    return None, {"file": network.url, **_network_arguments(network, probing["options"], stall_seconds, open_seconds)}


def _network_arguments(
    address: Address, options: dict[str, str], stall_seconds: float, open_seconds: float
) -> dict[str, Any]:
    """Arguments with which libav opens an address."""
    if address.scheme in ("rtsp", "rtsps"):
        options.setdefault("rtsp_transport", "tcp")
    if address.scheme in ("udp", "rtp") and not address.is_group:
        options.setdefault("localaddr", address.options.get("localaddr", _LOCALHOST.get(address.host, address.host)))
    listens = address.listens(options)
    if listens and address.scheme in ("rtsp", "rtsps"):
        options.setdefault("listen_timeout", str(_LONGEST_SECONDS))  # its own default is out of its own range
    if address.scheme in ("http", "https"):
        stall_seconds *= _SEGMENTS_SLOWER
    return {"options": options, "timeout": (None if listens else max(open_seconds, stall_seconds), stall_seconds)}


def _cause(address: SourceAddress, pipe: PipeReader | None, error: BaseException) -> str:
    """Reason of a failure, in the words of the program where one reads the source."""
    try:
        if pipe is not None:
            pipe.ended()
    except OSError as known:
        error = known
    finally:
        if pipe is not None:
            pipe.close()
    return reason(address, error)


def choose_streams(container: InputContainer, address: SourceAddress) -> tuple[VideoStream, AudioStream | None]:
    """The video, and the audio that goes with it. Raises MediaError if there is no video."""
    video = main_video(container)
    if video is None:
        kinds = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
        raise MediaError(f"{address.shown}: has no video that can be decoded (it holds {kinds})")
    audio_streams = [one for one in container.streams.audio if one.codec_context is not None]
    return video, audio_streams[0] if audio_streams else None


def reason(address: SourceAddress, error: BaseException) -> str:
    """Message of libav on a source, in one line."""
    if isinstance(error, ExitError):
        return "nothing came in time"
    return address.hide(str(getattr(error, "strerror", None) or error or type(error).__name__))[:200]


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
