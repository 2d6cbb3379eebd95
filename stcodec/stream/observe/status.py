"""How a stream is doing, for people as one line that is drawn again and again, for machines as lines of JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator
from typing import Any, TextIO

from stcodec.media.paths import display_name
from stcodec.stream.observe.snapshot import Pressure, RenditionState, StreamSnapshot
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
    """The line for people. On a terminal it is drawn again in place; elsewhere it is a line every few seconds.

    What changes (a source that stalls, a target that comes back, pressure) is said once, on a line of its own.
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
    """One object a line for each snapshot."""

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
    """All that matters, in one line."""
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
    """What is different in a way that people want to know of, a line each."""
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
