"""All encoders of a stream: every frame goes to all of them or to none, and they are reopened together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from av.video.frame import VideoFrame

from stcodec.encoders.session import EncoderSession
from stcodec.media.scaling import Scaler
from stcodec.stream.encode import EncoderChange, FrameToEncode, RenditionEncoder
from stcodec.stream.input.timeline import to_ticks
from stcodec.stream.observe.snapshot import Pressure
from stcodec.stream.options import StreamOptions
from stcodec.stream.plans import continued_plan, easier_presets, first_preset, live_plan
from stcodec.stream.pressure import ENGAGE, PressureControl
from stcodec.types import VideoInfo

_ROOM = 4
"""Frames that wait for an encoder when nothing may be dropped."""
_POLL_SECONDS = 0.1


class EncoderBank:
    """Used by the director's thread alone."""

    def __init__(self, options: StreamOptions, encoders: Sequence[RenditionEncoder], canvas: VideoInfo) -> None:
        """canvas: the frames that come in."""
        easier = easier_presets(options)
        self.pressure = PressureControl(options.max_latency_seconds, len(easier))
        self._options = options
        self._encoders = encoders
        self._canvas = canvas
        self._scalers = [_scaler(one, canvas) for one in encoders]
        self._presets = (first_preset(options), *easier)
        self._eased = 0
        self._last_key: int | None = None

    def put(self, canvas: VideoFrame, ticks: int, length: int, captured_at: float, shot: int) -> None:
        """Give all encoders a frame, as a key frame if one is due."""
        # Half a frame early is nearer than half a frame late.
        key = self._last_key is None or ticks - self._last_key >= to_ticks(self._options.keyint_seconds) - length // 2
        if key:
            self._last_key = ticks
        # Pictures are scaled here, before any encoder has the frame: no two threads touch one frame.
        frames = [canvas if scaler is None else scaler(canvas) for scaler in self._scalers]
        for encoder, frame in zip(self._encoders, frames, strict=True):
            encoder.put(FrameToEncode(frame, ticks, length, captured_at, shot, key))

    def drop(self) -> None:
        """Count a frame that none of them gets."""
        for encoder in self._encoders:
            encoder.dropped += 1

    def ask_key(self) -> None:
        """The next frame is a key frame."""
        self._last_key = None

    def reopen(self, canvas: VideoInfo) -> None:
        """Reopen all encoders from the next frame on. canvas: the frames that will come."""
        self._canvas = canvas
        preset = self._presets[self._eased]
        for encoder, rendition in zip(self._encoders, self._options.renditions, strict=True):
            plan = live_plan(self._options, rendition, canvas, preset)
            encoder.put(EncoderChange(EncoderSession(continued_plan(plan, rendition, encoder.buffer_fill)), preset))
        self.ask_key()

    def relieve(self, maps_late: bool) -> bool:
        """See how the encoders keep up, and ease what must give way; True if the frame at hand is to be dropped."""
        now = time.monotonic()
        load = max(one.backlog_seconds(now) for one in self._encoders) / self._options.max_latency_seconds
        level = self.pressure.step(load, now, maps_late)
        if self.pressure.eased != self._eased:
            self._eased = self.pressure.eased
            self.reopen(self._canvas)
        return level == Pressure.DROPPED_FRAMES and load >= ENGAGE[Pressure.DROPPED_FRAMES]

    def wait_for_room(self, stopping: threading.Event) -> None:
        """Wait until every encoder has room; used where nothing may be dropped."""
        for encoder in self._encoders:
            while encoder.error is None and not stopping.is_set() and not encoder.wait_for_room(_ROOM, _POLL_SECONDS):
                pass


def _scaler(encoder: RenditionEncoder, canvas: VideoInfo) -> Scaler | None:
    video = encoder.plan.video
    same = (video.width_px, video.height_px) == (canvas.width_px, canvas.height_px)
    return None if same else Scaler(video.width_px, video.height_px)
