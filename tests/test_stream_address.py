"""What a target's address is: its kind, what is refused in one line, and what is never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stcodec.errors import MediaError, OptionsError
from stcodec.stream.output.address import check_place, check_targets, hide_secrets, parse_target

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
    "RTMP://host/live/key": ("rtmp", "RTMP://host/live/***"),
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


@given(st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), min_size=4, max_size=20), st.booleans())
def test_no_key_is_ever_shown(secret: str, is_password: bool) -> None:
    secret = f"Q{secret.replace('?', '_').replace('/', '_').replace('@', '_').replace('#', '_')}Q"
    url = f"rtmp://me:{secret}@host/live/key" if is_password else f"rtmp://host/live/{secret}?{secret}={secret}"
    shown = hide_secrets(url)
    assert shown.partition("?")[0] in ("rtmp://***@host/live/***", "rtmp://host/live/***")
    assert not is_password or secret not in shown
