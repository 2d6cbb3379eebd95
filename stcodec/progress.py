"""Progress of a run, stage by stage: of one video in frames, of many tasks in tasks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from stcodec.types import VideoInfo

_INTERVAL_SECONDS = 0.2


@dataclass(frozen=True)
class Progress:
    """State of a stage of a run. The fields about video are None where the stage is made of tasks."""

    stage: str
    """Of an encode: maps, pass 1, pass 2, encode or verify; of a search for a quality also shots, plain, search and compare;
    of an evaluation: clips, maps, points or pictures; of a batch: files."""
    done: int
    """Frames or tasks of this stage."""
    total: int | None
    """None if the container does not say how many frames there are."""
    seconds_left: float | None
    """Of this stage, as far as can be told."""
    what: str = ""
    """The task done last: "crowd libx264 motion crf 26"."""
    from_cache: int = 0
    """Of the tasks done, those whose result was found made."""
    frames_per_second: float | None = None
    """Of wall time, over this stage."""
    video_bytes: int | None = None
    """Bytes of video encoded in this stage so far."""
    video_seconds_done: float | None = None
    """Seconds of the video that have gone in."""
    video_seconds_total: float | None = None
    """None also if the container does not say."""


ProgressSink = Callable[[Progress], None]


class Meter:
    """Reports progress to a sink: when a stage begins, after every task, and a few times a second of frames."""

    def __init__(self, sink: ProgressSink | None, video: VideoInfo | None = None) -> None:
        """video: whose frames the stages go through; None = the stages are made of tasks."""
        self._sink = sink
        self._video = video
        self._begin("", None)

    def _begin(self, stage: str, total: int | None) -> None:
        self._stage = stage
        self._total = self._video.frames if total is None and self._video is not None else total
        self._started = self._told = time.monotonic()
        self._done = self._cached = 0
        self._first_seconds: float | None = None

    def enter(self, stage: str, total: int | None = None) -> None:
        """A new stage begins; it will go through so many frames or tasks, all frames of the video if None."""
        self._begin(stage, total)
        self._tell("", 0.0, 0)

    def frame(self, seconds: float, video_bytes: int) -> None:
        """Another frame has gone in, of this time; so many bytes of video came out in this stage so far."""
        self._done += 1
        if self._first_seconds is None:
            self._first_seconds = seconds
        now = time.monotonic()
        if now - self._told >= _INTERVAL_SECONDS:
            self._told = now
            self._tell("", seconds - self._first_seconds, video_bytes)

    def step(self, what: str, *, cached: bool = False) -> None:
        """Another task is done."""
        self._done += 1
        self._cached += cached
        self._tell(what, 0.0, 0)

    def _tell(self, what: str, video_seconds: float, video_bytes: int) -> None:
        if self._sink is None:
            return
        elapsed = max(1e-6, time.monotonic() - self._started)
        told = Progress(self._stage, self._done, self._total, self._seconds_left(elapsed), what, self._cached)
        if self._video is not None:
            told = replace(
                told,
                frames_per_second=self._done / elapsed,
                video_bytes=video_bytes,
                video_seconds_done=video_seconds,
                video_seconds_total=self._video.duration_seconds,
            )
        self._sink(told)

    def _seconds_left(self, elapsed: float) -> float | None:
        if self._total is None:
            return None
        made, left = self._done - self._cached, max(0, self._total - self._done)
        if not left:
            return 0.0
        return elapsed / made * left if made else None
