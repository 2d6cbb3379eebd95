"""The live streams of the docs, run as they are written there: only hosts, ports and a camera are those of the test."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import imageio_ffmpeg
import live_source
import pytest
from command import ENVIRONMENT, program
from live_rigs import ffmpeg_peer, free_port, nginx_rtmp, srt_listener, wait_until
from test_stream_children import programs

ROOT = Path(__file__).parents[1]
CAMERA = "-f v4l2 -i /dev/video0"


def documented() -> list[str]:
    """The command lines that stream, without their comments."""
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/stream.md")]
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]
    lines = [re.split(r" {3,}#| && ", line) for block in blocks for line in block.splitlines()]
    return [part.strip() for parts in lines for part in parts if "stcodec stream " in part]


@contextmanager
def published(url: str, video: Path, log: Path, *, calls: bool = False) -> Iterator[None]:
    """A video sent to an address over and over. calls: the stream is waited for, and called."""
    if calls:
        wait_until(lambda: bool(programs(url.partition("?")[0])), "it waits for its caller")
    kind = "flv" if url.startswith("rtmp") else "mpegts"
    words = ("-re", "-stream_loop", "-1", "-i", video, "-c", "copy", "-f", kind, url.partition("?")[0])
    with ffmpeg_peer(*words, log=log):
        yield


class Place:
    """What stands for the hosts, ports and cameras of a command line."""

    def __init__(self, stack: ExitStack, folder: Path, video: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.video = video
        self.written: list[Path] = []
        """Files that tell that it is at work."""
        self.caller = ""
        """The address that has to be called."""

    def words(self, line: str) -> list[str]:
        found = shlex.split(line)
        place = found.index("stream") + 1
        found[place:] = [self._word(word, is_source=index == 0) for index, word in enumerate(found[place:])]
        if "--dashboard" in found:
            found.insert(found.index("--dashboard") + 1, f"127.0.0.1:{free_port()}")
        return found

    def _word(self, word: str, *, is_source: bool) -> str:
        if word.startswith("rtmp://"):
            server = self.stack.enter_context(nginx_rtmp(self.folder / "server"))
            if is_source:
                self.stack.enter_context(published(f"{server.rtmp}/key", self.video, self.folder / "publisher.log"))
                wait_until((self.folder / "server" / "hls" / "key.m3u8").exists, "it is published")
            else:
                self.written.append(self.folder / "server" / "hls" / "key.m3u8")
            return f"{server.rtmp}/key"
        if word.startswith("srt://"):
            port = free_port(socket.SOCK_DGRAM)
            if is_source:
                self.caller = word.replace("9000", str(port))
                return self.caller
            self.stack.enter_context(
                ffmpeg_peer(*srt_listener(port, self.folder / "srt.ts"), log=self.folder / "srt.log", port=port)
            )
            self.written.append(self.folder / "srt.ts")
            return f"srt://127.0.0.1:{port}"
        if not is_source and word.endswith((".m3u8", ".mpd", ".mkv")):
            self.written.append(self.folder / word)
        return word


def is_at_work(paths: list[Path]) -> bool:
    return all(path.exists() and path.stat().st_size > 100 for path in paths)


def run_documented(line: str, folder: Path, video: Path) -> None:
    (folder / "talk.mp4").symlink_to(video)
    (folder / "live").mkdir()  # as the docs say
    before, _, command = line.rpartition(" | ")
    with ExitStack() as stack:
        place = Place(stack, folder, video)
        words = program(*place.words(command)[1:], *(() if before else ("--json",)))
        if before:
            camera = shlex.split(before.replace(CAMERA, "-re -f lavfi -i testsrc2=s=320x180:r=25"))
            pipe = subprocess.Popen(
                [imageio_ffmpeg.get_ffmpeg_exe(), *camera[1:]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            stack.callback(pipe.wait)
            stack.callback(pipe.kill)
        stream = subprocess.Popen(
            words,
            cwd=folder,
            env=ENVIRONMENT,
            stdin=pipe.stdout if before else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.callback(stream.kill)
        if place.caller:
            stack.enter_context(published(place.caller, video, folder / "caller.log", calls=True))
        assert place.written
        wait_until(lambda: is_at_work(place.written) or stream.poll() is not None, f"{line}: all is written")
        if stream.poll() is None and "talk.mp4" not in line.partition("stream")[2].split()[0]:
            stream.send_signal(signal.SIGINT)
        _, said = stream.communicate(timeout=120)
        assert stream.returncode in (0, 130) and is_at_work(place.written), said
        assert "Traceback" not in said


@pytest.mark.long
@pytest.mark.parametrize("line", documented())
def test_a_documented_stream_works_as_it_is_written(line: str, tmp_path: Path, videos: Path) -> None:
    video = videos / "flashes.mp4"
    if not video.exists():
        ts = live_source.make_flashing_ts(videos / "flashes.ts", size=(1280, 720), seconds=4, start_seconds=0)
        subprocess.run(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", ts, "-c", "copy", "-bsf:a", "aac_adtstoasc", video],
            check=True,
        )
    run_documented(line, tmp_path, video)


def test_all_of_them_are_found() -> None:
    assert len(documented()) >= 5
