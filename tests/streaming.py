"""A running stream that isn't one: what those see who show it, made up and changed by the test."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from stcodec.stream.observe.snapshot import LivePreview, MapCondition, Pressure, RenditionState, StreamSnapshot, TargetState

HD = RenditionState(
    name="720p",
    width_px=1280,
    height_px=720,
    fps=29.97,
    kbps=2483.2,
    target_kbps=2500.0,
    buffer_fill=0.63,
    buffer_underflows=0,
    preset="veryfast",
    frames=900,
    frames_dropped=0,
    mean_qp_attended=24.1,
    mean_qp_elsewhere=31.0,
    bits_attended=0.38,
    offsets_slope=0.97,
)
SMALL = dataclasses.replace(
    HD, name="360p", width_px=640, height_px=360, kbps=598.0, target_kbps=600.0, mean_qp_attended=27.5
)
HLS = TargetState("live/master.m3u8", "hls", "open", 12_345_678, 0, 0)
RTMP = TargetState("rtmp://server/app/***", "rtmp", "open", 12_000_000, 0, 1)
MAP: MapCondition = "fresh"
SNAPSHOT = StreamSnapshot(
    running_seconds=754.2,
    source="rtsp://camera/one",
    source_condition="open",
    source_message="",
    source_reconnects=0,
    timestamp_jumps=0,
    fps_in=29.97,
    frames_in=901,
    frames_damaged=0,
    latency_seconds=0.084,
    latency_p99_seconds=0.12,
    map_condition=MAP,
    map_age_seconds=0.12,
    map_age_p99_seconds=0.21,
    maps_per_second=6.0,
    maps=180,
    attention_restarts=0,
    pressure=Pressure.NONE,
    renditions=(HD, SMALL),
    targets=(HLS, RTMP),
)


class FakeStream:
    """Change `now` and `shown`, and all who look see it."""

    def __init__(self) -> None:
        self.now = SNAPSHOT
        self.shown: LivePreview | None = picture(0.0)

    def change(self, **fields: Any) -> None:
        self.now = dataclasses.replace(self.now, **fields)

    def snapshot(self) -> StreamSnapshot:
        return self.now

    def preview(self) -> LivePreview | None:
        return self.shown


def picture(seconds: float, *, with_map: bool = True) -> LivePreview:
    """A gray ramp, with attention in the middle."""
    ramp = np.repeat(np.linspace(40, 200, 320, dtype=np.uint8)[None, :, None], 180, axis=0).repeat(3, axis=2)
    y, x = np.mgrid[:12, :20]
    saliency = np.exp(-(((x - 9.5) / 4) ** 2 + ((y - 5.5) / 3) ** 2)).astype(np.float32)
    return LivePreview(seconds, ramp, saliency if with_map else None)
