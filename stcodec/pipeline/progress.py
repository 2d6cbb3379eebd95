"""How far a run is, for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from stcodec.types import VideoInfo

_INTERVAL_SECONDS = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    stage: str
    """maps, pass 1, pass 2, encode or verify; of a search for a quality also shots, plain, search and compare."""
    frames_done: int
    frames_total: int | None
    """None if the container does not say."""
    frames_per_second: float
    """Of wall time, over this stage."""
    video_bytes: int
    """Bytes of video encoded in this stage so far."""
    seconds_done: float
    """How much of the video's own time has gone in."""
    seconds_total: float | None


ProgressSink = Callable[[Progress], None]


class Meter:
    """Tells a sink how far the run is: when a stage begins, and a few times a second."""

    def __init__(self, sink: ProgressSink | None, video: VideoInfo) -> None:
        self._sink = sink
        self._video = video
        self._begin("", None)

    def enter(self, stage: str, frames_total: int | None = None) -> None:
        """A new stage begins; it will go through so many frames, those of the video if None."""
        self._begin(stage, frames_total)
        self._tell(0.0, 0)

    def _begin(self, stage: str, frames_total: int | None) -> None:
        self._stage = stage
        self._frames_total = self._video.frames if frames_total is None else frames_total
        self._started = self._told = time.monotonic()
        self._frames = 0
        self._first_seconds: float | None = None

    def frame(self, seconds: float, video_bytes: int) -> None:
        """Another frame has gone in."""
        self._frames += 1
        if self._first_seconds is None:
            self._first_seconds = seconds
        now = time.monotonic()
        if now - self._told >= _INTERVAL_SECONDS:
            self._told = now
            self._tell(seconds - self._first_seconds, video_bytes)

    def _tell(self, seconds: float, video_bytes: int) -> None:
        if self._sink is None:
            return
        elapsed = max(1e-6, time.monotonic() - self._started)
        video = self._video
        self._sink(
            Progress(
                self._stage,
                self._frames,
                self._frames_total,
                self._frames / elapsed,
                video_bytes,
                seconds,
                video.duration_seconds,
            )
        )
