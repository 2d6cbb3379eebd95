"""Every kind of source, with a real peer on the other side."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import command
import imageio_ffmpeg
import live_source
import media
import pytest
from live_files import serve_folders
from live_rigs import ffmpeg_peer, free_port, nginx_rtmp
from steady import undisturbed

from stcodec.errors import MediaError
from stcodec.stream.input.sources import open_source, source_address
from stcodec.stream.observe.snapshot import StreamSnapshot
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.stream import run_stream

SECONDS = 2.0
Peer = Callable[[Path, Path, ExitStack], tuple[str, dict[str, str]]]
"""Begins to publish a video, with a folder of its own; gives the address to read from, and options for it."""


@pytest.fixture(scope="module")
def published_video(videos: Path) -> Path:
    return live_source.make_flashing_ts(videos / "published.ts", seconds=6, start_seconds=0)


@contextmanager
def publishing(video: Path, log: Path, *words: str | Path) -> Iterator[None]:
    """A video sent at its pace, over and over, as soon as somebody takes it."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            sending = ("-v", "error", "-re", "-stream_loop", "-1", "-i", video, "-c", "copy", *words)
            with ffmpeg_peer(*sending, log=log) as process:
                while process.poll() is None and not stop.wait(0.05):
                    pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def rtmp(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    server = stack.enter_context(nginx_rtmp(folder / "nginx"))
    stack.enter_context(publishing(video, folder / "log", "-f", "flv", f"{server.rtmp}/key"))
    return f"{server.rtmp}/key", {}


def rtsp(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    url = f"rtsp://127.0.0.1:{free_port()}/live"
    packed = folder / "video.mp4"  # RTSP takes no AAC with ADTS headers
    media.run_ffmpeg("-i", video, "-c", "copy", packed)
    stack.enter_context(publishing(packed, folder / "log", "-f", "rtsp", "-rtsp_transport", "tcp", url))
    return url, {"rtsp_flags": "listen"}


def srt(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    stack.enter_context(publishing(video, folder / "log", "-f", "mpegts", f"{url}?mode=listener"))
    return url, {}


def udp(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    stack.enter_context(publishing(video, folder / "log", "-f", "mpegts", f"{url}?pkt_size=1316"))
    return url, {}


def rtp(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    url = f"rtp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    stack.enter_context(publishing(video, folder / "log", "-f", "rtp_mpegts", url))
    return url, {}


def http(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    return f"{stack.enter_context(serve_folders(video.parent))}/{video.name}", {}


def hls(video: Path, folder: Path, stack: ExitStack) -> tuple[str, dict[str, str]]:
    media.run_ffmpeg("-i", video, "-c", "copy", "-f", "hls", "-hls_time", "1", folder / "video.m3u8")
    return f"{stack.enter_context(serve_folders(folder))}/video.m3u8", {}


PEERS: tuple[Peer, ...] = (rtmp, rtsp, srt, udp, rtp, http, hls)


def streamed(peer: Peer, video: Path, folder: Path) -> StreamSnapshot:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with ExitStack() as stack:
        url, given = peer(video, folder, stack)
        options = StreamOptions(
            url,
            (str(folder / "out.ts"),),
            renditions=(Rendition(180, 400.0),),
            attention="none",
            duration_seconds=SECONDS,
            max_latency_seconds=10.0,
            input_options=given,
        )
        return run_stream(options)


@pytest.fixture(scope="module")
def all_streamed(published_video: Path, videos: Path) -> dict[str, StreamSnapshot | BaseException]:
    """All at once: it is mostly waiting."""

    def run() -> dict[str, StreamSnapshot | BaseException]:
        with ThreadPoolExecutor(len(PEERS)) as pool:
            running = {one.__name__: pool.submit(streamed, one, published_video, videos / one.__name__) for one in PEERS}
            return {name: future.exception() or future.result() for name, future in running.items()}

    return undisturbed(run)


@pytest.mark.parametrize("name", [one.__name__ for one in PEERS])
def test_a_source_of_every_kind_is_streamed(
    all_streamed: dict[str, StreamSnapshot | BaseException], videos: Path, name: str
) -> None:
    ended = all_streamed[name]
    if isinstance(ended, BaseException):
        raise ended
    # RTSP has no times before RTCP says what time it is.
    assert ended.frames_in >= 49 and ended.timestamp_jumps <= (name == "rtsp")
    flashes, tones = live_source.flashes_and_tones(videos / name / "out.ts")
    assert len(flashes) >= 1
    for flash in flashes:
        assert min(abs(tone - flash) for tone in tones) < 0.04


def test_what_comes_through_a_pipe_is_streamed(published_video: Path, tmp_path: Path) -> None:
    send = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", published_video, "-c", "copy", "-f", "mpegts", "-"]
    words: list[str | Path] = ["stream", "-", tmp_path / "out.ts", "--attention", "none", "--no-pace", "-q"]
    with subprocess.Popen(send, stdout=subprocess.PIPE) as sending:
        done = subprocess.run(
            command.program(*words, "--bitrate", "400k"), stdin=sending.stdout, capture_output=True, timeout=120, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
    with av.open(str(tmp_path / "out.ts")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 150


def test_a_device_is_opened_by_its_own_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.ts"
    words = ("--attention", "none", "--no-pace", "--duration", "1", "--bitrate", "300k", "-q")
    done = command.run(capfd, "stream", "lavfi:testsrc2=size=320x180:rate=25", out, *words)
    assert (done.status, done.err) == (0, "")
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("v4l2:/dev/video77", "v4l2:/dev/video77: no such device"),
        ("x11grab::77", "x11grab::77: can't be opened"),
        ("rtmp://user:secret@127.0.0.1:1/live/key", r"rtmp://\*\*\*@127.0.0.1:1/live/\*\*\*: can't be opened"),
        ("srt://127.0.0.1:1?passphrase=0123456789", "srt://127.0.0.1:1.*can't be opened"),
    ],
)
def test_a_source_that_is_not_there_is_said_in_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, source: str, words: str
) -> None:
    outcome = command.run(capfd, "stream", source, tmp_path / "out.ts")
    command.assert_one_line(outcome, 1, words)
    assert "secret" not in outcome.err and "0123456789" not in outcome.err
    assert not list(tmp_path.iterdir())


def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = source_address(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(MediaError, match=r"can't be opened \(nothing came in time\)"):
            open_source(address, {}, 0.3, lambda: False, open_seconds=0.3)
