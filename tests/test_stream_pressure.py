"""An encoder that is too slow: what gives way, in which order, and that latency stays bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame
from steady import undisturbed

from stcodec.encoders.session import EncoderSession
from stcodec.stream.observe.snapshot import Pressure, StreamSnapshot
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.stream import LiveStream
from stcodec.types import FloatArray

MAX_LATENCY_SECONDS = 0.6


def slowed(monkeypatch: pytest.MonkeyPatch, seconds_by_preset: Callable[[str], float]) -> None:
    """Every encoder takes so much longer for a frame."""
    send = EncoderSession.send

    def slow(
        self: EncoderSession, frame: VideoFrame, delta_qp: FloatArray | None, *, key: bool = False
    ) -> Sequence[Packet[Any]]:
        time.sleep(seconds_by_preset(self.plan.options["preset"]))
        return send(self, frame, delta_qp, key=key)

    monkeypatch.setattr(EncoderSession, "send", slow)


def watched(video: Path, out: Path, until: Callable[[StreamSnapshot], bool]) -> list[StreamSnapshot]:
    """The states of a stream of a video, over and over, until one of them is as wanted."""

    def run() -> list[StreamSnapshot]:
        for left in out.parent.iterdir():  # of a run before
            left.unlink()
        return states(video, out, until)

    return undisturbed(run)


def states(video: Path, out: Path, until: Callable[[StreamSnapshot], bool]) -> list[StreamSnapshot]:
    options = StreamOptions(
        str(video),
        (str(out),),
        renditions=(Rendition(180, 400.0),),
        attention="center",
        loops=True,
        max_latency_seconds=MAX_LATENCY_SECONDS,
    )
    seen: list[StreamSnapshot] = []
    end = time.monotonic() + 120
    with LiveStream(options) as running:
        while not seen or not until(seen[-1]):
            assert time.monotonic() < end, seen[-1]
            running.check()
            seen.append(running.snapshot())
            time.sleep(0.005)
    return seen


def test_an_easier_preset_comes_before_dropped_frames_and_targets_notice_nothing(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(monkeypatch, lambda preset: 0.0 if preset == "ultrafast" else 0.05)
    seen = watched(video, tmp_path / "out.mp4", lambda now: now.renditions[0].preset == "ultrafast" and now.frames_in > 60)
    levels = [one.pressure for one in seen]
    assert levels == sorted(levels) and set(levels) >= {Pressure.OLDER_MAPS, Pressure.FEWER_MAPS, Pressure.EASIER_PRESET}
    assert seen[-1].renditions[0].frames_dropped == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "out.mp4"]  # the header is the same: one file goes on
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) >= 60
    assert all(b - a == pytest.approx(0.04) for a, b in pairwise(times))


def test_frames_are_dropped_last_and_latency_stays_bounded(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(monkeypatch, lambda preset: 0.08)
    # Until frames come behind those that were dropped: the first sixteen or so fill the queue.
    seen = watched(
        video, tmp_path / "out.ts", lambda now: now.renditions[0].frames_dropped > 20 and now.renditions[0].frames > 24
    )
    first_drop = next(one for one in seen if one.renditions[0].frames_dropped)
    assert first_drop.pressure == Pressure.DROPPED_FRAMES
    assert seen[-1].renditions[0].preset == "ultrafast"
    levels = [one.pressure for one in seen]
    assert levels == sorted(levels)
    assert seen[-1].latency_p99_seconds < 3 * MAX_LATENCY_SECONDS
    with av.open(str(tmp_path / "out.ts")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert all(b > a for a, b in pairwise(times))
    assert len(times) < 0.9 * (times[-1] - times[0]) / 0.04  # what was dropped is missing, and nothing comes late
