"""Low-latency DASH: CMAF chunks in segments that can be fetched while they grow, and the manifest.

Segments have numbers and all the same length, as DASH-IF's guidelines for low latency want it: players know when the next
comes without asking. When that is no longer so (a stall, another frame rate, another size), a new period begins.
A segment has the ending `.tmp` until it is whole; a server that gives out what grows looks there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import quoteattr

from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.codecs import codecs_parameter
from stcodec.stream.output.files import write_whole
from stcodec.stream.output.ladder import LadderSender
from stcodec.stream.output.muxers import LEAD
from stcodec.stream.output.segments import Segment, TrackFiles
from stcodec.stream.output.wall_clock import date_text
from stcodec.stream.packet import TICK

_UPDATE_SECONDS = 2
_MARGIN_SECONDS = 0.05
"""Players ask so much later than the files have come so far."""
_TOLERANCE_SECONDS = 0.2
_TARGET_LATENCY_SECONDS = 1.0
TIME_NAME = "time"
"""Where our server says what time it is."""


@dataclass(frozen=True)
class _Member:
    """A track in a period: its files, and the first of them."""

    files: TrackFiles
    head_name: str
    first_number: int
    description: str


@dataclass(frozen=True)
class _Period:
    """A run of segments of the same length."""

    segment: Segment
    """The first of the first rendition."""
    members: tuple[_Member, ...]

    def expects(self, segment: Segment) -> bool:
        """Whether a segment of the first rendition is where players look for it."""
        later = (segment.number - self.segment.number) * self.segment.seconds
        times = float((segment.start_pts - self.segment.start_pts) * TICK), segment.unix_seconds - self.segment.unix_seconds
        return not segment.is_discontinuity and all(abs(one - later) < _TOLERANCE_SECONDS for one in times)


class DashSender(LadderSender):
    """Segments in a folder, with a manifest that is rewritten as a whole."""

    joint = "-"
    chunk_seconds = 0.2

    def __init__(self, target: TargetAddress, segment_seconds: float, *, is_served: bool = False) -> None:
        super().__init__(target, segment_seconds, is_served=is_served)
        self._periods: list[_Period] = []
        self._zero = 0.0
        """Seconds since 1970 at which the first segment could have been had, had it no length."""
        self._first_unix_seconds = 0.0

    def publish(self, files: TrackFiles, segment: Segment) -> None:
        """Rewrite the manifest when it has something new to say."""
        if files is self.tracks[0] and not (self._periods and self._periods[-1].expects(segment)):
            if not self._periods:
                self._zero = time.time() - segment.seconds + _MARGIN_SECONDS
                self._first_unix_seconds = segment.unix_seconds
            self._periods.append(_Period(segment, tuple(_member(one, segment) for one in self.tracks)))
            self._forget(segment)
            write_whole(self.list_path, self._manifest(None).encode())
        elif not self.list_path.exists():
            write_whole(self.list_path, self._manifest(None).encode())

    def publish_end(self) -> None:
        """Say how long it was, and what of it can still be had: at the same times as before, for who is just playing it."""
        if self._periods and self.tracks[0].window:
            last = self.tracks[0].window[-1]
            length = self._start(last) + last.seconds
            self._periods = [kept for one in self._periods if (kept := _kept(one)) is not None]
            write_whole(self.list_path, self._manifest(length).encode())

    def _forget(self, newest: Segment) -> None:
        """Leave out periods of which no file is left."""
        oldest = newest.unix_seconds - 2 * self.keep * newest.seconds
        while len(self._periods) > 2 and self._periods[1].segment.unix_seconds < oldest:
            del self._periods[0]

    def _start(self, segment: Segment) -> float:
        """Seconds from the stream's begin to a segment's, by the clock on the wall."""
        return max(0.0, segment.unix_seconds - self._first_unix_seconds)

    def _manifest(self, length_seconds: float | None) -> str:
        return "\n".join(self._lines(length_seconds))

    def _lines(self, length_seconds: float | None) -> Iterator[str]:
        first = self._periods[-1].segment
        depth = self.keep * first.seconds
        kind, until = "dynamic", f'minimumUpdatePeriod="PT{_UPDATE_SECONDS}S" timeShiftBufferDepth="PT{depth:.3f}S"'
        if length_seconds is not None:
            kind, until = "static", f'mediaPresentationDuration="PT{length_seconds:.3f}S"'
        yield '<?xml version="1.0" encoding="utf-8"?>'
        yield (
            f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="{kind}" '
            f'availabilityStartTime="{date_text(self._zero)}" publishTime="{date_text(time.time())}" {until} '
            f'minBufferTime="PT{first.seconds:.3f}S" maxSegmentDuration="PT{2 * first.seconds:.3f}S">'
        )
        target = round(1000 * _TARGET_LATENCY_SECONDS)
        yield f'<ServiceDescription id="0"><Latency target="{target}" min="{target // 2}" max="{5 * target}"/>'
        yield '<PlaybackRate min="0.95" max="1.05"/></ServiceDescription>'
        ends = [*(self._start(one.segment) for one in self._periods[1:]), length_seconds]
        for period, end in zip(self._periods, ends, strict=True):
            start = self._start(period.segment)
            lasts = "" if end is None else f' duration="PT{end - start:.3f}S"'
            yield f'<Period id="{period.segment.number}" start="PT{start:.3f}S"{lasts}>'
            for kind in ("video", "audio"):
                members = [one for one in period.members if one.files.track.kind == kind]
                yield from self._adaptation_set(period, kind, members)
            yield "</Period>"
        if self.is_served:
            yield f'<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="{TIME_NAME}"/>'
        yield "</MPD>\n"

    def _adaptation_set(self, period: _Period, kind: str, members: Sequence[_Member]) -> Iterator[str]:
        if not members:
            return
        segment = period.segment
        length, offset = segment.end_pts - segment.start_pts, segment.start_pts + LEAD
        early = max(0.0, segment.seconds - self.chunk_seconds)
        yield f'<AdaptationSet contentType="{kind}" mimeType="{kind}/mp4" segmentAlignment="true" startWithSAP="1">'
        yield (
            f'<ProducerReferenceTime id="0" type="captured" wallClockTime="{date_text(segment.unix_seconds)}" '
            f'presentationTime="{offset}"/>'
        )
        for one in members:
            yield f"<Representation id={quoteattr(one.files.stem)} {one.description}>"
            yield (
                f'<SegmentTemplate timescale="{round(1 / TICK)}" duration="{length}" presentationTimeOffset="{offset}" '
                f'startNumber="{one.first_number}" availabilityTimeOffset="{early:.3f}" availabilityTimeComplete="false" '
                f"initialization={quoteattr(one.head_name)} media={quoteattr(one.files.media_pattern)}/>"
            )
            yield "</Representation>"
        yield "</AdaptationSet>"


def _kept(period: _Period) -> _Period | None:
    """The part of a period whose segments still exist; None if none do."""
    first = next((one for one in period.members[0].files.window if one.number >= period.members[0].first_number), None)
    if first is None:
        return None
    members = (replace(one, first_number=_number_at(one.files, first)) for one in period.members)
    return _Period(first, tuple(members))


def _number_at(files: TrackFiles, leader: Segment) -> int:
    """The number of a track's segment that begins when the first rendition's does."""
    near = (one for one in files.window if abs(float((one.start_pts - leader.start_pts) * TICK)) < _TOLERANCE_SECONDS)
    return next((one.number for one in near), files.number)


def _member(files: TrackFiles, leader: Segment) -> _Member:
    """A track from the segment on that begins when the first rendition's does."""
    track = files.track
    words = [
        f"codecs={quoteattr(codecs_parameter(track))}",
        f'bandwidth="{track.bitrate_bps or round(files.peak_bps) or 1}"',
    ]
    if track.kind == "video":
        words += [f'width="{track.width_px}"', f'height="{track.height_px}"']
        words += [f'frameRate="{track.frame_rate}"'] if track.frame_rate else []
    else:
        words.append(f'audioSamplingRate="{track.sample_rate_hz}"')
    return _Member(files, files.head_name, _number_at(files, leader), " ".join(words))
