"""Sources through the ffmpeg program: SRT with a real peer, and devices."""

from __future__ import annotations

import os
import socket
import threading
import time

import av
import live_packets as live
import pytest
from live_rigs import free_port

from stcodec.errors import MediaError
from stcodec.stream.address import parse_address
from stcodec.stream.input.relay import PipeReader, device_relay, srt_relay
from stcodec.stream.output.address import parse_target
from stcodec.stream.output.targets import open_target
from stcodec.stream.packet import Target


@pytest.mark.parametrize("mode", ["listener", "caller"])
def test_an_srt_stream_comes_through_whoever_calls(mode: str) -> None:
    what, port = live.recorded().until(6), free_port(socket.SOCK_DGRAM)
    ours, theirs = ("?mode=listener", "") if mode == "listener" else ("", "?mode=listener")
    target = open_target(parse_target(f"srt://127.0.0.1:{port}{theirs}"), what.tracks)
    relay = srt_relay(parse_address(f"srt://127.0.0.1:{port}{ours}"), 20, lambda: False)
    sending = threading.Thread(target=send, args=(what, target))
    sending.start()
    got: list[float] = []
    try:
        with av.open(relay, "r", format="mpegts") as container, pytest.raises(OSError, match="hung up"):
            for packet in container.demux(video=0):
                got += [float(packet.pts * packet.time_base)] if packet.pts is not None else []
    finally:
        relay.close()
        sending.join()
    wanted = what.video_seconds()
    assert len(wanted) - 2 <= len(got)  # the last are never known to be whole: the connection breaks off
    live.assert_same_times([one - got[0] for one in got], wanted[: len(got)])


def send(what: live.Recorded, target: Target) -> None:
    live.feed(what, target, speed=8)
    live.close_all(target)


def test_a_peer_that_is_not_there_is_said_without_the_passphrase() -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?passphrase=0123456789&connect_timeout=300"
    relay = srt_relay(parse_address(url), 20, lambda: False)
    try:
        with pytest.raises(ConnectionError, match=r"does not answer, refuses, or hung up") as caught:
            relay.read(1000)
        assert "0123456789" not in str(caught.value)
        assert relay.read(1000) == b""  # libav asks again
    finally:
        relay.close()


def test_a_caller_is_waited_for_longer_than_a_stall_and_the_program_ends_when_told_to() -> None:
    address = parse_address(f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}?mode=listener")
    begin = time.monotonic()
    relay = srt_relay(address, 0.2, lambda: time.monotonic() > begin + 1.5)
    assert relay.read(1000) == b"" and time.monotonic() - begin > 1.4
    pid = relay.process_id
    assert os.getsid(pid) == pid  # Ctrl-C in our terminal is not meant for it
    relay.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_silence_after_the_first_bytes_is_a_stall() -> None:
    reading, writing = os.pipe()
    try:
        pipe = PipeReader(reading, lambda: False, 0.3, begins_late=True)
        os.write(writing, b"x")
        assert pipe.read(1000) == b"x"
        with pytest.raises(TimeoutError, match=r"nothing came for 0\.3 s"):
            pipe.read(1000)
        assert pipe.read(1000) == b""  # libav asks again
    finally:
        os.close(reading)
        os.close(writing)


def test_the_pictures_of_a_device_come_in_the_size_asked_for() -> None:
    options = {"video_size": "64x48", "pixel_format": "gray", "framerate": "10"}
    relay = device_relay("rawvideo", "/dev/zero", options, 20, lambda: False)
    try:
        with av.open(relay, "r", format="nut") as container:
            frame = next(container.decode(video=0))
        assert (frame.width, frame.height, frame.format.name) == (64, 48, "gray")
    finally:
        relay.close()


@pytest.mark.parametrize("name", ["f", "format", "filename"])
def test_options_that_would_make_another_device_of_it_are_refused(name: str) -> None:
    with pytest.raises(MediaError, match=f"x11grab::0: {name} is no option of a device"):
        device_relay("x11grab", ":0", {name: "lavfi"}, 20, lambda: False)
