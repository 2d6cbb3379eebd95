"""All targets of a stream: checked before anything is opened, then opened together."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import replace

from stcodec import interrupts
from stcodec.encoders.table import find_encoder
from stcodec.errors import MediaError
from stcodec.stream.options import StreamOptions
from stcodec.stream.output.address import TargetAddress, check_place, check_targets, parse_target
from stcodec.stream.output.dash import DashSender
from stcodec.stream.output.hls import HlsSender
from stcodec.stream.output.muxed import byte_sender
from stcodec.stream.output.program import ProgramSender
from stcodec.stream.output.sender import Sender
from stcodec.stream.output.worker import TargetWorker
from stcodec.stream.packet import Target, Track

_VERDICT_SECONDS = 3.0
_PORTS = {"rtmp": 1935, "rtmps": 443}


class Targets:
    """Parse and check the targets. Raises a StcodecError for what can't work, whatever the source is."""

    def __init__(self, options: StreamOptions) -> None:
        parsed = [parse_target(text) for text in options.targets]
        if options.record is not None:
            parsed.append(replace(parse_target(options.record), is_record=True))
        # Files come last: what is wrong with the others is known before one is begun.
        self._targets = sorted(parsed, key=lambda one: not one.is_network)
        for target in self._targets:
            check_place(target, overwrite=options.overwrite or target.is_record, source=options.source)
        self._codec = find_encoder(options.encoder).codec
        self._segment_seconds = options.keyint_seconds
        self._is_served = options.is_served
        # Only of a source that can wait: elsewhere a slow target must not hold up the others.
        self._waits = not options.is_paced
        named = [f"{one.lines}p" for one in options.renditions if one.lines is not None]
        if len(named) == len(options.renditions):
            check_targets(self._targets, self._codec, named)

    def open(self, tracks: tuple[Track, ...]) -> Sequence[Target]:
        """Start all targets. Raises a StcodecError in one line, with none started."""
        check_targets(self._targets, self._codec, [one.name for one in tracks if one.kind == "video"])
        opened: list[Target] = []
        try:
            for target in self._targets:
                _check_server(target)
                opened.append(
                    open_target(
                        target,
                        tracks,
                        segment_seconds=self._segment_seconds,
                        is_served=self._is_served,
                        waits=self._waits,
                    )
                )
                _wait_for_verdict(target, opened[-1])
        except BaseException:
            for one in opened:
                one.close(1.0)
            raise
        return opened


def open_target(
    target: TargetAddress,
    tracks: tuple[Track, ...],
    *,
    segment_seconds: float = 1.0,
    is_served: bool = False,
    waits: bool = False,
) -> Target:
    """Start a target. It connects on its own thread; `state()` tells its condition.

    segment_seconds: least length of a segment of HLS and DASH. is_served: a server of ours gives those out. waits: `put`
    waits for a slow target instead of dropping packets, which is for sources that can wait.
    """
    return TargetWorker(target, tracks, _sender(target, segment_seconds, is_served), waits=waits)


def _sender(target: TargetAddress, segment_seconds: float, is_served: bool) -> Sender:
    if target.kind in ("rtmp", "rtsp", "srt"):
        return ProgramSender(target)
    if target.kind == "hls":
        return HlsSender(target, segment_seconds, is_served=is_served)
    if target.kind == "dash":
        return DashSender(target, segment_seconds, is_served=is_served)
    return byte_sender(target)


def check_first_connections(targets: Sequence[Target]) -> None:
    """Raise MediaError for a target that has never been reached and now can't be; later on it would be waited for."""
    for target in targets:
        state = target.state()
        if state.condition in ("retrying", "failed") and not state.bytes and not state.reconnects:
            raise MediaError(f"{state.name}: {state.reason}")


def _check_server(target: TargetAddress) -> None:
    """Raise MediaError if nobody listens. Those who take a single connection, as RTSP and TCP peers do, aren't asked."""
    address = target.network
    if address is None or address.scheme not in _PORTS:
        return
    try:
        place = address.host, address.port or _PORTS[address.scheme]
        socket.create_connection(place, timeout=_VERDICT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise MediaError(
            f"{target.shown}: can't be reached ({target.hide(str(getattr(error, 'strerror', None) or error))})"
        ) from None


def _wait_for_verdict(address: TargetAddress, target: Target) -> None:
    """Wait until a target that opens at once is open. Raises MediaError if it can't be."""
    if address.kind in ("rtmp", "rtsp", "srt") or (address.network is not None and address.network.listens({})):
        return  # these connect with the first packet, or when somebody comes
    end = time.monotonic() + _VERDICT_SECONDS
    while target.state().condition == "connecting" and time.monotonic() < end:
        interrupts.check()
        time.sleep(0.01)
    check_first_connections([target])
