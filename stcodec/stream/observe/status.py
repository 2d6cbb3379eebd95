"""State of a stream, as one line for people and as lines of JSON for programs, once a second."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TextIO

from stcodec.media.paths import display_name
from stcodec.stream.observe.snapshot import Observed, Pressure, RenditionState, StreamSnapshot
from stcodec.web.page import finite

_LINE_SECONDS = 5.0
"""Off a terminal a line is written this often."""
_PRESSURE_NAMES = {
    Pressure.NONE: "none",
    Pressure.OLDER_MAPS: "older maps",
    Pressure.FEWER_MAPS: "fewer maps",
    Pressure.EASIER_PRESET: "easier preset",
    Pressure.DROPPED_FRAMES: "dropped frames",
}
_CLEAR_LINE = "\r\x1b[K"


class StatusLine:
    """Status line for people: redrawn in place on a terminal, a line every few seconds elsewhere.

    Changes (a source that stalls, a target that comes back, pressure) get a line of their own, once.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._terminal = file.isatty()
        self._before: StreamSnapshot | None = None
        self._line_due = 0.0

    def show(self, snapshot: StreamSnapshot) -> None:
        """Draw the newest state."""
        said = [] if self._before is None else list(changes(self._before, snapshot))
        self._before = snapshot
        clear, text = (_CLEAR_LINE if self._terminal else ""), ""
        if said:
            text = clear + "".join(f"{one}\n" for one in said)
        if self._terminal:
            text += clear + status_line(snapshot)[: self._columns() - 1]
        elif time.monotonic() >= self._line_due:
            self._line_due = time.monotonic() + _LINE_SECONDS
            text += status_line(snapshot) + "\n"
        if text:
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        """Leave the terminal on a fresh line."""
        if self._terminal and self._before is not None:
            self._file.write("\n")
            self._file.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._file.fileno()).columns or 80
        except OSError:
            return 80


class JsonLines:
    """Writer of one JSON object a line for each snapshot."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, snapshot: StreamSnapshot) -> None:
        """Write a line."""
        self._file.write(json.dumps({"event": "status", **record(snapshot)}) + "\n")
        self._file.flush()


def record(snapshot: StreamSnapshot) -> dict[str, Any]:
    """A snapshot as JSON's own types: pressure by name, None for what is no number."""
    fields: dict[str, Any] = finite(dataclasses.asdict(snapshot))
    return fields | {"pressure": snapshot.pressure.name.lower()}


def status_line(snapshot: StreamSnapshot) -> str:
    """Summary of a snapshot in one line."""
    parts = [_clock(snapshot.running_seconds)]
    if snapshot.source_condition != "open":
        parts.append(f"source {snapshot.source_condition}")
    fps = min((one.fps for one in snapshot.renditions), default=snapshot.fps_in)
    parts += [f"{fps:.1f} fps", f"latency {1000 * snapshot.latency_seconds:.0f} ms", _map(snapshot)]
    parts += [_rendition(one) for one in snapshot.renditions]
    parts.append(f"dropped {sum(one.frames_dropped for one in snapshot.renditions)}")
    if snapshot.pressure:
        parts.append(f"pressure: {_PRESSURE_NAMES[snapshot.pressure]}")
    parts += [f"{display_name(one.name)} {one.condition}" for one in snapshot.targets if one.condition != "open"]
    return " | ".join(parts)


def changes(before: StreamSnapshot, now: StreamSnapshot) -> Iterator[str]:
    """Messages about changes between two snapshots that people want to know of."""
    if now.source_condition != before.source_condition:
        yield _said(f"source {now.source}", now.source_condition, now.source_message)
    for old, target in zip(before.targets, now.targets, strict=False):
        if target.condition != old.condition:
            yield _said(f"target {target.name}", target.condition, target.message)
        elif target.packets_dropped and not old.packets_dropped:
            yield _said(f"target {target.name}", "too slow, packets are dropped", "")
    if now.pressure != before.pressure:
        yield f"pressure: {_PRESSURE_NAMES[now.pressure]} (was: {_PRESSURE_NAMES[before.pressure]})"
    if now.attention_restarts > before.attention_restarts:
        why = f": {now.attention_message}" if now.attention_message else ""
        yield display_name(f"attention was begun anew ({now.attention_restarts} so far){why}")
    if now.timestamp_jumps > before.timestamp_jumps:
        yield f"the source's timestamps jumped ({now.timestamp_jumps} so far)"


def _said(what: str, condition: str, message: str) -> str:
    return display_name(f"{what}: {condition}" + (f" ({message})" if message else ""))


def _map(snapshot: StreamSnapshot) -> str:
    if snapshot.map_age_seconds is None:
        return "no map" if snapshot.map_condition == "none" else f"map {snapshot.map_condition}"
    return f"map {1000 * snapshot.map_age_seconds:.0f} ms {snapshot.map_condition}"


def _rendition(one: RenditionState) -> str:
    buffer = "" if one.buffer_fill is None else f" buffer {100 * one.buffer_fill:.0f} %"
    return f"{display_name(one.name)} {one.kbps:.0f}/{one.target_kbps:.0f} kbit/s{buffer}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


SnapshotSink = Callable[[StreamSnapshot], None]


class Watch:
    """Gives every sink a snapshot a second, and a last one at the end, on a thread of its own.

    A sink whose reader has gone is left out from then on: a stream doesn't end because nobody looks.
    """

    def __init__(self, observed: Observed, sinks: Sequence[SnapshotSink], every_seconds: float = 1.0) -> None:
        self._observed = observed
        self._sinks = list(sinks)
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        snapshot = self._observed.snapshot()
        for sink in list(self._sinks):
            try:
                sink(snapshot)
            except (OSError, ValueError):  # a closed pipe; a file closed by its owner
                self._sinks.remove(sink)
