"""Targets over the network, against real peers on loopback: what arrives, and what happens when they go away."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import live_packets as live
import media
import pytest
from live_rigs import (
    RtmpServer,
    ffmpeg_peer,
    free_port,
    is_connected,
    nginx_rtmp,
    node_media_server,
    reader,
    rtsp_server,
    srt_listener,
    wait_until,
)

from stcodec.stream.output.address import parse_target
from stcodec.stream.output.targets import open_target
from stcodec.stream.packet import Target

SPEED = 6.0
"""Faster than real time, so that the tests are short; the peers don't mind."""


def ends_well(target: Target) -> None:
    (state,) = live.close_all(target)
    assert (state.condition, state.packets_dropped, state.reconnects) == ("closed", 0, 0), state


def wait_for_reader(server: RtmpServer) -> None:
    """Until somebody has connected, and some time for him to say what he wants."""
    wait_until(lambda: is_connected(server.port), "the reader connects")
    time.sleep(0.4)


def arrived_packets(path: Path) -> int:
    """Of the first video stream in a file that may still grow."""
    try:
        return len(media.video_pts(path))
    except (OSError, StopIteration):  # nothing to see yet
        return 0


def has_frames(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 20_000


@pytest.mark.parametrize("server", [nginx_rtmp, node_media_server])
def test_rtmp_servers_give_readers_every_frame(
    tmp_path: Path, server: Callable[[Path], AbstractContextManager[RtmpServer]]
) -> None:
    what = live.recorded().until(6)
    with server(tmp_path / "server") as running:
        address = f"{running.rtmp}/s3cret"
        with ffmpeg_peer(*reader(address, tmp_path / "got.ts"), log=tmp_path / "log"):
            wait_for_reader(running)
            target = open_target(parse_target(address), what.tracks, waits=True)
            live.feed(what, target, speed=SPEED)
            assert live.eventually(target, lambda one: one.condition == "open").name == f"{running.rtmp}/***"
            ends_well(target)
            # The reader stays: a server keeps its readers for when the stream comes back.
            wait_until(lambda: arrived_packets(tmp_path / "got.ts") == 6 * live.FPS, "every frame arrives")
    live.assert_same_times(live.arrived(tmp_path / "got.ts"), what.video_seconds())


def test_hevc_goes_over_enhanced_rtmp(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=25:bframes=0"}
    track, packets = live.encode_video((160, 90), 0, "libx265", 75, **options)
    what = live.Recorded((track,), tuple(packets))
    with (
        node_media_server(tmp_path / "server") as running,
        ffmpeg_peer(*reader(f"{running.rtmp}/key", tmp_path / "got.ts"), log=tmp_path / "log"),
    ):
        wait_for_reader(running)
        target = open_target(parse_target(f"{running.rtmp}/key"), what.tracks, waits=True)
        live.feed(what, target, speed=SPEED)
        ends_well(target)
        wait_until(lambda: arrived_packets(tmp_path / "got.ts") == 75, "every frame arrives")
    live.assert_same_times(live.arrived(tmp_path / "got.ts"), what.video_seconds())


def test_rtmps_trusts_only_certificates_that_the_machine_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = live.recorded().until(3)
    with node_media_server(tmp_path / "server", has_tls=True) as running:
        refused = open_target(parse_target(f"{running.rtmp}/key"), what.tracks)
        live.feed(what, refused)
        state = live.eventually(refused, lambda one: one.condition == "retrying")
        assert state.message.startswith("certificate verify failed; trying again") and state.bytes == 0
        live.close_all(refused)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server" / "cert.pem"))
        target = open_target(parse_target(f"{running.rtmp}/key"), what.tracks, waits=True)
        live.feed(what, target, speed=SPEED)
        ends_well(target)


def test_srt_rtsp_tcp_and_udp_peers_get_every_frame_side_by_side(tmp_path: Path) -> None:
    what = live.recorded().until(6)
    srt, udp = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    rtsp, tcp = free_port(), free_port()
    query = "&passphrase=0123456789"
    peers = {  # address, and the arguments and the port of its peer
        f"srt://127.0.0.1:{srt}?passphrase=0123456789": (srt_listener(srt, tmp_path / "srt.ts", query), srt),
        f"rtsp://127.0.0.1:{rtsp}/live": (rtsp_server(rtsp, tmp_path / "rtsp.ts"), rtsp),
        f"tcp://127.0.0.1:{tcp}": (reader(f"tcp://127.0.0.1:{tcp}?listen=1", tmp_path / "tcp.ts"), tcp),
        f"udp://127.0.0.1:{udp}": (reader(f"udp://127.0.0.1:{udp}?timeout=2000000", tmp_path / "udp.ts"), udp),
    }
    with side_by_side(tmp_path, peers.values()) as running:
        targets = [open_target(parse_target(address), what.tracks, waits=True) for address in peers]
        live.feed(what, *targets, speed=SPEED)
        for target in targets:
            ends_well(target)
        for peer in running:
            peer.wait(120)
    for name in ("srt", "tcp", "udp"):
        live.assert_same_times(live.arrived(tmp_path / f"{name}.ts"), what.video_seconds())
    # The RTSP peer leaves out what it looks at before it knows the time.
    assert len(live.arrived(tmp_path / "rtsp.ts")) >= 4 * live.FPS


def test_a_server_that_goes_away_is_found_again_and_the_others_go_on(tmp_path: Path) -> None:
    what, port = live.recorded(), free_port()
    address = f"rtmp://127.0.0.1:{port}/live/key"
    gone = open_target(parse_target(address), what.tracks)
    fine = open_target(parse_target(str(tmp_path / "talk.mkv")), what.tracks)
    pumped = live.Pump(what, gone, fine)
    try:
        state = live.eventually(gone, lambda one: one.condition == "retrying")
        assert state.message.startswith("Connection refused; trying again in ") and state.bytes == 0
        for turn in range(2):
            with nginx_rtmp(tmp_path / str(turn), port) as server:
                with ffmpeg_peer(*reader(address, tmp_path / f"{turn}.ts"), log=tmp_path / "log"):
                    live.eventually(gone, lambda one: one.condition == "open")
                    wait_until(lambda: has_frames(tmp_path / f"{turn}.ts"), "frames come through the server")  # noqa: B023
                assert server.process.poll() is None
            live.eventually(gone, lambda one: one.condition == "retrying")
    finally:
        pumped.stop()
    assert gone.state().reconnects == 1 and gone.state().packets_dropped > 0
    live.close_all(gone)
    (state,) = live.close_all(fine)
    assert (state.condition, state.packets_dropped) == ("closed", 0)
    assert len(live.arrived(tmp_path / "talk.mkv")) == pumped.frames
    for turn in range(2):
        assert len(live.arrived(tmp_path / f"{turn}.ts")) > 5  # from a key frame on: they can be decoded


@pytest.mark.parametrize("kind", ["rtmp", "tcp"])
def test_a_server_that_never_answers_holds_up_nobody(tmp_path: Path, kind: str) -> None:
    what = live.recorded()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{kind}://127.0.0.1:{silent.getsockname()[1]}/live/key"
        mute = open_target(parse_target(address), what.tracks)
        fine = open_target(parse_target(str(tmp_path / "talk.mkv")), what.tracks)
        begin = time.monotonic()
        live.feed(what, mute, fine, speed=12)
        (state,) = live.close_all(fine)
        assert (state.condition, state.packets_dropped) == ("closed", 0)
        mute.close(0.5)
        assert time.monotonic() - begin < 15
        assert mute.state().condition in ("failed", "closed")
    assert live.arrived(tmp_path / "talk.mkv")[-1] > 11.9


def test_a_reader_that_is_too_slow_gets_what_can_be_decoded(tmp_path: Path) -> None:
    track, packets = live.encode_video((320, 180), 0, crf="4", bitrate="0")
    what = live.Recorded((track,), tuple(packets))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        target = open_target(parse_target(f"tcp://127.0.0.1:{server.getsockname()[1]}"), what.tracks)
        connection, _ = server.accept()
        live.feed(what, target, speed=20)
        assert target.state().packets_dropped > live.FPS
        received = bytearray()
        draining = threading.Thread(target=drain, args=(connection, received))
        draining.start()
        live.close_all(target)
        draining.join()
        connection.close()
    (tmp_path / "got.ts").write_bytes(received)
    assert live.FPS < len(live.arrived(tmp_path / "got.ts")) < len(packets)


def test_an_srt_listener_waits_for_its_caller_and_gives_him_what_is_new(tmp_path: Path) -> None:
    what, port = live.recorded(), free_port(socket.SOCK_DGRAM)
    target = open_target(parse_target(f"srt://127.0.0.1:{port}?mode=listener"), what.tracks)
    pumped = live.Pump(what, target)
    try:
        live.eventually(target, lambda one: one.packets_dropped > 0)
        assert target.state().condition == "connecting"
        with ffmpeg_peer(*reader(f"srt://127.0.0.1:{port}", tmp_path / "got.ts"), log=tmp_path / "log"):
            live.eventually(target, lambda one: one.condition == "open")
            wait_until(lambda: has_frames(tmp_path / "got.ts"), "frames come")
    finally:
        pumped.stop()
    live.close_all(target, seconds=1)
    assert len(live.arrived(tmp_path / "got.ts")) > 5 and target.state().reconnects == 0


def test_readers_come_and_go_at_a_port_of_ours(tmp_path: Path) -> None:
    what, port = live.recorded(), free_port()
    target = open_target(parse_target(f"tcp://127.0.0.1:{port}?listen=1"), what.tracks)
    pumped = live.Pump(what, target)
    try:
        for turn in range(2):
            with ffmpeg_peer(*reader(f"tcp://127.0.0.1:{port}", tmp_path / f"{turn}.ts"), log=tmp_path / "log"):
                wait_until(lambda: has_frames(tmp_path / f"{turn}.ts"), "frames come")  # noqa: B023
        busy = open_target(parse_target(f"tcp://127.0.0.1:{port}?listen=1"), what.tracks)
        assert live.eventually(busy, lambda one: one.condition == "retrying").message.startswith("Address already in use")
        live.close_all(busy)
    finally:
        pumped.stop()
    live.close_all(target, seconds=1)
    assert target.state().reconnects >= 1
    assert all(len(live.arrived(tmp_path / f"{turn}.ts")) > 5 for turn in range(2))


@contextmanager
def side_by_side(folder: Path, peers: Iterable[tuple[list[str | Path], int]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Several peers at work, each waiting at its port."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(ffmpeg_peer(*arguments, log=folder / f"{port}.log", port=port)) for arguments, port in peers
        ]


def drain(connection: socket.socket, into: bytearray) -> None:
    """Read until the other side hangs up."""
    while content := connection.recv(65536):
        into += content
