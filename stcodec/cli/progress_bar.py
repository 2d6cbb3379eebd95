"""Progress of a command: a bar for people, lines of JSON for machines."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from stcodec.cli.streams import for_drawing
from stcodec.media.paths import display_name

if TYPE_CHECKING:
    from stcodec.progress import Progress, ProgressSink


def json_progress(progress: Progress) -> None:
    """A line of JSON on stdout."""
    print(json.dumps({"event": "progress", **dataclasses.asdict(progress)}), flush=True)


@contextmanager
def shown(arguments: argparse.Namespace, source: str | None = None) -> Iterator[ProgressSink]:
    """Sink for the progress of a command: lines of JSON with --json, nothing with --quiet, else a bar on stderr.

    source: the file that is encoded, if it is one.
    """
    if arguments.json:
        yield json_progress
    else:
        with ProgressBar(enabled=not arguments.quiet, source=source) as bar:
            yield bar.show


class ProgressBar:
    """A bar on stderr: the stage, how much of it is done, the time left, and what the stage tells. Silent off a terminal.

    Of an encode it tells the speed, the size so far, and the size it is heading for against the source's.
    """

    def __init__(self, *, enabled: bool, source: str | None = None) -> None:
        """source: the file that is encoded, if it is one."""
        self._source = None if source is None else Path(source)
        self._enabled = enabled and sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._enabled:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            # All of it fits 80 columns; it goes away when the summary comes.
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[share]}"),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.fields[detail]}", markup=False),
                console=Console(file=for_drawing(sys.stderr)),
                transient=True,
            )
            self._task = self._bar.add_task("starting", total=None, share="", left="", detail="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._enabled:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Draw the newest state."""
        if not self._enabled:
            return
        is_video = progress.frames_per_second is not None
        self._bar.update(
            self._task,
            description=progress.stage,
            total=progress.total,
            completed=progress.done,
            share=_percent(progress) if is_video else f"{progress.done}/{progress.total}",
            left="" if progress.seconds_left is None else f"{duration(progress.seconds_left)} left",
            detail=display_name(self._of_video(progress) if is_video else _of_tasks(progress)),
        )

    def _of_video(self, progress: Progress) -> str:
        parts = [progress.what] if progress.what else []
        if progress.done:
            parts.append(f"{progress.frames_per_second:.1f} fps")
        if progress.video_bytes:
            parts.append(size(progress.video_bytes))
            share = (progress.video_seconds_done or 0.0) / (progress.video_seconds_total or float("inf"))
            if share > 0.05 and self._source is not None and not progress.what:
                heading = progress.video_bytes / min(1.0, share)
                parts.append(f"heading for {size(heading)} ({heading / self._source.stat().st_size - 1:+.0%})")
        return ", ".join(parts)


def _percent(progress: Progress) -> str:
    return f"{min(1.0, progress.done / progress.total):4.0%}" if progress.total else ""


def _of_tasks(progress: Progress) -> str:
    cached = f"{progress.from_cache} cached" if progress.from_cache else ""
    return ", ".join(part for part in (cached, progress.what) if part)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(count: int, noun: str) -> str:
    """A number of things: 1 shot, 2 shots."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
