"""Measure the live stream beside plain `ffmpeg` with the same encoder settings: latency, map age, drops, memory.

    PYTHONPATH=tests python tools/bench_stream.py [--parts PART,...] [--seconds 30] --out data/results/bench_stream.json

The source is a video with its frames' numbers in the picture (data/demo.mp4 again and again, 1280x720, 30 fps), given as
MPEG-TS through a pipe, each frame when it is due; latency is from there to when the frame is decoded at the other end (for
browsers: shown). Parts: readers, browser, long, memory; those that are not measured keep what the file has. Needs what the
tests of streams need: nginx with its RTMP module, chromium, hls.js and dash.js; .ci/run installs them.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from browser import open_browser
from counted import Feed, StreamReader, make_counted
from live_files import serve_folders
from live_player import Player, PlayerKind, player_folders
from live_rigs import free_port, nginx_rtmp
from results import DEMO, parser_for

from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.pipeline.summary import versions

FPS = 30
VIDEO_FRAMES = 60 * FPS
SETTLE_SECONDS = 5.0
MINUTE_SECONDS = 60.0
"""What the percentiles that a stream says are of."""
PLAYER_SETTLE_SECONDS = 15.0
"""A player goes a little faster until it is as near to the live edge as it was asked to be."""
RATE = "2500k"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-b:v", RATE, "-maxrate", RATE, "-bufsize", RATE)
WAYS = ("ffmpeg", "none", "neural")
"""Plain ffmpeg; ours without attention; ours with it."""


def command_of(way: str, target: str, kind: str, *more: str) -> list[str]:
    """What encodes stdin for a target."""
    if way != "ffmpeg":
        ours = [sys.executable, "-m", "stcodec", "stream", "-", target, "--bitrate", RATE, "--preset", "veryfast"]
        return [*ours, "--attention", way, "--json", *more]
    muxers = {
        "mpegts": ("-f", "mpegts", "-flush_packets", "1"),
        "rtmp": ("-f", "flv", "-flvflags", "no_duration_filesize"),
        "hls": (
            "-f",
            "hls",
            "-hls_time",
            "1",
            "-hls_list_size",
            "6",
            "-hls_segment_type",
            "fmp4",
            "-hls_flags",
            "delete_segments",
        ),
        "dash": (
            *(
                "-f",
                "dash",
                "-seg_duration",
                "1",
                "-ldash",
                "1",
                "-streaming",
                "1",
                "-window_size",
                "6",
                "-use_timeline",
                "0",
            ),
            *("-frag_type", "duration", "-frag_duration", "0.2", "-target_latency", "1", "-write_prft", "1"),
        ),
    }
    source = ("-v", "error", "-fflags", "nobuffer", "-probesize", "1000000", "-analyzeduration", "1500000", "-i", "-")
    return [find_ffmpeg(), *source, *X264, "-g", str(FPS), *muxers[kind], target]


class Run:
    """An encoder at work on the counted video."""

    def __init__(self, command: Sequence[str], video: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as said, log.with_suffix(".err").open("wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=errors)
        assert self.process.stdin is not None
        self.feed = Feed(video, self.process.stdin)
        self.feed.start()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> list[dict[str, Any]]:
        """What it said of itself, a state a second; empty for ffmpeg."""
        self.feed.stop()
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        self.process.wait(30)
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def running(command: Sequence[str], video: Path, log: Path) -> Iterator[Run]:
    run = Run(command, video, log)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.end()


def milliseconds(seconds: Sequence[float]) -> dict[str, float | None]:
    if not seconds:
        return {"median_ms": None, "p99_ms": None}
    return {
        "median_ms": round(1000 * float(np.median(seconds)), 1),
        "p99_ms": round(1000 * float(np.quantile(seconds, 0.99)), 1),
    }


def own_words(states: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a run of ours said: map age by a sample a second, the minutes' worst percentiles, drops, what gave way."""
    if not states:
        return {}
    late = [one for one in states if one["running_seconds"] > SETTLE_SECONDS] or list(states)
    whole = [one for one in states if one["running_seconds"] > MINUTE_SECONDS + SETTLE_SECONDS]
    last = states[-1]
    return {
        "map_age": milliseconds([one["map_age_seconds"] for one in late if one["map_age_seconds"] is not None]),
        "worst_minute_ms": {
            name: round(1000 * max(found)) if (found := [one[f"{name}_p99_seconds"] or 0.0 for one in whole]) else None
            for name in ("latency", "map_age")
        },
        "maps_per_second": round(last["maps"] / last["running_seconds"], 1),
        "frames_dropped": sum(one["frames_dropped"] for one in last["renditions"]),
        "buffer_underflows": sum(one["buffer_underflows"] for one in last["renditions"]),
        "pressure_seconds": {
            name: sum(one["pressure"] == name for one in late)
            for name in sorted({one["pressure"] for one in late} - {"none"})
        },
    }


def measure_reader(way: str, kind: str, video: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """Latency to a reader of MPEG-TS over TCP, or of RTMP behind a server."""
    with nginx_rtmp(folder / f"nginx-{way}-{kind}") as server:
        if kind == "mpegts":
            target = f"tcp://127.0.0.1:{free_port()}"
            reader = StreamReader(f"{target}?listen=1")
            time.sleep(0.5)
        else:
            target = f"{server.rtmp}/live"
        with running(command_of(way, target, kind), video, folder / f"{way}-{kind}.log") as run:
            if kind == "rtmp":
                time.sleep(3)
                reader = StreamReader(target, rtmp_live="live")
            time.sleep(SETTLE_SECONDS)
            before, began = run.cpu_seconds(), time.monotonic()
            time.sleep(seconds)
            cores = (run.cpu_seconds() - before) / (time.monotonic() - began)
            seen = reader.stop()
            states = run.end()
    row = {"way": way, "target": kind, **milliseconds(seen.latencies(run.feed, SETTLE_SECONDS))}
    return (
        row
        | {"frames": len(seen.numbers), "missing": seen.missing(run.feed.length), "cores": round(cores, 2)}
        | own_words(states)
    )


def measure_player(
    way: str, kind: PlayerKind, video: Path, folder: Path, seconds: float, join_seconds: float
) -> dict[str, Any]:
    """Latency to chromium, with segments of a second; join_seconds: how long it waits before it opens the page."""
    place = folder / f"{way}-{kind}-{round(1000 * join_seconds)}"
    place.mkdir()
    playlist = place / ("live.m3u8" if kind == "hls" else "live.mpd")
    with running(command_of(way, str(playlist), kind), video, place.with_suffix(".log")) as run:
        while not playlist.exists():
            time.sleep(0.1)
        profile = folder / f"profile-{place.name}"
        with serve_folders(place, *player_folders(kind)) as server, open_browser(profile) as page:
            time.sleep(join_seconds)
            player = Player(page, server, kind, playlist.name)
            player.wait_until_it_plays()
            time.sleep(PLAYER_SETTLE_SECONDS)
            seen = player.watch(seconds, run.feed)
        states = run.end()
    row: dict[str, Any] = {"way": way, "target": kind, "join_seconds": join_seconds}
    row |= milliseconds(seen.latencies_seconds)
    row |= {
        "presented": seen.presented,
        "player_dropped": seen.dropped,
        "player_stalls": seen.stalls,
        "player_errors": seen.errors,
    }
    return row | {"player_says_seconds": seen.said_seconds} | own_words(states)


def measure_readers(video: Path, folder: Path, seconds: float) -> list[dict[str, Any]]:
    return [measure_reader(way, kind, video, folder, seconds) for kind in ("mpegts", "rtmp") for way in WAYS]


def measure_browser(video: Path, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """hls.js can't see how old a playlist is when it loads it: what the page does about that must hold whenever it joins."""
    joins: dict[PlayerKind, tuple[float, ...]] = {"hls": (0.0, 0.3, 0.6), "dash": (0.0,)}
    return [
        measure_player(way, kind, video, folder, seconds, join)
        for kind in joins
        for way in ("ffmpeg", "neural")
        for join in joins[kind]
    ]


def measure_long(video: Path, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """Twenty times as long as the others: ten minutes by default."""
    return [measure_reader("neural", "mpegts", video, folder, 20 * seconds)]


def measure_memory(video: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """120 times as long as the others, an hour by default: 640x360 with maps into HLS, as fast as it goes."""
    hour = 120 * seconds
    small = make_counted(folder / "small.mkv", DEMO, VIDEO_FRAMES, FPS, (640, 360))
    command = [
        sys.executable,
        "-m",
        "stcodec",
        "stream",
        str(small),
        str(folder / "memory" / "live.m3u8"),
        "--loop",
        "--no-pace",
    ]
    (folder / "memory").mkdir()
    command += ["--duration", f"{hour:g}s", "--bitrate", "800k", "--json", "-q"]
    began = time.monotonic()
    states, resident = 0, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last: dict[str, Any] = {}
        for line in process.stdout:
            last, states = json.loads(line), states + 1
            status = Path(f"/proc/{process.pid}/status")
            found = [one for one in (status.read_text().splitlines() if status.exists() else []) if one.startswith("VmRSS")]
            if found:
                resident.append(int(found[0].split()[1]) / 1024)
    wall = time.monotonic() - began
    quarters = [round(float(np.max(part))) for part in np.array_split(np.array(resident), 4)]
    return {
        "video_seconds": round(last["frames_in"] / FPS),
        "wall_seconds": round(wall),
        "times_real_time": round(last["frames_in"] / FPS / wall, 1),
        "maps": last["maps"],
        "peak_mib_by_quarter": quarters,
        "median_mib_by_quarter": [round(float(np.median(part))) for part in np.array_split(np.array(resident), 4)],
        "frames_dropped": sum(one["frames_dropped"] for one in last["renditions"]),
    }


PARTS: dict[str, Callable[[Path, Path, float], Any]] = {
    "readers": measure_readers,
    "browser": measure_browser,
    "long": measure_long,
    "memory": measure_memory,
}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seconds", type=float, default=30.0, help="of each short measurement (30); the long ones scale")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result: dict[str, Any] = {}
    if given.out is not None and given.out.exists():
        result = json.loads(given.out.read_text())
    result["versions"] = versions()
    result["settings"] = {"size": "1280x720", "fps": FPS, "encoder": "libx264 veryfast zerolatency", "rate": RATE}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = make_counted(folder / "counted.mkv", DEMO, VIDEO_FRAMES, FPS)
        for part in given.parts.split(","):
            (folder / part).mkdir()
            load = os.getloadavg()[0]
            result[part] = {
                "command": f"PYTHONPATH=tests python tools/bench_stream.py --parts {part} --seconds {given.seconds:g}",
                "machine": {"cores": os.cpu_count(), "system": platform.system(), "load_1_minute_before": round(load, 2)},
                "found": PARTS[part](video, folder / part, given.seconds),
            }
            print(json.dumps(result[part], indent=1), flush=True)
            if given.out is not None:
                given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
