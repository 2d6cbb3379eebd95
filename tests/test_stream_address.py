"""What a target's address is: its kind, what is refused in one line, and what is never shown."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from pathlib import Path
from urllib.parse import unquote

import command
import pytest
from hypothesis import given, strategies as st
from live_rigs import free_port, wait_until

from stcodec.errors import MediaError, OptionsError, StcodecError
from stcodec.stream.address import SRT_OPTIONS, parse_address, show
from stcodec.stream.input.sources import open_source, source_address
from stcodec.stream.output.address import check_place, check_targets, parse_target

KINDS = {
    "-": ("pipe", "stdout"),
    "live/all.m3u8": ("hls", "live/all.m3u8"),
    "live.mpd": ("dash", "live.mpd"),
    "a b.MKV": ("file", "a b.MKV"),
    "file:///x/talk.mp4": ("file", "/x/talk.mp4"),
    "talk.ts": ("mpegts", "talk.ts"),
    "rtmp://host/live/s3cret": ("rtmp", "rtmp://host/live/***"),
    "rtmps://me:pw@host:443/app/s3/cret?auth=1": ("rtmp", "rtmps://***@host:443/app/***?auth=***"),
    "rtmp://host/live/key?token": ("rtmp", "rtmp://host/live/***?***"),
    "srt://host:9000?latency=50&passphrase=0123456789": ("srt", "srt://host:9000?latency=50&passphrase=***"),
    "srt://host:9000?streamid=publish/secret&mode=caller": ("srt", "srt://host:9000?streamid=***&mode=caller"),
    "rtsp://u:p@host/live": ("rtsp", "rtsp://***@host/live"),
    "udp://239.0.0.1:1234?ttl=2": ("mpegts", "udp://239.0.0.1:1234?ttl=2"),
    "tcp://127.0.0.1:99?listen=1": ("mpegts", "tcp://127.0.0.1:99?listen=1"),
    "RTMP://host/live/key": ("rtmp", "rtmp://host/live/***"),
}
REFUSED = {
    "": "no target",
    "a\nb.ts": "no target",
    "talk.avi": r"a file is one of \.m3u8",
    "http://host/live.m3u8": "can't be streamed to: there are rtmp",
    "rtmp://host/live": r"names no stream: write rtmp://HOST/APPLICATION/KEY",
    "rtmp:///live/key": "names no host",
    "udp://host": "names no port",
    "udp://host:99999": "no address",
    "udp://host:1?pkt=3": r"udp has no option pkt: there are localaddr, ttl",
    "udp://host:1?ttl=300": "ttl is 300: allowed is 0 to 255",
    "srt://host:1?pass=0123456789": "srt has no option pass",
    "srt://host:1?passphrase=short": "the passphrase has 5 characters: 10 to 79 are allowed",
    "srt://0.0.0.0:1?mode=listener": "open to other machines: give it a passphrase",
    "tcp://0.0.0.0:1?listen=1": r"open to other machines: use 127\.0\.0\.1",
    "rtmp://ho st/live/key": "has a space",
    "rtsp://[::1/live": "no address",
}


@pytest.mark.parametrize("text", KINDS)
def test_a_text_is_a_kind_of_target_and_is_shown_without_secrets(text: str) -> None:
    target = parse_target(text)
    assert (target.kind, target.shown) == KINDS[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_can_not_work_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(OptionsError, match=REFUSED[text]) as caught:
        parse_target(text)
    assert "\n" not in str(caught.value) and "s3cret" not in str(caught.value)


def test_a_listener_with_a_passphrase_may_be_open_to_all() -> None:
    assert parse_target("srt://0.0.0.0:1?mode=listener&passphrase=0123456789").kind == "srt"


def test_one_rendition_can_be_meant() -> None:
    target = parse_target("360p=rtmp://host/live/key")
    assert (target.rendition, target.url, target.shown) == ("360p", "rtmp://host/live/key", "360p=rtmp://host/live/***")
    assert parse_target("360p=low.m3u8").takes_ladder is False
    check_targets([target], "h264", ["720p", "360p"])
    with pytest.raises(OptionsError, match="there is no rendition 360p: there is 720p"):
        check_targets([target], "h264", ["720p"])


@pytest.mark.parametrize(
    ("text", "codec", "words"),
    [
        ("rtmp://host/live/key", "vp9", r"rtmp can't carry vp9: it takes h264, hevc"),
        ("all.m3u8", "vp9", "hls can't carry vp9"),
        ("srt://host:1", "av1", "srt can't carry av1"),
        ("-", "vp8", "pipe can't carry vp8: it takes h264, hevc, vp9"),
    ],
)
def test_a_codec_that_a_target_can_not_carry_is_refused(text: str, codec: str, words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        check_targets([parse_target(text)], codec, ["720p"])


def test_the_same_target_twice_is_refused() -> None:
    for one, other in (("-", "-"), ("a.ts", "./a.ts"), ("udp://h:1", "udp://h:1")):
        with pytest.raises(OptionsError, match="is given twice"):
            check_targets([parse_target(one), parse_target(other)], "h264", ["720p"])


@pytest.mark.parametrize("name", ["talk.ts", "talk.mkv", "live.m3u8", "live.mpd"])
def test_nothing_is_overwritten_unless_asked(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in.ts"
    for path in (source, tmp_path / name):
        path.write_bytes(b"x")
    target = parse_target(str(tmp_path / name))
    with pytest.raises(MediaError, match="exists already; -y replaces it"):
        check_place(target, overwrite=False, source=str(source))
    check_place(target, overwrite=True, source="rtmp://host/live/key")
    with pytest.raises(MediaError, match="output and input are the same file"):
        check_place(parse_target(str(source)), overwrite=True, source=str(source))
    with pytest.raises(MediaError, match=r"the folder .*none does not exist"):
        check_place(parse_target(str(tmp_path / "none" / name)), overwrite=True, source=str(source))


def test_messages_of_programs_do_not_give_the_key_away() -> None:
    target = parse_target("rtmp://user:hunter2@host/live/abcd-efgh?token=xyzzy1")
    said = "Error opening output rtmp://user:hunter2@host/live/abcd-efgh?token=xyzzy1: abcd-efgh, xyzzy1\n no"
    shown = target.hide(said)
    assert not re.search("hunter2|abcd|xyzzy", shown) and "\n" not in shown
    assert shown.startswith("Error opening output rtmp://***@host/live/***?token=***")


# A password, stream key, stream id, token, ... of characters that people, generators and attackers choose; one of nothing
# but the marks of an address is no secret ("***?***" is shown of many), nor is the name of an option.
SECRETS = st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1, max_size=20).filter(
    lambda secret: any(one.isalnum() for one in secret) and secret not in SRT_OPTIONS | {"ttl", "localaddr", "listen"}
)
SHAPES = {
    "password": "{scheme}://me:{secret}@host:99/live/x?latency=5",
    "user": "{scheme}://{secret}@[::1]:99/live/x",
    "key": "rtmp://host/live/{secret}",
    "deep key": "rtsp://host/live/a/{secret}/b",
    "stream id": "srt://host:99?mode=caller&streamid={secret}",
    "access control": "srt://host:99?streamid=#!::r={secret},m=publish&latency=3",
    "token": "https://host/all.m3u8?sig={secret}&token=1",
    "bare": "rtmp://host/live/key?{secret}",
}
SAID = (
    "{url}: Connection refused",
    "Error opening output {url}: Input/output error",
    "[rtmp @ 0x55d0] Cannot open '{url}' \"{secret}\" <{secret}>",
    "Server said: no such key ({secret}) :: {secret}\r\n{unquoted}",
    "moved to {url}&again={secret}",
    "{secret}",
)


def told(shape: str, scheme: str, secret: str) -> list[str]:
    """All that is shown of an address with a secret in it."""
    url = SHAPES[shape].format(scheme=scheme, secret=secret)
    texts = [show(url)]
    for read in (parse_address, parse_target, source_address):
        try:
            texts += [read(url).shown, repr(read(url))]
        except StcodecError as error:
            texts.append(str(error))
    with contextlib.suppress(OptionsError):
        hide = parse_address(url).hide
        texts += [hide(one.format(url=url, secret=secret, unquoted=unquote(secret))) for one in SAID]
    return texts


@given(SECRETS, st.sampled_from(sorted(SHAPES)), st.sampled_from(["rtmp", "rtsp", "srt", "http", "udp"]))
def test_no_secret_is_ever_shown(secret: str, shape: str, scheme: str) -> None:
    of_others = " ".join(told(shape, scheme, "\N{SNOWMAN}" * 9) + told(shape, scheme, "[\N{SNOWMAN}"))
    for text in told(shape, scheme, secret):
        assert "\n" not in text
        assert secret not in text or secret in of_others, text
        assert unquote(secret) not in text or unquote(secret) in of_others, text


MALFORMED = (
    "http://u:s3cret[@127.0.0.1/x",
    "rtsp://admin:s3cret\u2100@127.0.0.1/cam",
    "rtsp://admin:s3cret@127.0.0.\u2100/cam",
    "rtsp://[::s3cret]/live",
    "rtsp://u:s3cret@[1::2::3]:4/live",
    "tcp://u:s3cret@host:port",
    "udp://u:s3cret@host:65536",
    "udp://u:s3cret@host:\u0661\u0662",
    "tcp://127.0.0.1:9?a=s3cret b",
    "tcp://u:s3cret@127.0.0.1\x1b[31m:9",
    "rtmp://u:s3cret@127.0.0.1\u202e/live/key",
    "rtsp://u:s3cret%zz@127.0.0.1%00/live",
    "://s3cret",
    "gopher://u:s3cret@host/x",
    "srt://127.0.0.1:9?mode=caller&mode=listener&x=s3cret",
)


@pytest.mark.parametrize("text", MALFORMED)
def test_an_address_that_can_not_be_read_is_refused_in_one_printable_line_without_its_secrets(text: str) -> None:
    for read in (source_address, parse_target):
        try:
            shown = read(text).shown
        except StcodecError as error:
            shown = str(error)
        assert "s3cret" not in shown and shown.isprintable()


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_source_ends_the_command(capfd: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    done = command.run(capfd, "stream", text, tmp_path / "out.ts", "--attention", "none")
    assert done.status in (1, 2) and done.err.count("\n") == 1 and "s3cret" not in done.err
    assert not list(tmp_path.iterdir())


OPEN = {
    "srt://:9000?mode=listener": {},
    "srt://0.0.0.0:9000?mode=listener": {},
    "srt://[::]:9000?mode=listener": {},
    "srt://192.168.1.7:9000?mode=listener": {},
    "tcp://0.0.0.0:9000?listen=1": {},
    "tcp://:9000?listen": {},
    "TCP://host:9000?listen=1": {},
    "tcp://0.0.0.0:9000": {"listen": "1"},
    "udp://0.0.0.0:9000": {},
    "udp://:9000": {},
    "udp://@:9000": {},
    "udp://127.0.0.1:9000?localaddr=0.0.0.0": {},
    "udp://127.0.0.1:9000": {"localaddr": "0.0.0.0"},
    "rtp://[::]:9000": {},
    "rtmp://0.0.0.0/live/key": {"listen": "1"},
    "rtmp://:1935/live/key": {"rtmp_listen": "1"},
    "rtmp://0.0.0.0/live/key": {"timeout": "5"},  # noqa: F601
    "rtsp://0.0.0.0:9000/live": {"rtsp_flags": "prefer_tcp+listen"},
    "http://0.0.0.0:9000": {"listen": "1"},
}
PRIVATE = {
    "srt://0.0.0.0:9000?mode=listener&passphrase=0123456789": {},
    "srt://127.0.0.1:9000?mode=listener": {},
    "srt://camera:9000": {},
    "tcp://localhost:9000?listen=1": {},
    "tcp://0.0.0.0:9000": {},
    "udp://[::1]:9000": {},
    "udp://239.1.2.3:9000": {},
    "rtp://127.0.0.9:9000": {},
    "rtmp://server/live/key": {},
    "http://server/x?listen=1": {},
    "rtsp://127.0.0.1:9000/live": {"rtsp_flags": "listen"},
}


@pytest.mark.parametrize("text", OPEN)
def test_a_source_that_would_be_open_to_other_machines_is_refused(text: str) -> None:
    with pytest.raises(OptionsError, match="would be open to other machines"):
        source_address(text, OPEN[text])


@pytest.mark.parametrize("text", PRIVATE)
def test_what_asks_for_a_secret_or_stays_on_this_machine_may_listen(text: str) -> None:
    source_address(text, PRIVATE[text])


def test_datagrams_for_this_machine_are_taken_from_this_machine_only() -> None:
    """libav binds all addresses, whatever stands in the address."""
    port = free_port(socket.SOCK_DGRAM)

    def bound() -> list[str]:
        table = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
        return [words[1] for words in table if words[1].endswith(f":{port:04X}")]

    seen: list[str] = []

    def watch() -> None:
        wait_until(lambda: bool(bound()), "it listens")
        seen.extend(bound())

    watching = threading.Thread(target=watch)
    watching.start()
    with pytest.raises(MediaError, match="nothing came in time"):
        open_source(source_address(f"udp://127.0.0.1:{port}"), {}, 1.0, lambda: False, open_seconds=1.0)
    watching.join()
    assert [one.partition(":")[0] for one in seen] == ["0100007F"]
