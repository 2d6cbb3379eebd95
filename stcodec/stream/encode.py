"""Encoder of one rendition, on a thread of its own: frames wait in its queue, packets go to the fan."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.session import EncoderSession
from stcodec.encoders.table import names_where
from stcodec.errors import OptionsError, StcodecError, check_range
from stcodec.options import OffsetPolicy
from stcodec.stream.attend import Attention
from stcodec.stream.observe.gauges import LeakyBucket, Rate, Recent
from stcodec.stream.observe.readback import KeyFrame
from stcodec.stream.observe.snapshot import RenditionState
from stcodec.stream.offsets import FrameOffsets, LiveOffsets
from stcodec.stream.options import Rendition
from stcodec.stream.output.fan import Fan
from stcodec.stream.packet import TICK, LivePacket, Track

KeySink = Callable[[KeyFrame], None]


@dataclass(frozen=True)
class FrameToEncode:
    """A frame on its way into an encoder."""

    frame: VideoFrame
    """Times set; nobody else changes it."""
    ticks: int
    length: int
    captured_at: float
    shot: int
    is_key: bool


@dataclass(frozen=True)
class EncoderChange:
    """Change of the encoder from the next frame on, which is a key frame."""

    session: EncoderSession
    preset: str


@dataclass(frozen=True)
class BitrateChange:
    """Another bitrate from the next frame on, with the same encoder."""

    kbps: float


class RenditionEncoder:
    """Encodes what is put in, in order, each frame with the newest map that there is when its turn comes."""

    def __init__(
        self,
        index: int,
        rendition: Rendition,
        session: EncoderSession,
        preset: str,
        policy: OffsetPolicy,
        attention: Attention | None,
    ) -> None:
        self.index = index
        self.error: StcodecError | None = None
        self.latency = Recent()
        self.map_age = Recent()
        self.newest: FrameOffsets | None = None
        """Offsets of the newest frame; None without attention."""
        self.dropped = 0
        """Frames that never came here, as the director counts them."""
        self.on_key: KeySink | None = None
        self._rendition = rendition
        self._policy = policy
        self._attention = attention
        self._fps, self._kbps, self._frames = Rate(), Rate(), 0
        self._bucket = LeakyBucket(rendition.peak_kbps * 1000, rendition.buffer_kbit * 1000)
        self._queue: queue.Queue[FrameToEncode | EncoderChange | BitrateChange | None] = queue.Queue()
        self._waiting: deque[float] = deque()
        """Arrival of the frames that are not encoded yet."""
        self._changed = threading.Condition()
        self._target_kbps = rendition.bitrate_kbps
        self._sent: dict[int, FrameToEncode] = {}
        self._fan: Fan | None = None
        self._thread = threading.Thread(target=self._run, name=f"encoder-{index}", daemon=True)
        self._use(session, preset)

    @property
    def track(self) -> Track:
        """Track of its packets."""
        return track_of(self._session, self._rendition)

    @property
    def plan(self) -> EncoderPlan:
        """The plan in use."""
        return self._session.plan

    @property
    def buffer_fill(self) -> float:
        """Fullness of the decoder's buffer, 0 to 1."""
        return self._bucket.fill

    def start(self, fan: Fan) -> None:
        """Start the thread."""
        self._fan = fan
        self._thread.start()

    def set_bitrate(self, kbps: float) -> None:
        """Encode with another bitrate, at most the peak, from the next frame on. Raises OptionsError."""
        name, encoder = rendition_name(self.plan), self.plan.encoder
        if not encoder.changes_bitrate:
            allowed = names_where(lambda one: one.changes_bitrate)
            raise OptionsError(
                f"{name}: {encoder.name} can't change its bitrate while it runs; {allowed} can", value=encoder.name
            )
        check_range(f"{name}'s bitrate", kbps, 10, self._rendition.peak_kbps, unit="kbit/s")
        self._queue.put(BitrateChange(kbps))

    def put(self, item: FrameToEncode | EncoderChange) -> None:
        """Add to the queue; how long that may grow is the director's business."""
        if isinstance(item, FrameToEncode):
            with self._changed:
                self._waiting.append(item.captured_at)
        self._queue.put(item)

    def finish(self, timeout_seconds: float) -> None:
        """Encode what waits, and end."""
        self._queue.put(None)
        self._thread.join(timeout_seconds)

    def backlog_seconds(self, now: float) -> float:
        """Wait of the oldest frame that is not encoded yet; 0 without one."""
        with self._changed:
            return max(0.0, now - self._waiting[0]) if self._waiting else 0.0

    def wait_for_room(self, most_waiting: int, timeout_seconds: float) -> bool:
        """Wait until fewer frames wait; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) < most_waiting, timeout_seconds)

    def state(self) -> RenditionState:
        """The current state."""
        plan = self.plan
        return RenditionState(
            name=rendition_name(plan),
            width_px=plan.video.width_px,
            height_px=plan.video.height_px,
            fps=self._fps.per_second(),
            kbps=self._kbps.per_second(),
            target_kbps=self._target_kbps,
            buffer_fill=self.buffer_fill,
            buffer_underflows=self._bucket.underflows,
            preset=self._preset,
            frames=self._frames,
            frames_dropped=self.dropped,
            mean_qp_attended=None,
            mean_qp_elsewhere=None,
            bits_attended=None,
            offsets_slope=None,
        )

    def _use(self, session: EncoderSession, preset: str) -> None:
        self._session, self._preset = session, preset
        if self._target_kbps != self._rendition.bitrate_kbps:
            session.set_bitrate(round(1000 * self._target_kbps))
        self._offsets = LiveOffsets(session.plan, self._policy) if session.plan.has_offsets else None

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, EncoderChange):
                    self._reopen(item)
                elif isinstance(item, BitrateChange):
                    self._target_kbps = item.kbps
                    self._session.set_bitrate(round(1000 * item.kbps))
                else:
                    self._encode(item)
            self._emit(self._session.flush())
        except StcodecError as error:
            self.error = error

    def _reopen(self, item: EncoderChange) -> None:
        assert self._fan is not None
        self._emit(self._session.flush())
        self._use(item.session, item.preset)
        self._fan.enter(self.index, self.track)

    def _encode(self, work: FrameToEncode) -> None:
        delta = None
        if self._offsets is not None:
            seconds = float(work.ticks * TICK)
            newest = self._attention.newest(seconds, work.shot) if self._attention is not None else None
            self.newest = self._offsets.at(seconds, newest)
            delta = self.newest.delta_qp
            if self.newest.age_seconds is not None:
                self.map_age.add(self.newest.age_seconds)
        self._sent[work.ticks] = work
        self._emit(self._session.send(work.frame, delta, key=work.is_key))
        self._frames += 1
        self._fps.add()
        with self._changed:
            self._waiting.popleft()
            self._changed.notify_all()

    def _emit(self, packets: Iterable[Packet[Any]]) -> None:
        assert self._fan is not None
        for packet in packets:
            assert packet.pts is not None
            work = self._sent.pop(packet.pts)
            data = bytes(packet)
            dts = packet.pts if packet.dts is None else packet.dts
            self._bucket.take(dts, len(data))
            self._kbps.add(len(data) * 8 / 1000)
            self.latency.add(time.monotonic() - work.captured_at)
            self._fan.put(LivePacket(self.index, data, packet.pts, dts, work.length, packet.is_keyframe, work.captured_at))
            delta_qp = self._session.given
            if packet.is_keyframe and self.on_key is not None and self.newest is not None and delta_qp is not None:
                plan, given = self.plan, self.newest
                header = self._session.header
                self.on_key(KeyFrame(plan.encoder.codec, header, data, plan.grid, given.blocks, delta_qp))


def rendition_name(plan: EncoderPlan) -> str:
    """Name of a rendition as shown: "720p"."""
    return f"{min(plan.video.width_px, plan.video.height_px)}p"


def track_of(session: EncoderSession, rendition: Rendition) -> Track:
    """The track of an encoder's packets."""
    plan = session.plan
    return Track(
        kind="video",
        name=rendition_name(plan),
        codec=plan.encoder.codec,
        extradata=session.header,
        bitrate_bps=round(rendition.bitrate_kbps * 1000),
        width_px=plan.video.width_px,
        height_px=plan.video.height_px,
        frame_rate=plan.video.frame_rate,
        pix_fmt=plan.pix_fmt,
    )
