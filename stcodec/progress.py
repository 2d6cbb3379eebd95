"""Progress of a run, stage by stage: of one video in frames, of many tasks in tasks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
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
    """What is at work: of tasks the first that is not done ("crowd libx264 motion crf 26"); of a video what keeps the next
    frame waiting ("decoding a sample"), else what the stage is for ("trial 2 of at most 6"). Can be empty."""
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
        self._done = self._cached = self._bytes = 0
        self._seconds, self._what = 0.0, ""
        self._first_seconds: float | None = None
        self._waiting: dict[int, str] = {}

    def enter(self, stage: str, total: int | None = None, what: str = "") -> None:
        """A new stage begins; it will go through so many frames, all of the video if None. what: for what purpose."""
        self._begin(stage, total)
        self._what = what
        self._tell(what, 0.0, 0)

    def now(self, what: str) -> None:
        """This takes its time, before the next frame or after the last."""
        self._told = -math.inf
        self._tell(what, self._seconds, self._bytes)

    def enter_tasks(self, stage: str, tasks: Sequence[str]) -> None:
        """A new stage begins, of these tasks; they are begun in this order."""
        self._begin(stage, len(tasks))
        self._waiting = dict(enumerate(tasks))
        self._tell_tasks()

    def task(self, place: int, *, cached: bool = False) -> None:
        """The task at a place is done."""
        del self._waiting[place]
        self._done += 1
        self._cached += cached
        self._tell_tasks()

    def _tell_tasks(self) -> None:
        self._tell(next(iter(self._waiting.values()), ""), 0.0, 0)

    def frame(self, seconds: float, video_bytes: int) -> None:
        """Another frame has gone in, of this time; so many bytes of video came out in this stage so far."""
        self._done += 1
        if self._first_seconds is None:
            self._first_seconds = seconds
        self._seconds, self._bytes = seconds - self._first_seconds, video_bytes
        now = time.monotonic()
        if now - self._told >= _INTERVAL_SECONDS:
            self._told = now
            self._tell(self._what, self._seconds, video_bytes)

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
