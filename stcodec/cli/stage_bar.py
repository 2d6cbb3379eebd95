"""Progress of commands that do many things one after another."""

from __future__ import annotations

import dataclasses
import json
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from stcodec.work.progress import StageProgress


def json_stages(progress: StageProgress) -> None:
    """A line of JSON on stdout."""
    print(json.dumps({"event": "progress", **dataclasses.asdict(progress)}), flush=True)


class StageBar:
    """A bar on stderr: the stage, how many of how many, what the cache had, time left. Silent off a terminal."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._enabled:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.fields[what]}", markup=False),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("clips", total=None, left="", what="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._enabled:
            self._bar.stop()

    def show(self, progress: StageProgress) -> None:
        """Draw the newest state."""
        if not self._enabled:
            return
        cached = f", {progress.from_cache} cached" if progress.from_cache else ""
        left = "" if progress.seconds_left is None else f"{duration(progress.seconds_left)} left"
        self._bar.update(
            self._task,
            description=progress.stage,
            total=progress.total,
            completed=progress.done,
            left=left + cached,
            what=progress.what,
        )


def duration(seconds: float) -> str:
    """Hours, minutes and seconds for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
