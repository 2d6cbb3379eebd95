"""Segment files of every track, cut at the same times, and the window of those that still exist.

HLS and DASH are lists over these. A video track's segment ends at its first key frame after the wanted length, which is the
same for all renditions; audio ends where the first rendition does.
"""

from __future__ import annotations

import contextlib
import errno
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stcodec.stream.output.files import GROWING, write_whole
from stcodec.stream.output.muxers import fragment, head
from stcodec.stream.packet import TICK, LivePacket, Track

_KEPT_AFTERWARDS = 4
"""Segments that are still there when they are in no list any more: a player may just be fetching them."""
PARTS_LISTED = 3
"""Whole segments whose parts are listed beside them."""
_SLACK_SHARE = 100
"""A chunk may be longer or shorter by that share: times are rounded."""
_GAP_TICKS = round(0.3 / TICK)


@dataclass(frozen=True)
class SegmentPart:
    """A piece of a segment that can be had by itself before the segment is whole."""

    name: str
    seconds: float
    is_independent: bool
    """Whether it begins with a key frame."""


@dataclass(frozen=True)
class Segment:
    """A piece of one track in a file of its own, whole."""

    number: int
    name: str
    start_pts: int
    """`TICK`s, of its first frame."""
    end_pts: int
    unix_seconds: float
    """Arrival of its first frame, seconds since 1970."""
    head_name: str
    """The file that players must read before it."""
    is_discontinuity: bool
    """Whether it does not continue the one before: other times, or another header."""
    parts: tuple[SegmentPart, ...] = ()

    @property
    def seconds(self) -> float:
        """Its length."""
        return float((self.end_pts - self.start_pts) * TICK)


@dataclass
class TrackFiles:
    """One track's files in a folder."""

    folder: Path
    stem: str
    track: Track
    keep: int
    """Segments in the list."""
    chunk_ticks: int
    """The longest piece that is written at once."""
    number: int
    """Number of the segment that is being written."""
    has_parts: bool = False
    """Whether each chunk is a file of its own, too."""
    parts: list[SegmentPart] = field(default_factory=list)
    """Of the segment that is being written."""
    window: deque[Segment] = field(default_factory=deque)
    breaks_gone: int = 0
    """Segments that begin anew and are in the list no more."""
    total_bytes: int = 0
    peak_bps: float = 0.0
    """Highest bitrate of any segment so far."""
    start_pts: int | None = None
    """Start of the segment that is being written; None between two."""
    unix_seconds: float = 0.0
    """Arrival of the first frame of the segment that is being written, or was written last."""
    is_discontinuity: bool = False
    """Whether the segment that is being written does not go on from the one before."""
    _gone: deque[Segment] = field(default_factory=deque)
    head_name: str = ""
    """The newest."""
    _chunk: list[LivePacket] = field(default_factory=list)
    _fragments: int = 0
    _segment_bytes: int = 0
    _end_pts: int = 0

    def begin(self, track: Track) -> None:
        """Write the head; what comes now does not go on from what was before."""
        self.track = track
        self.head_name = f"{self.stem}_init{self.number}.mp4"
        write_whole(self.folder / self.head_name, head([track]))
        self.is_discontinuity = bool(self.window)
        self.start_pts = None
        self._forget_lost()

    def add(self, packet: LivePacket, unix_seconds: float) -> bool:
        """Add a packet to the segment that is being written; whether a chunk was written."""
        if self.start_pts is None:
            self.start_pts, self.unix_seconds, self._segment_bytes = packet.pts, unix_seconds, 0
            self.is_discontinuity |= bool(self.window) and self._is_gap(packet.pts)
            self._growing.unlink(missing_ok=True)
        slack, end = self.chunk_ticks // _SLACK_SHARE, packet.dts + packet.duration
        is_too_much = bool(self._chunk) and end - self._chunk[0].dts > self.chunk_ticks + slack
        if is_too_much:
            self.flush()
        self._chunk.append(packet)
        self._end_pts = max(self._end_pts, packet.pts + max(packet.duration, 1))
        is_full = end - self._chunk[0].dts >= self.chunk_ticks - slack
        if is_full:
            self.flush()
        return is_full or is_too_much

    def flush(self) -> None:
        """Write what was added, so that it can be had."""
        if not self._chunk:
            return
        self._fragments += 1
        content = fragment([self.track], self._chunk, 0, self._fragments)
        with self._growing.open("ab", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
        self._segment_bytes += len(content)
        self.total_bytes += len(content)
        if self.has_parts:
            name, first = self.part_name(len(self.parts)), self._chunk[0]
            write_whole(self.folder / name, content)
            self.parts.append(SegmentPart(name, float((self._end_pts - first.pts) * TICK), first.is_key))
        self._chunk = []

    def finish(self, following: LivePacket | None = None) -> Segment | None:
        """Make the segment whole. following: the packet that the next begins with, if there is one."""
        if self.start_pts is None:
            return None
        self.flush()
        if not (self.folder / self.head_name).exists():
            raise FileNotFoundError(errno.ENOENT, "its files were removed")
        name = self._name(self.number)
        self._growing.replace(self.folder / name)
        # It lasts until the next begins, unless something is missing in between.
        end = following.pts if following is not None and not self._is_gap(following.pts) else self._end_pts
        times = self.start_pts, end, self.unix_seconds
        made = Segment(self.number, name, *times, self.head_name, self.is_discontinuity, tuple(self.parts))
        self.peak_bps = max(self.peak_bps, 8 * self._segment_bytes / max(made.seconds, 0.1))
        self.window.append(made)
        self.number += 1
        self.start_pts, self.is_discontinuity, self.parts = None, False, []
        self._slide()
        return made

    def give_up(self) -> None:
        """Remove what is half written. Never raises."""
        with contextlib.suppress(OSError):
            self._growing.unlink(missing_ok=True)
            self._remove(self.parts)
        self._chunk, self.start_pts, self.parts = [], None, []

    def remove_parts(self) -> None:
        """Remove the parts of whole segments: nobody is told of them any more."""
        for segment in self.window:
            self._remove(segment.parts)

    def part_name(self, place: int) -> str:
        """Name of a part of the segment that is being written; place: from 0 on."""
        return f"{self.stem}_{self.number}.{place}.m4s"

    def _remove(self, parts: Iterable[SegmentPart]) -> None:
        for one in parts:
            (self.folder / one.name).unlink(missing_ok=True)

    def _forget_lost(self) -> None:
        """Leave out what somebody has removed: the folder may be another one than before."""
        lost = [one for one in self.window if not (self.folder / one.name).exists()]
        self.breaks_gone += sum(one.is_discontinuity for one in lost)
        self.window = deque(one for one in self.window if one not in lost)

    @property
    def media_pattern(self) -> str:
        """The names of segments, as a template of DASH."""
        return f"{self.stem}_$Number$.m4s"

    def _is_gap(self, next_pts: int) -> bool:
        return abs(next_pts - self._end_pts) > _GAP_TICKS

    @property
    def _growing(self) -> Path:
        return self.folder / (self._name(self.number) + GROWING)

    def _name(self, number: int) -> str:
        return f"{self.stem}_{number}.m4s"

    def _slide(self) -> None:
        if len(self.window) > PARTS_LISTED + 1:
            self._remove(self.window[-PARTS_LISTED - 2].parts)
        while len(self.window) > self.keep:
            self._gone.append(self.window.popleft())
            self.breaks_gone += self._gone[-1].is_discontinuity
        while len(self._gone) > _KEPT_AFTERWARDS:
            old = self._gone.popleft()
            (self.folder / old.name).unlink(missing_ok=True)
            heads = {one.head_name for one in (*self._gone, *self.window)} | {self.head_name}
            if old.head_name not in heads:
                (self.folder / old.head_name).unlink(missing_ok=True)
