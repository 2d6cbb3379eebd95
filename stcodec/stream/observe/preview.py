"""Preview pictures of a stream, made only on request."""

from __future__ import annotations

import threading
import time

from stcodec.stream.director import Director
from stcodec.stream.encode import RenditionEncoder
from stcodec.stream.input.frames import small_rgb
from stcodec.stream.observe.snapshot import LivePreview
from stcodec.stream.packet import TICK

_SIDE_PX = 480
_EVERY_SECONDS = 0.5


class Previews:
    """The newest picture and the map that it was encoded with; at most two a second."""

    def __init__(self, director: Director, encoder: RenditionEncoder) -> None:
        self._director = director
        self._encoder = encoder
        self._lock = threading.Lock()
        self._made: LivePreview | None = None
        self._made_at = 0.0

    def newest(self) -> LivePreview | None:
        """The newest preview; None before the first frame. Safe from any thread."""
        with self._lock:
            frame = self._director.newest
            if frame is not None and time.monotonic() - self._made_at >= _EVERY_SECONDS:
                offsets = self._encoder.newest
                seconds = float((frame.pts or 0) * TICK)
                blocks = None if offsets is None else offsets.blocks / max(float(offsets.blocks.max()), 1e-9)
                self._made = LivePreview(seconds, small_rgb(frame, _SIDE_PX), blocks)
                self._made_at = time.monotonic()
            return self._made
