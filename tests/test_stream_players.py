"""Live streams in players: hls.js and dash.js in chromium, while the pipeline runs."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Page, open_browser
from counted import Feed, make_counted
from live_files import serve_folders
from live_player import Player, PlayerKind, Watched, player_folders
from live_rigs import free_port

SIZE = (640, 360)
PLAYLISTS: dict[PlayerKind, str] = {"hls": "live.m3u8", "dash": "live.mpd"}


LATENCIES_SECONDS: dict[PlayerKind, float] = {"hls": 2.0, "dash": 4.0}
"""Bounds for a machine that does much else; DASH stays as far behind as the stream's begin was late."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, demo: Path) -> Path:
    return make_counted(tmp_path_factory.mktemp("counted") / "video.mkv", demo, 180, size=SIZE)


@contextmanager
def streaming(video: Path, playlist: Path, *more: str) -> Iterator[Feed]:
    """`stcodec stream` from a pipe into a folder."""
    command = [sys.executable, "-m", "stcodec", "stream", "-", str(playlist), "-q", "--bitrate", "800k", *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        feed = Feed(video, process.stdin)
        feed.start()
        try:
            end = time.monotonic() + 120
            while not playlist.exists():
                assert process.poll() is None
                assert time.monotonic() < end, "no playlist came"
                time.sleep(0.05)
            yield feed
        finally:
            feed.stop()
            process.stdin.close()
            assert process.wait(120) == 0


def watch(page: Page, video: Path, folder: Path, kind: PlayerKind, settle: float, seconds: float, *more: str) -> Watched:
    folders = player_folders(kind)
    with streaming(video, folder / PLAYLISTS[kind], *more) as feed, serve_folders(folder, *folders) as server:
        player = Player(page, server, kind, PLAYLISTS[kind])
        player.wait_until_it_plays()
        time.sleep(settle)
        return player.watch(seconds, feed)


@pytest.mark.parametrize("kind", ["hls", "dash"])
def test_a_player_follows_the_stream(page: Page, counted: Path, tmp_path: Path, kind: PlayerKind) -> None:
    seen = watch(page, counted, tmp_path, kind, 0.0, 3.0, "--attention", "motion")
    assert seen.errors == []
    assert seen.presented > 20
    assert len(seen.numbers) >= 2
    steps = [(after - before) % 180 for before, after in zip(seen.numbers, seen.numbers[1:], strict=False)]
    assert all(0 < step < 90 for step in steps)  # it goes forward
    # Bounded, on a machine that does much else; tools/bench_stream.py measures it.
    assert 0 < statistics.median(seen.latencies_seconds) < 6


@pytest.mark.parametrize("kind", ["hls", "dash"])
def test_an_ordinary_player_is_close_to_live(page: Page, counted: Path, tmp_path: Path, kind: PlayerKind) -> None:
    """hls.js with `maxLiveSyncPlaybackRate` alone, dash.js by our clock; from the program's own server."""
    name, port = PLAYLISTS[kind], free_port()
    with serve_folders(*player_folders(kind)) as own:
        more = "--attention", "none", "--serve", f"127.0.0.1:{port}", "--allow-origin", own
        with streaming(counted, tmp_path / name, *more) as feed:
            player = Player(page, own, kind, name, f"http://127.0.0.1:{port}")
            player.wait_until_it_plays()
            seen = player.watch_until_latency(LATENCIES_SECONDS[kind], feed)
            asked = player.asked()
    latencies = [f"{seconds:.2f} s" for seconds in seen.latencies_seconds]  # a crowded machine may show nothing in a second
    print(f"{kind}: {', '.join(latencies)}; the player says {seen.said_seconds}")
    assert seen.errors == []
    wanted = r"\.m3u8\?_HLS_msn=\d+&_HLS_part=\d+" if kind == "hls" else "/time"
    assert any(re.search(wanted, one) for one in asked)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["hls", "dash"])
def test_half_a_minute_without_a_dropped_frame(page: Page, demo: Path, tmp_path: Path, kind: PlayerKind) -> None:
    """On a machine that does nothing else."""
    video = make_counted(tmp_path / "video.mkv", demo, 1800, size=(1280, 720))
    seen = watch(page, video, tmp_path, kind, 15.0, 30.0, "--bitrate", "2500k")
    assert seen.errors == []
    assert (seen.dropped, seen.stalls) == (0, 0)
    assert seen.presented >= 30 * 30 - 15
    print(f"{kind}: {statistics.median(seen.latencies_seconds):.2f} s, the player says {seen.said_seconds}")
    assert statistics.median(seen.latencies_seconds) <= 2
