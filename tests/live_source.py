"""A source of live MPEG-TS that does on cue what sources do: it stalls, goes away, comes back, jumps, changes and breaks."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import media
import numpy as np

TS_PACKET = 188
FLASH_SECONDS = 0.48
"""A video of `make_flashing_ts` is white, and audio_streams, from here on in every second for 0.2 s."""
Act = Callable[["Feed"], None]


def play(path: Path, *, damage: Callable[[bytes], bytes] | None = None, speed: float = 1.0) -> Act:
    """Send a video at the pace of its time."""

    def act(feed: Feed) -> None:
        content = path.read_bytes()
        content = content if damage is None else damage(content)
        with av.open(str(path)) as container:
            length = (container.duration or 0) / av.time_base / speed
        start, step = time.monotonic(), TS_PACKET * 16
        for sent in range(0, len(content), step):
            feed.send(content[sent : sent + step])
            feed.rest(start + length * sent / len(content) - time.monotonic())

    return act


def stall(seconds: float) -> Act:
    """Say nothing, and stay."""
    return lambda feed: feed.rest(seconds)


def go_away(seconds: float) -> Act:
    """Hang up, and take no calls for a time."""

    def act(feed: Feed) -> None:
        feed.hang_up()
        feed.rest(seconds)

    return act


def lose_packets(content: bytes) -> bytes:
    """Every 40th packet of the picture is lost, as on a bad line."""
    packets = [content[at : at + TS_PACKET] for at in range(0, len(content), TS_PACKET)]
    return b"".join(one for index, one in enumerate(packets) if index < 60 or index % 40)


class Feed:
    """A server on loopback for one reader at a time; the acts are played to whoever is there."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self.played = threading.Event()
        self._acts = acts
        self._closing = threading.Event()
        self._reader: socket.socket | None = None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, content: bytes) -> None:
        if self._reader is None:
            if self._server.fileno() < 0:
                self._server = socket.create_server(("127.0.0.1", self._port))
            self._server.settimeout(30)
            self._reader, _ = self._server.accept()
        with suppress(OSError):
            self._reader.sendall(content)

    def rest(self, seconds: float) -> None:
        self._closing.wait(max(0.0, seconds))

    def hang_up(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._server.close()

    def close(self) -> None:
        self._closing.set()
        self.hang_up()
        self._thread.join(5)

    def _run(self) -> None:
        for act in self._acts:
            if self._closing.is_set():
                return
            with suppress(OSError):
                act(self)
        self.played.set()


@contextmanager
def feeding(*acts: Act) -> Iterator[Feed]:
    """A feed that plays these acts, one after another, from when somebody reads."""
    feed = Feed(acts)
    try:
        yield feed
    finally:
        feed.close()


def make_flashing_ts(
    path: Path,
    *,
    seconds: int = 2,
    size: media.Size = (320, 180),
    fps: int = 25,
    start_seconds: float = 10.0,
    audio: str = "aac",
    rate_hz: int = 48000,
) -> Path:
    """A moving test picture that flashes, with a tone while it does; key frames each half second, no B frames."""
    on = f"between(mod(t\\,1)\\,{FLASH_SECONDS}\\,{FLASH_SECONDS + 0.2 - 0.001})"
    width, height = size
    picture = f"testsrc2=s={width}x{height}:r={fps}:d={seconds},drawbox=c=white:t=fill:enable='{on}'"
    tone = f"aevalsrc='0.5*sin(2*PI*1000*t)*{on}':s={rate_hz}:d={seconds}"
    media.run_ffmpeg(
        "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone,
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(fps // 2), "-bf", "0", "-b:v", "600k",
        "-c:a", audio, "-muxdelay", "0", "-muxpreload", "0", "-output_ts_offset", str(start_seconds), "-f", "mpegts", path,
    )  # fmt: skip
    return path


def flashes_and_tones(path: Path) -> tuple[list[float], list[float]]:
    """When the picture turns white, and when the tone begins, in seconds of a video's own time."""
    flashes, tones, was_white, last_loud = [], [], False, -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0, audio=0):
            assert isinstance(frame, av.VideoFrame | av.AudioFrame) and frame.time is not None
            if isinstance(frame, av.VideoFrame):
                white = float(frame.reformat(format="gray").to_ndarray().mean()) > 215
                flashes += [frame.time] if white and not was_white else []
                was_white = white
            else:
                loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1)
                times = frame.time + loud / frame.sample_rate
                tones += [float(times[0])] if len(times) and times[0] - last_loud > 0.3 else []
                last_loud = float(times[-1]) if len(times) else last_loud
    return flashes, tones
