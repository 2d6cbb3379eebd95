"""No program that a stream started outlives it, however the stream ends; and a caller is waited for."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import command
import imageio_ffmpeg
import live_source
import pytest
from live_rigs import free_port, wait_until

from stcodec.media.ffmpeg import ending_with_us

ENDS = [
    *(("source", one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)),
    *(("target", one) for one in (signal.SIGTERM, signal.SIGKILL)),
]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system ends programs with their parent on Linux")


def programs(word: str) -> list[int]:
    """Process ids of ffmpeg programs with a word in their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"ffmpeg" in words[0] and any(word.encode() in one for one in words):
            found.append(int(place.name))
    return found


@pytest.mark.parametrize(("side", "number"), ENDS)
def test_a_listening_program_ends_with_the_stream(video: Path, tmp_path: Path, side: str, number: signal.Signals) -> None:
    port = str(free_port(socket.SOCK_DGRAM))
    url = f"srt://127.0.0.1:{port}?mode=listener"
    places = (url, tmp_path / "out.ts") if side == "source" else (video, url)
    words = ("--attention", "none", "-q", *(("--loop",) if side == "target" else ()))
    with subprocess.Popen(command.program("stream", *places, *words), stderr=subprocess.DEVNULL) as running:
        try:
            wait_until(lambda: bool(programs(port)), "the program listens")
            running.send_signal(number)
            running.wait(120)
        finally:
            running.kill()
    wait_until(lambda: not programs(port), "it is gone", 20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", int(port)))


def test_a_program_ends_with_the_thread_that_started_it() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(subprocess.Popen(ending_with_us(["sleep", "60"])))
        words = Path(f"/proc/{started[0].pid}/cmdline")
        wait_until(lambda: words.read_bytes().endswith(b"sleep\x0060\0") and b"prctl" not in words.read_bytes(), "it runs")

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert started[0].wait(120) == -signal.SIGKILL


def test_a_caller_may_come_late(videos: Path, tmp_path: Path) -> None:
    published = live_source.make_flashing_ts(videos / "late_caller.ts", seconds=6, start_seconds=0)
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    words = ("--attention", "none", "-q", "--stall", "0.5s", "--duration", "2s", "--bitrate", "300k")
    streaming = command.program("stream", f"{url}?mode=listener", tmp_path / "out.ts", *words)
    with subprocess.Popen(streaming, stderr=subprocess.PIPE) as running:
        wait_until(lambda: bool(programs(url)), "it listens")
        time.sleep(2)
        assert running.poll() is None
        send = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-re", "-i", published, "-c", "copy", "-f", "mpegts", url]
        with subprocess.Popen(send, stderr=subprocess.DEVNULL) as sending:
            _, said = running.communicate(timeout=120)
            sending.kill()
    assert (running.returncode, said) == (0, b"")
