"""Packets as the live encoders make them, encoded once and sent to targets at any pace; and what arrived, read again."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from stcodec.stream.observe.snapshot import TargetState
from stcodec.stream.packet import TICK, LivePacket, Target, Track

FPS = 25
SECONDS = 12
SIZES = ((320, 180), (160, 90))
_X264 = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"}
_AAC_SAMPLES, _RATE_HZ = 1024, 48_000


@dataclasses.dataclass(frozen=True)
class Recorded:
    """Tracks and their packets in the order in which they were made."""

    tracks: tuple[Track, ...]
    packets: tuple[LivePacket, ...]

    def until(self, seconds: float) -> Recorded:
        """The first seconds."""
        return Recorded(self.tracks, tuple(one for one in self.packets if one.pts * TICK < seconds))

    def since(self, seconds: float) -> Recorded:
        """Without the first seconds."""
        return Recorded(self.tracks, tuple(one for one in self.packets if one.pts * TICK >= seconds))

    def only(self, *kept: int) -> Recorded:
        """Some of the tracks, by index."""
        packets = (dataclasses.replace(one, track=kept.index(one.track)) for one in self.packets if one.track in kept)
        return Recorded(tuple(self.tracks[one] for one in kept), tuple(packets))

    def later(self, seconds: float) -> Recorded:
        """All times later."""
        ticks = round(seconds / TICK)
        moved = (dataclasses.replace(one, pts=one.pts + ticks, dts=one.dts + ticks) for one in self.packets)
        return Recorded(self.tracks, tuple(moved))

    def video_seconds(self, track: int = 0) -> list[float]:
        """Times of a video track's frames."""
        return [float(one.pts * TICK) for one in self.packets if one.track == track]


@functools.cache
def recorded() -> Recorded:
    """Two renditions of a moving picture with a key frame a second, and audio: 12 s."""
    tracks: list[Track] = []
    packets: list[LivePacket] = []
    for index, size in enumerate(SIZES):
        track, made = encode_video(size, index)
        tracks.append(track)
        packets += made
    track, made = _encode_sound(len(SIZES))
    packets = sorted((*packets, *made), key=lambda one: one.dts)
    return Recorded((*tracks, track), tuple(packets))


def encode_video(
    size: tuple[int, int], index: int, codec: str = "libx264", frames: int = SECONDS * FPS, **options: str
) -> tuple[Track, list[LivePacket]]:
    """A rendition: its track and packets."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = *size, "yuv420p"
    context.time_base, context.framerate, context.gop_size, context.bit_rate = TICK, Fraction(FPS), FPS, 200_000
    context.options = {**(_X264 if codec == "libx264" else {}), **options}
    raw = []
    for number, rgb in enumerate(media.pictures(size, frames)):
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = round(number / FPS / TICK), TICK
        raw += context.encode(frame)
    raw += context.encode(None)
    ticks = round(1 / FPS / TICK)
    packets = [
        LivePacket(index, bytes(one), one.pts or 0, one.dts or 0, one.duration or ticks, one.is_keyframe, 0.0) for one in raw
    ]
    name = f"{min(size)}p"
    codec_name = context.codec.canonical_name
    header = b"" if codec_name == "vp9" else _annex_b_header(packets[0].data, codec_name)
    rate = Fraction(FPS)
    return Track("video", name, codec_name, header, 200_000, *size, frame_rate=rate, pix_fmt="yuv420p"), packets


def _annex_b_header(packet: bytes, codec: str) -> bytes:
    """The parameter sets at the start of a key frame's packet."""
    header = b""
    for unit in packet.split(b"\0\0\1")[1:]:
        kind = unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F
        if kind in ((7, 8) if codec == "h264" else (32, 33, 34)):
            header += b"\0\0\0\1" + unit.rstrip(b"\0")
    return header


def _encode_sound(index: int) -> tuple[Track, list[LivePacket]]:
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout, context.format, context.bit_rate = _RATE_HZ, "stereo", "fltp", 64_000
    context.time_base = Fraction(1, _RATE_HZ)
    packets = []
    for start in range(0, SECONDS * _RATE_HZ, _AAC_SAMPLES):
        wave = 0.1 * np.sin(2 * np.pi * 440 / _RATE_HZ * np.arange(start, start + _AAC_SAMPLES))
        frame = av.AudioFrame.from_ndarray(np.tile(wave, (2, 1)).astype(np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = _RATE_HZ, start, Fraction(1, _RATE_HZ)
        for one in context.encode(frame):
            ticks = round((one.pts or 0) / _RATE_HZ / TICK)
            length = round(_AAC_SAMPLES / _RATE_HZ / TICK)
            packets.append(LivePacket(index, bytes(one), ticks, ticks, length, True, 0.0))
    header = bytes(context.extradata or b"")
    return Track("audio", "audio", "aac", header, 64_000, sample_rate_hz=_RATE_HZ, channels=2), packets


def feed(what: Recorded, *targets: Target, speed: float | None = None) -> None:
    """Put all packets, so many times faster than they were made; or at once, as if they had come in their own time."""
    begin = time.monotonic()
    for packet in what.packets:
        seconds = float(packet.dts * TICK)
        if speed is not None:
            time.sleep(max(0.0, begin + seconds / speed - time.monotonic()))
        for target in targets:
            captured_at = begin + seconds if speed is None else time.monotonic()
            target.put(dataclasses.replace(packet, captured_at=captured_at))


class Pump:
    """Puts a recording again and again, with times that go on, until it is stopped."""

    def __init__(self, what: Recorded, *targets: Target, speed: float = 3.0) -> None:
        self.frames = 0
        """Of the first rendition, put so far."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(what, targets, speed))
        self._thread.start()

    def stop(self) -> None:
        """Put no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self, what: Recorded, targets: Sequence[Target], speed: float) -> None:
        begin = time.monotonic()
        for turn in itertools.count():
            for packet in what.later(turn * SECONDS).packets:
                if self._stopping.wait(max(0.0, begin + float(packet.dts * TICK) / speed - time.monotonic())):
                    return
                for target in targets:
                    target.put(dataclasses.replace(packet, captured_at=time.monotonic()))
                self.frames += packet.track == 0


def close_all(*targets: Target, seconds: float = 20.0) -> list[TargetState]:
    """End them; how they are then."""
    for target in targets:
        target.close(seconds)
    return [target.state() for target in targets]


def arrived(place: Path | str, stream: int = 0) -> list[float]:
    """Times in seconds, from the first on, of the frames of a video stream that can be decoded."""
    with av.open(str(place), "r") as container:
        found = [float(frame.time) for frame in container.decode(container.streams.video[stream]) if frame.time is not None]
    return [one - found[0] for one in found]


def assert_same_times(found: Sequence[float], wanted: Sequence[float], tolerance: float = 0.002) -> None:
    """The same frames at the same times, but for where time begins."""
    assert len(found) == len(wanted)
    assert all(abs(one - (other - wanted[0])) < tolerance for one, other in zip(found, wanted, strict=True))


def eventually(target: Target, holds: Callable[[TargetState], bool], seconds: float = 30.0) -> TargetState:
    """The first state of which it holds."""
    end = time.monotonic() + seconds
    while not holds(state := target.state()):
        assert time.monotonic() < end, f"it never came to that: {state}"
        time.sleep(0.02)
    return state
