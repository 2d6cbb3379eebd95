"""Frames with the map that belongs to each, ahead of the encoder on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stcodec import interrupts
from stcodec.attention.base import AttentionSource
from stcodec.media.decode import VideoReader
from stcodec.pipeline.attend import AttentionCounts, frames_with_maps
from stcodec.types import Arrays, FloatArray, VideoInfo

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

T = TypeVar("T")
_DEPTH = 8
"""Items that wait between the thread and the encoder: enough to smooth the pace, few enough to be small."""
_DEPTH_WITH_MAPS = 6
"""The same where frames wait for their maps, too."""


@dataclass(frozen=True, eq=False, repr=False)
class FedFrame(Arrays):
    """A decoded frame on its way to the encoder."""

    frame: VideoFrame
    saliency: FloatArray | None
    """[rows, cols] in coded orientation, on the encoder's blocks; None without attention."""


@dataclass
class Feed:
    """The frames of a video, each with its map, and the packets of its other streams."""

    reader: VideoReader
    source: AttentionSource | None
    blocks: Callable[[FloatArray], FloatArray]
    """Averages a map [h, w] in coded orientation over the encoder's blocks."""
    counts: AttentionCounts = field(default_factory=AttentionCounts)

    def items(self) -> Generator[FedFrame | Packet[Any], None, None]:
        """Frames in presentation order, packets as they come by; decoded and attended on a thread of its own."""
        ahead = Prefetch["FedFrame | Packet[Any]"](_DEPTH if self.source is None else _DEPTH_WITH_MAPS)
        try:
            ahead.start(lambda: self._frames(ahead.put))
            yield from ahead
        finally:
            ahead.stop()

    def _frames(self, put: Callable[[FedFrame | Packet[Any]], None]) -> None:
        frames = self.reader.frames(on_packet=put)
        for fed in fed_frames(frames, self.reader.info, self.source, self.blocks, self.counts):
            put(fed)


def fed_frames(
    frames: Iterator[VideoFrame],
    video: VideoInfo,
    source: AttentionSource | None,
    blocks: Callable[[FloatArray], FloatArray],
    counts: AttentionCounts,
) -> Iterator[FedFrame]:
    """Frames of a video on their way to the encoder, each with its map if there is a source. blocks: as in `Feed`."""
    if source is None:
        yield from (FedFrame(frame, None) for frame in frames)
        return
    for frame, saliency in frames_with_maps(frames, video, source, blocks, counts):
        yield FedFrame(frame, saliency)


class Prefetch(Generic[T]):
    """A bounded queue filled by one thread: iterate it, and stop it in the end."""

    def __init__(self, depth: int) -> None:
        self._items: SimpleQueue[T | BaseException | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(depth):
            self._room.put(None)
        self._running = threading.Lock()
        """Held by the thread from its begin to its end."""
        self._is_stopping = False

    def start(self, fill: Callable[[], None]) -> None:
        """Run a function that puts on a thread; what it raises is raised to whoever iterates."""

        def run() -> None:
            with self._running:
                if self._is_stopping:
                    return
                try:
                    fill()
                    self._items.put(None)
                except BaseException as error:  # carried to the thread that waits for frames
                    self._items.put(error)

        threading.Thread(target=run, name="stcodec-feed", daemon=True).start()

    def stop(self) -> None:
        """End the thread, or keep it from beginning; it may be done again."""
        self._is_stopping = True
        self._room.put(None)
        with self._running:
            pass

    def put(self, item: T) -> None:
        """Called by the thread: waits while the queue is full."""
        self._room.get()
        if self._is_stopping:
            self._room.put(None)
            raise _Stopped
        self._items.put(item)

    def __iter__(self) -> Iterator[T]:
        while (item := self._get()) is not None:
            if isinstance(item, BaseException):
                raise item
            self._room.put(None)
            yield item

    def _get(self) -> T | BaseException | None:
        while True:
            interrupts.check()
            with suppress(Empty):
                return self._items.get(timeout=interrupts.POLL_SECONDS)


class _Stopped(Exception):
    """The reader of the queue has gone."""
