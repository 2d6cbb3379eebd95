"""Real peers of a live stream, on loopback: RTMP servers, the ffmpeg program, a server of files as players ask for them.

Each is a context manager; it ends what it started by its process id. Where a part is not installed the test is skipped.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

NODE_FOLDER = "STCODEC_NODE_MODULES"
"""Environment variable: the folder `node_modules` that holds node-media-server, hls.js and dashjs; .ci/run fills it."""
_NODE_DEFAULT = Path.home() / ".cache" / "stcodec-tests" / "node_modules"
_NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_PATIENCE_SECONDS = 120.0


_ports = itertools.count(10_000 + os.getpid() * 41 % 20_000)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody listens on, a new one each time.

    Not one that the system chooses: those are given to any client between now and when somebody listens.
    """
    for port in _ports:
        with suppress(OSError), socket.socket(socket.AF_INET, kind) as one:
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable")


def wait_until(condition: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Until it holds; the test fails if it does not come to that."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never happened within {seconds:g} s: {what}"
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    """Whether somebody waits there, for TCP or UDP. Nobody is asked: some peers take a single connection."""
    return _has_socket(("tcp", "tcp6"), port, "0A") or _has_socket(("udp", "udp6"), port, "07")


def is_connected(port: int) -> bool:
    """Whether somebody has connected to a server there."""
    return _has_socket(("tcp", "tcp6"), port, "01")


def _has_socket(tables: Sequence[str], port: int, state: str) -> bool:
    """Whether the kernel's tables (proc(5)) have a socket at a local port, in a state."""
    places = [place for name in tables if (place := Path("/proc/net") / name).exists()]
    rows = [line.split() for place in places for line in place.read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == state for row in rows)


def node_package(name: str) -> Path:
    """The folder of a package from npm; the test is skipped where it is not installed."""
    folder = Path(os.environ.get(NODE_FOLDER, _NODE_DEFAULT)) / name
    if shutil.which("node") is None or not folder.is_dir():
        pytest.skip(f"node, or {name} from npm, is not installed in {folder.parent} ({NODE_FOLDER} names another folder)")
    return folder


@contextmanager
def running(
    command: Sequence[str], log: Path, is_ready: Callable[[], bool] = lambda: True, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program from when it is ready to the end of the block; what it says goes to the log."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=folder)
    try:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not is_ready():
            said = log.read_text(errors="replace")
            assert process.poll() is None and time.monotonic() < end, f"{command[0]} did not start:\n{said}"
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class RtmpServer:
    """A running server: stream KEY is published to and read from `rtmp/KEY`."""

    rtmp: str
    """Address of the application, without the stream's key."""
    hls: str
    """Address of the folder where KEY.m3u8 appears; empty if the server makes none."""
    port: int
    """Where RTMP is spoken."""
    folder: Path
    process: subprocess.Popen[bytes]


@contextmanager
def nginx_rtmp(folder: Path, rtmp_port: int | None = None) -> Iterator[RtmpServer]:
    """nginx with the RTMP module: takes a stream under `live/KEY`, gives it to readers and as HLS over HTTP."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None or not _NGINX_MODULE.exists():
        pytest.skip("nginx and libnginx-mod-rtmp (Debian's packages) are not installed")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hls").mkdir(exist_ok=True)
    rtmp, http = rtmp_port or free_port(), free_port()
    config = folder / "nginx.conf"
    config.write_text(_nginx_config(folder, rtmp, http))
    command = [program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
    with running(command, folder / "nginx.log", lambda: is_listening(rtmp) and is_listening(http)) as process:
        yield RtmpServer(f"rtmp://127.0.0.1:{rtmp}/live", f"http://127.0.0.1:{http}/hls", rtmp, folder, process)


def _nginx_config(folder: Path, rtmp: int, http: int) -> str:
    temporary = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""load_module {_NGINX_MODULE};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 64; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:{rtmp};
    chunk_size 4096;
    application live {{
      live on;
      wait_key on;
      hls on;
      hls_path {folder}/hls;
      hls_fragment 1s;
      hls_playlist_length 6s;
    }}
  }}
}}
http {{
  access_log off;
{temporary}
  types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
  server {{
    listen 127.0.0.1:{http};
    location /hls {{
      root {folder};
      add_header Cache-Control no-cache;
      add_header Access-Control-Allow-Origin *;
    }}
  }}
}}
"""


@contextmanager
def node_media_server(folder: Path, rtmp_port: int | None = None, *, has_tls: bool = False) -> Iterator[RtmpServer]:
    """The second RTMP server, from npm. has_tls: it speaks RTMPS too, with a certificate of its own, `cert.pem`."""
    package = node_package("node-media-server")
    folder.mkdir(parents=True, exist_ok=True)
    rtmp = rtmp_port or free_port()
    config: dict[str, Any] = {
        "bind": "127.0.0.1",
        "rtmp": {"port": rtmp},
        "auth": {"play": False, "publish": False},
        "store": {"path": str(folder / "store"), "maxHistory": 10},
    }
    if has_tls:
        make_certificate(folder)
        config["rtmps"] = {"port": free_port(), "key": str(folder / "key.pem"), "cert": str(folder / "cert.pem")}
    ports = [config[name]["port"] for name in ("rtmp", "rtmps") if name in config]
    (folder / "config.json").write_text(json.dumps(config))
    command = ["node", str(package / "bin" / "app.js"), "-c", str(folder / "config.json"), "--no-admin"]
    with running(command, folder / "node.log", lambda: all(map(is_listening, ports)), folder) as process:
        scheme = "rtmps" if has_tls else "rtmp"
        yield RtmpServer(f"{scheme}://127.0.0.1:{ports[-1]}/live", "", ports[-1], folder, process)


def make_certificate(folder: Path) -> None:
    """key.pem and cert.pem for 127.0.0.1, signed by nobody else; the test is skipped where there is no openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate for TLS")
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *name]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def ffmpeg_peer(*arguments: str | Path, log: Path, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The ffmpeg program of imageio-ffmpeg at work: a reader, a publisher, a server when it is at its port."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)]
    with running(command, log, lambda: port is None or is_listening(port)) as process:
        yield process


def srt_listener(port: int, output: Path, query: str = "") -> list[str | Path]:
    """Arguments of `ffmpeg_peer`: takes one SRT caller and keeps what comes, packet by packet."""
    return [*_RECEIVE, "-i", f"srt://127.0.0.1:{port}?mode=listener{query}", *_KEEP, output]


def rtsp_server(port: int, output: Path) -> list[str | Path]:
    """Arguments of `ffmpeg_peer`: takes one RTSP publisher and keeps what comes."""
    listen = ["-rtsp_flags", "listen", "-listen_timeout", "10"]
    # Before RTCP says what time it is there are no times: what is read while the program looks around is left out.
    return [*_RECEIVE, "-fflags", "nobuffer", *listen, "-i", f"rtsp://127.0.0.1:{port}/live", *_KEEP, output]


def reader(url: str, output: Path) -> list[str | Path]:
    """Arguments of `ffmpeg_peer`: reads an address until it ends and keeps what comes."""
    return [*_RECEIVE, "-i", url, *_KEEP, output]


_RECEIVE = ("-v", "error", "-analyzeduration", "1000000")
_KEEP = ("-map", "0", "-c", "copy", "-copyts", "-flush_packets", "1", "-f", "mpegts")
