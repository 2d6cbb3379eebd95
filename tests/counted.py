"""Videos whose frames are numbered in the picture itself: end-to-end latency is read off what comes out at the other end."""

from __future__ import annotations

import fcntl
import termios
import threading
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

BITS = 20
CELLS = BITS + 3
"""White, black, the number's bits from the highest on, and their parity."""
CELL_PX = 32
"""In a frame 1280 px wide; in others in proportion."""
_WIDTH_PX = 1280
_TICKS = 90_000


def draw_number(luma: NDArray[np.uint8], number: int) -> None:
    """Into the top left corner of a frame, [H, W]."""
    side = _cell_px(luma)
    bits = [number >> place & 1 for place in reversed(range(BITS))]
    cells = [1, 0, *bits, sum(bits) % 2]
    luma[:side, : CELLS * side] = np.repeat(np.where(cells, 235, 16).astype(np.uint8), side)


def read_number(luma: NDArray[np.uint8]) -> int | None:
    """The number of a frame that was encoded in between; None if it can't be read."""
    side = _cell_px(luma)
    inside = luma[side // 4 : side - side // 4, : CELLS * side].astype(np.float32).mean(axis=0)
    cells = inside.reshape(CELLS, side)[:, side // 4 : side - side // 4].mean(axis=1) > 128
    bits = cells[2:-1]
    if not cells[0] or cells[1] or bits.sum() % 2 != cells[-1]:
        return None
    return int("".join("01"[int(bit)] for bit in bits), 2)


def _cell_px(luma: NDArray[np.uint8]) -> int:
    return CELL_PX * int(luma.shape[1]) // _WIDTH_PX


def luma_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    return np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def make_counted(path: Path, pictures: Path, frames: int, fps: int = 30, size: tuple[int, int] = (1280, 720)) -> Path:
    """A video of so many numbered frames, a key frame a second; its pictures are another video's, from the start again."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"preset": "veryfast", "crf": "18", "bf": "0", "g": str(fps)}
        )
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, picture in zip(range(frames), _again(pictures), strict=False):
            planes = np.asarray(picture.reformat(*size, format="yuv420p").to_ndarray(), np.uint8)
            draw_number(planes[: size[1]], number)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _again(pictures: Path) -> Iterator[av.VideoFrame]:
    while True:
        with av.open(str(pictures)) as container:
            yield from container.decode(video=0)


@dataclass
class Feed:
    """A live source: a counted video as MPEG-TS into a pipe, over and over, each frame when its time has come.

    It begins when somebody reads. From then on it is late for nobody: when the reader does not keep up, the times at which
    the frames were due stand.
    """

    video: Path
    pipe: IO[bytes]
    fps: int = 30
    frames: int | None = None
    """End after so many; None = when told to."""
    began: float = 0.0
    """`time.time()` of the first frame."""
    sent: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        with av.open(str(self.video)) as container:
            self.length = sum(1 for packet in container.demux(video=0) if packet.size)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10)

    def due(self, number: int, now: float) -> float:
        """When the frame of this number came last, before now."""
        rounds = int((now - self.began) * self.fps - number) // self.length
        return self.began + (number + rounds * self.length) / self.fps

    def _run(self) -> None:
        try:
            with av.open(self.pipe, "w", format="mpegts", options={"flush_packets": "1"}) as out:
                self._feed(out)
        except (OSError, ValueError, FFmpegError):  # the reader has gone
            pass

    def _feed(self, out: OutputContainer) -> None:
        stream = None
        self.began = time.time()
        while True:
            with av.open(str(self.video)) as container:
                if stream is None:
                    stream = out.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(video=0):
                    if not packet.size:
                        continue
                    wait = self.began + self.sent / self.fps - time.time()
                    if self._stopped.wait(max(0.0, wait)) or self.sent == self.frames:
                        return
                    packet.stream = stream
                    packet.time_base = Fraction(1, _TICKS)
                    packet.pts = packet.dts = self.sent * _TICKS // self.fps
                    packet.duration = _TICKS // self.fps
                    out.mux(packet)
                    self.sent += 1
                    if self.sent == 1:
                        self._wait_for_reader()
                        self.began = time.time()

    def _wait_for_reader(self) -> None:
        """Until the first frame has been taken out of the pipe."""
        waiting = array("i", [1])
        while waiting[0] and not self._stopped.wait(0.005):
            fcntl.ioctl(self.pipe.fileno(), termios.FIONREAD, waiting)


@dataclass
class Arrivals:
    """What a reader of a stream saw."""

    numbers: list[int] = field(default_factory=list)
    """Of the frames, in order."""
    seconds: list[float] = field(default_factory=list)
    """`time.time()` when each was decoded."""
    unreadable: int = 0
    error: str = ""

    def missing(self, length: int) -> int:
        """Frames that are not there, for a video of so many."""
        return sum((after - before) % length - 1 for before, after in zip(self.numbers, self.numbers[1:], strict=False))

    def latencies(self, feed: Feed, skip_seconds: float = 5.0) -> list[float]:
        """From when each frame was due to when it was decoded, without the start."""
        start = self.seconds[0] + skip_seconds if self.seconds else 0.0
        pairs = zip(self.numbers, self.seconds, strict=True)
        return [at - feed.due(number, at) for number, at in pairs if at >= start]


class StreamReader:
    """Reads and decodes an address on a thread of its own until it ends."""

    def __init__(self, url: str, **options: str) -> None:
        self.seen = Arrivals()
        self._url = url
        self._options = {"fflags": "nobuffer", "probesize": "200000", "analyzeduration": "500000", **options}
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> Arrivals:
        """Read no more; what was seen."""
        self._stopped = True
        self._thread.join(15)
        return self.seen

    def _run(self) -> None:
        try:
            with av.open(self._url, options=self._options, timeout=(60.0, 10.0)) as container:
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                for frame in container.decode(stream):
                    if self._stopped:
                        return
                    self._take(frame)
        except (OSError, FFmpegError) as error:
            self.seen.error = str(error)

    def _take(self, frame: av.VideoFrame) -> None:
        at = time.time()
        number = read_number(luma_of(frame))
        if number is None:
            self.seen.unreadable += 1
        else:
            self.seen.numbers.append(number)
            self.seen.seconds.append(at)
