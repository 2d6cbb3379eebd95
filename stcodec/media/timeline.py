"""One continuous clock for all streams of an input, whatever its container says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from stcodec.media.probe import is_cover

_STEP_BACK_SECONDS = Fraction(1, 10)
"""ffmpeg's own limit: less is the jitter of a muxer, which the order of packets puts right."""
_JUMP_SECONDS = 10
"""ffmpeg's -dts_delta_threshold: what clocked containers jump ahead by more than this is a discontinuity."""
_SAID_SECONDS = 3
"""A smaller gap is a pause of the recording, and not worth a word."""
_WRAP_TICKS = 1 << 33
"""MPEG's clock has 33 bits."""


def has_running_clock(container: InputContainer) -> bool:
    """Whether a container has a clock that runs on from one recording to the next, and may jump (MPEG-TS, MPEG-PS)."""
    return Flags.ts_discont in Flags(container.format.flags)


def origin_of(container: InputContainer, stream: VideoStream) -> Fraction:
    """Seconds to add to all times so that a video begins where players begin it, and nothing of it lies before 0.

    What a running clock shows at the beginning means nothing: as in ffmpeg, the first packet of all streams is at 0.
    """
    start = (stream.start_time or 0) * (stream.time_base or Fraction(1))
    if not has_running_clock(container):
        return max(-start, Fraction(0))
    if container.start_time is not None:
        start = min(start, Fraction(container.start_time, av.time_base))
    return -start


@dataclass(eq=False)
class _StreamTime:
    """Position of one stream, in ticks of its own time base, after repair."""

    clock: int = 0
    """The index of the clock that the stream's packets are timed by."""
    dts: int | None = None
    """Of the last packet."""
    dts_step: int = 0
    """Duration of the last packet, or what it was of one that had it."""
    end: int | None = None
    """The latest end of a packet's presentation."""


class Timeline:
    """Puts the times of packets, in the order that a demuxer gives them, on one continuous clock.

    A step back (a wrapped clock, joined recordings) continues where the stream was; so does a jump ahead of more than 10 s
    in a container with a running clock (MPEG-TS, MPEG-PS), as ffmpeg does. All streams move by the same offset, so that
    audio and picture stay together: the first stream that meets a discontinuity opens a new clock, the others change to
    it when they meet theirs. Packets before the discontinuity that come late keep the old one.
    """

    def __init__(self, *, has_running_clock: bool) -> None:
        """has_running_clock: the container is of a kind whose clock may jump without a meaning (AVFMT_TS_DISCONT)."""
        self.has_running_clock = has_running_clock
        self._clocks = [Fraction(0)]
        """Seconds that are added to the container's times, a clock each."""
        self._streams: dict[int, _StreamTime] = {}
        self._end_seconds = Fraction(0)
        self.steps_back = 0
        """Discontinuities at which the container's clock went back."""
        self.closed_seconds: list[float] = []
        """Jumps ahead that were closed up."""
        self.kept_seconds: list[float] = []
        """Jumps ahead of all streams that were kept."""

    def __call__(self, packet: Packet[Any]) -> bool:
        """Repair a packet's pts and dts in place; False if it is audio that was played already or is cut out, and has to go.

        Packets without any time pass as they are.
        """
        base, raw = packet.time_base, packet.dts if packet.dts is not None else packet.pts
        if base is None or raw is None:
            return True
        stream = self._streams.setdefault(packet.stream.index, _StreamTime(len(self._clocks) - 1))
        if packet.is_discard:  # an edit list leaves it out: what stands before and behind it has its right time
            return packet.stream.type == "video" or _is_priming(packet, stream)
        is_main = packet.stream.type in ("video", "audio") and not is_cover(packet.stream)
        if not is_main:
            stream.clock = self._nearest_clock(raw * base)
        elif packet.dts is not None and stream.dts is not None:
            self._follow(packet, stream, packet.dts, base)
        shift = round(self._clocks[stream.clock] / base)
        if shift:
            packet.dts = None if packet.dts is None else packet.dts + shift
            packet.pts = None if packet.pts is None else packet.pts + shift
        return not is_main or self._note(packet, stream, base)

    def notes(self) -> list[str]:
        """Messages on what was done."""
        said = []
        if self.steps_back:
            said.append(f"the input's clock goes back {_times(self.steps_back)}: the parts were joined without a gap")
        if self.closed_seconds:
            said.append(_gaps(self.closed_seconds, "the gap was closed", "the gaps were closed"))
        if self.kept_seconds:
            said.append(_gaps(self.kept_seconds, "the last picture stands meanwhile", "the last picture stands meanwhile"))
        return said

    def _follow(self, packet: Packet[Any], stream: _StreamTime, dts: int, base: Fraction) -> None:
        """Leave the stream's clock if the packet does not continue it."""
        if self._continues(packet, stream, dts * base, self._clocks[stream.clock], base):
            return
        for index in range(stream.clock + 1, len(self._clocks)):
            if self._near(stream, dts * base, self._clocks[index], base):
                stream.clock = index
                self._keep_order(packet, stream, base)
                return
        self._open_clock(packet, stream, dts, base)

    def _continues(self, packet: Packet[Any], stream: _StreamTime, raw: Fraction, offset: Fraction, base: Fraction) -> bool:
        assert stream.dts is not None
        step = raw + offset - stream.dts * base
        if step < 0:  # a recording begins with a key picture: there any step back is a join, elsewhere a small one is jitter
            if packet.stream.type == "video" and packet.is_keyframe:
                if packet.pts is None or stream.end is None or packet.pts * base + offset < stream.end * base:
                    return False
                return step >= -_JUMP_SECONDS
            return step >= -_STEP_BACK_SECONDS
        ahead = raw + offset - self._end_seconds
        return not (self.has_running_clock and ahead > _JUMP_SECONDS)

    def _near(self, stream: _StreamTime, raw: Fraction, offset: Fraction, base: Fraction) -> bool:
        """Whether a packet goes on where its stream was, by the clock that another stream opened."""
        assert stream.dts is not None
        step = raw + offset - stream.dts * base
        return -1 < step < _JUMP_SECONDS

    def _open_clock(self, packet: Packet[Any], stream: _StreamTime, dts: int, base: Fraction) -> None:
        assert stream.dts is not None
        old = self._clocks[stream.clock]
        before = stream.dts * base
        step = dts * base + old - before
        wrap = _WRAP_TICKS * Fraction(1, 90_000)
        if self.has_running_clock and step > wrap / 2:  # libav takes a step back for a clock that wrapped
            old, step = old - wrap, step - wrap
        if self.has_running_clock and abs(step + wrap) < _JUMP_SECONDS:
            offset = old + wrap
        elif packet.stream.type == "video" and packet.is_keyframe and packet.pts is not None and stream.end is not None:
            offset = (stream.end - packet.pts) * base
        else:
            offset = (stream.dts + stream.dts_step - dts) * base
        if step < 0:
            self.steps_back += 1
        else:
            self.closed_seconds.append(float(step))
        self._clocks.append(offset)
        stream.clock = len(self._clocks) - 1

    def _keep_order(self, packet: Packet[Any], stream: _StreamTime, base: Fraction) -> None:
        """Pictures of a clock that audio opened must not come before those that were shown."""
        if packet.stream.type != "video" or packet.pts is None or stream.end is None or not packet.is_keyframe:
            return
        early = stream.end * base - (packet.pts * base + self._clocks[stream.clock])
        self._clocks[stream.clock] += max(early, Fraction(0))

    def _nearest_clock(self, raw: Fraction) -> int:
        """The clock by which a packet of a sparse stream lies nearest to what was read last."""
        return min(range(len(self._clocks)), key=lambda index: abs(raw + self._clocks[index] - self._end_seconds))

    def _note(self, packet: Packet[Any], stream: _StreamTime, base: Fraction) -> bool:
        """Remember how far the stream has come; False for audio of a joined part that lies before the end of the last."""
        time = packet.dts if packet.dts is not None else packet.pts
        assert time is not None
        duration = packet.duration or 0
        is_late = stream.end is not None and time < stream.end - max(duration // 2, 1)
        if packet.stream.type == "audio" and stream.clock and is_late:
            return False
        if packet.dts is not None:
            if stream.dts is not None and not duration:
                duration = max(0, packet.dts - stream.dts)
            stream.dts, stream.dts_step = packet.dts, duration or stream.dts_step
        if packet.pts is not None:
            ahead = packet.pts * base - self._end_seconds
            if stream.end is not None and ahead > _SAID_SECONDS:
                self.kept_seconds.append(float(ahead))
            stream.end = max(stream.end or packet.pts, packet.pts + duration)
            self._end_seconds = max(self._end_seconds, stream.end * base)
        return True


def _is_priming(packet: Packet[Any], stream: _StreamTime) -> bool:
    """Whether a packet that is not heard itself is what a decoder needs before the first that is: at most two such."""
    if packet.stream.type != "audio" or stream.dts is not None or packet.pts is None:
        return False
    return packet.pts + 2 * (packet.duration or 0) > 0


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _gaps(seconds: Iterable[float], one: str, many: str) -> str:
    gaps = list(seconds)
    longest = f"by {max(gaps):.1f} s" if len(gaps) == 1 else f"{len(gaps)} times, by up to {max(gaps):.1f} s"
    return f"the input's clock jumps ahead {longest}: {one if len(gaps) == 1 else many}"
