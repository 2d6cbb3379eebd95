"""Targets of a live stream, each at work on a thread of its own."""

from __future__ import annotations

from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.dash import DashSender
from stcodec.stream.output.hls import HlsSender
from stcodec.stream.output.muxed import byte_sender
from stcodec.stream.output.program import ProgramSender
from stcodec.stream.output.sender import Sender
from stcodec.stream.output.worker import Worker
from stcodec.stream.packet import Outlet, Track

__all__ = ["open_outlet"]


def open_outlet(
    target: TargetAddress, tracks: tuple[Track, ...], *, segment_seconds: float = 1.0, waits: bool = False
) -> Outlet:
    """Begin to stream to a target. It connects on its own; `state()` says how far it is.

    segment_seconds: least length of a segment of HLS and DASH. waits: `put` waits for a slow target instead of dropping
    packets, which is for sources that can wait.
    """
    return Worker(target, tracks, _sender(target, segment_seconds), waits=waits)


def _sender(target: TargetAddress, segment_seconds: float) -> Sender:
    if target.kind in ("rtmp", "rtsp", "srt"):
        return ProgramSender(target)
    if target.kind == "hls":
        return HlsSender(target, segment_seconds)
    if target.kind == "dash":
        return DashSender(target, segment_seconds)
    return byte_sender(target)
