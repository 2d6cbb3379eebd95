"""Director of a live stream: takes frames from the source and hands each to attention and to all encoders."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from fractions import Fraction

from av.video.frame import VideoFrame

from stcodec.media.clips import ClipMaker
from stcodec.stream.attend import Attention, AttentionInput
from stcodec.stream.audio import LiveAudio
from stcodec.stream.bank import EncoderBank
from stcodec.stream.cuts import CutDetector
from stcodec.stream.input.frames import FrameFitter, copied
from stcodec.stream.input.pace import FrameRateWatch, Pacer
from stcodec.stream.input.reader import AudioIn, FrameIn, Reader, SourceEnded, SourceOpened
from stcodec.stream.input.timeline import TICKS_PER_SECOND, StreamTimeline, to_ticks
from stcodec.stream.observe.gauges import Rate
from stcodec.stream.observe.snapshot import Pressure
from stcodec.stream.options import StreamOptions
from stcodec.stream.output.fan import Fan
from stcodec.stream.packet import TICK, LivePacket
from stcodec.types import VideoInfo

_POLL_SECONDS = 0.1
_HOLD_AFTER_SECONDS = 0.5
"""A live source that says nothing for so long is stood in for by its last picture..."""
_HOLD_AFTER_FRAMES = 3
"""...or for so many frames, if that is longer."""
_SETTLING_SECONDS = 5.0
"""Longest that a source which was just opened may come faster than its pace."""
_FEWER = 3
"""Attention sees one of so many instants when maps are to be fewer."""


class Director(threading.Thread):
    """Thread that runs until the source ends, the duration is over, or `stop` is called."""

    def __init__(
        self,
        options: StreamOptions,
        reader: Reader,
        canvas: VideoInfo,
        bank: EncoderBank,
        fan: Fan,
        audio: LiveAudio | None,
        attention: Attention | None,
    ) -> None:
        super().__init__(name="director", daemon=True)
        self.timeline = StreamTimeline()
        self.fps_in = Rate()
        self.frames_in = 0
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self.newest: VideoFrame | None = None
        """The newest picture that went to the encoders."""
        self._options, self._reader, self._bank, self._fan = options, reader, bank, fan
        self._audio, self._attention = audio, attention
        self._stopping = threading.Event()
        self._canvas = canvas
        self._rate = FrameRateWatch(canvas.frame_rate or Fraction(30))
        self._pacer = Pacer() if reader.address.is_paced and options.is_paced else None
        self._waiting_audio: deque[LivePacket] = deque()
        self._shot = 0
        self._instants = 0
        self._new_shot = True
        self._holding = False
        self._settled_at = time.monotonic() + _SETTLING_SECONDS
        self._last_ticks = -1
        self._last_wall = 0.0
        self._see(reader.video)

    @property
    def is_holding(self) -> bool:
        """Whether the last picture stands in for a source that says nothing."""
        return self._holding

    def stop(self) -> None:
        """End after the frame at hand."""
        self._stopping.set()
        self._reader.stop()
        self.join(2.0)

    def run(self) -> None:
        try:
            while not self._stopping.is_set() and self._next():
                pass
            self._give_audio(None)
        except Exception as error:  # carried to the thread that waits for the end
            self.error = error
        finally:
            self.ended.set()

    def _next(self) -> bool:
        """Take one thing from the source; False at the end."""
        item = self._reader.take(_POLL_SECONDS if not self._holding else float(self._rate.length * TICK))
        if isinstance(item, FrameIn):
            self._frame(item)
        elif isinstance(item, AudioIn):
            self._take_audio(item)
        elif isinstance(item, SourceOpened):
            self._opened(item)
        elif isinstance(item, SourceEnded):
            return False
        if not isinstance(item, FrameIn) and self._is_away():
            self._hold()
        limit = self._options.duration_seconds
        return limit is None or self._last_ticks < to_ticks(limit) - self._rate.length

    # --- the source ---------------------------------------------------------------------------------------------------

    def _opened(self, item: SourceOpened) -> None:
        if self._last_ticks < 0:
            return  # the first time: everything is made for it already
        self.timeline.restart()
        self._settled_at = time.monotonic() + _SETTLING_SECONDS
        self._new_shot = True
        if self._audio is not None:
            self._audio.source_changed(item.audio)
        if _shape(item.video) != _shape(self._video):
            self._see(item.video)

    def _see(self, video: VideoInfo) -> None:
        """Set up what depends on the source's frame size and rotation."""
        self._video = video
        self._fitter = FrameFitter(self._canvas.width_px, self._canvas.height_px)
        self._cuts = CutDetector(self._canvas)
        self._maker: ClipMaker | None = None
        if self._attention is not None:
            spec = self._attention.spec
            # Vectors are in the source's pixels: they fit the canvas only if that is the source's own picture.
            own = (video.width_px, video.height_px) == (self._canvas.width_px, self._canvas.height_px)
            vectors = spec.motion_vectors and own and not video.rotation_degrees
            self._maker = ClipMaker(self._canvas, replace(spec, motion_vectors=vectors))

    def _frame(self, item: FrameIn) -> None:
        self.frames_in += 1
        self.fps_in.add()
        self._holding = False
        frame = item.frame
        if (frame.width, frame.height) != (self._video.width_px, self._video.height_px):
            self._see(replace(self._video, width_px=frame.width, height_px=frame.height))
            self._new_shot = True
        base = frame.time_base or TICK
        source = None if frame.pts is None else round(frame.pts * base * TICKS_PER_SECOND)
        jumps = self.timeline.jumps
        ticks = self.timeline.place("video", source, self._rate.length, self._arrived(item.arrived))
        if ticks is None:
            self._bank.drop()
            return
        self._new_shot |= self.timeline.jumps > jumps
        captured_at = item.arrived if self._pacer is None else self._pace(ticks)
        frame.pts, frame.time_base = ticks, TICK
        self._show(frame, ticks, captured_at)

    def _arrived(self, at: float) -> int | None:
        return None if self._reader.address.is_paced else to_ticks(at)

    def _pace(self, ticks: int) -> float:
        """Wait until a frame is due, giving the audio before it at its own time; when it was due."""
        assert self._pacer is not None
        self._give_audio(ticks)
        due = self._pacer.due(float(ticks * TICK), time.monotonic())
        self._sleep_until(due)
        return due

    def _take_audio(self, item: AudioIn) -> None:
        if self._audio is None:
            return
        for packet in self._audio.packets(item, self.timeline, self._arrived(item.arrived)):
            if self._pacer is None:
                self._fan.put(packet)
            else:
                self._waiting_audio.append(packet)

    def _give_audio(self, until_ticks: int | None) -> None:
        """Pass on audio of a paced source, each packet when it is due; None = all that is left, at once."""
        while self._waiting_audio and (until_ticks is None or self._waiting_audio[0].pts <= until_ticks):
            packet = self._waiting_audio.popleft()
            if until_ticks is not None and self._pacer is not None:
                self._sleep_until(self._pacer.due(float(packet.pts * TICK), time.monotonic()))
            self._fan.put(replace(packet, captured_at=time.monotonic()))

    def _sleep_until(self, due: float) -> None:
        if (left := due - time.monotonic()) > 0:
            self._stopping.wait(left)

    # --- a source that is away ----------------------------------------------------------------------------------------

    def _is_away(self) -> bool:
        """Whether the last picture must stand in for a live source now."""
        if self._reader.address.is_paced or not self._options.is_paced or self.newest is None:
            return False
        length = float(self._rate.length * TICK)
        patience = length if self._holding else max(_HOLD_AFTER_SECONDS, _HOLD_AFTER_FRAMES * length)
        return time.monotonic() - self._last_wall >= patience

    def _hold(self) -> None:
        """The last picture again: encoders, targets and players stay in step with the time that goes by."""
        assert self.newest is not None
        now = time.monotonic()
        ticks = self._last_ticks + to_ticks(now - self._last_wall)
        frame = copied(self.newest)
        frame.pts, frame.time_base = ticks, TICK
        self.timeline.hold("video", ticks, to_ticks(now))
        self._holding = self._new_shot = True
        self._encode(frame, ticks, now)
        if self._audio is not None:
            for packet in self._audio.silence(self.timeline, ticks, now):
                self._fan.put(packet)

    # --- the encoders -------------------------------------------------------------------------------------------------

    def _show(self, frame: VideoFrame, ticks: int, captured_at: float) -> None:
        """A new picture: attention may see it, and all encoders get it."""
        canvas = self._fitter(frame, self._video.rotation_degrees)
        canvas.pts, canvas.time_base = ticks, TICK
        starts = self._cuts(canvas) or self._new_shot
        self._new_shot = False
        self._shot += starts
        self._attend(frame, canvas, starts)
        if self._last_ticks >= 0 and self._rate.see(ticks - self._last_ticks):
            self._canvas = replace(self._canvas, frame_rate=self._rate.rate)
            self._bank.reopen(self._canvas)
        if starts and self._options.key_at_cuts:
            self._bank.ask_key()
        self._encode(canvas, ticks, captured_at)

    def _attend(self, frame: VideoFrame, canvas: VideoFrame, starts: bool) -> None:
        if self._attention is None or self._maker is None:
            return
        same = (frame.width, frame.height) == (canvas.width, canvas.height)
        clip = self._maker.push(frame if same else canvas, starts)
        if clip is None:
            return
        self._instants += 1
        if starts or self._bank.pressure.level < Pressure.FEWER_MAPS or self._instants % _FEWER == 0:
            self._attention.offer(AttentionInput(clip, self._shot))

    def _encode(self, canvas: VideoFrame, ticks: int, captured_at: float) -> None:
        if self._must_go():
            self._bank.drop()
        else:
            self._bank.put(canvas, ticks, self._rate.length, captured_at, self._shot)
        self.newest = canvas
        self._last_ticks, self._last_wall = ticks, time.monotonic()

    def _must_go(self) -> bool:
        """Whether the frame at hand is to be dropped. Where nothing may be, it waits."""
        if not self._options.is_paced:
            self._bank.wait_for_room(self._stopping)
            return False
        if self._is_settling(time.monotonic()):
            return False
        return self._bank.relieve(self._attention is not None and self._attention.is_late())

    def _is_settling(self, now: float) -> bool:
        """Whether what the source had in store when it was opened is still being worked off: that is no lack of power."""
        if now < self._settled_at and self._pacer is None and not self._reader.is_silent():
            return True
        self._settled_at = 0.0
        return False


def _shape(video: VideoInfo) -> tuple[int, int, int]:
    return video.width_px, video.height_px, video.rotation_degrees
