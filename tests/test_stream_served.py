"""`stream --serve`: low-latency HLS to the letter of its draft, and DASH, from the program's own server."""

from __future__ import annotations

import itertools
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import command
import live_packets as live
import media
import pytest
from live_rigs import is_connected, wait_until
from streaming import FakeStream

from stcodec.errors import OptionsError
from stcodec.stream.observe.listen import WebOptions
from stcodec.stream.observe.web import WebServer
from stcodec.stream.output.address import parse_target
from stcodec.stream.output.dash import DashSender
from stcodec.stream.output.hls import HlsSender
from stcodec.stream.output.serve import ServedFolder
from stcodec.stream.packet import TICK, LivePacket

TOKEN = "correct horse battery staple"


@dataclass
class Listed:
    """A low-latency playlist."""

    target: float
    part_target: float
    hold_back: float
    segments: list[str] = field(default_factory=list)
    parts: list[list[tuple[str, float, bool]]] = field(default_factory=list)
    """Of each segment, the one that is being written last: name, seconds, begins with a key frame."""
    hint: str = ""
    reports: dict[str, tuple[int, int]] = field(default_factory=dict)


def read(text: str) -> Listed:
    """Read a playlist, and hold it against what the draft demands of one."""
    lines = text.splitlines()
    assert lines[:2] == ["#EXTM3U", "#EXT-X-VERSION:9"] and "#EXT-X-ENDLIST" not in lines
    control = re.search(r"^#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=([\d.]+)$", text, re.MULTILINE)
    part = re.search(r"^#EXT-X-PART-INF:PART-TARGET=([\d.]+)$", text, re.MULTILINE)
    target = re.search(r"^#EXT-X-TARGETDURATION:(\d+)$", text, re.MULTILINE)
    assert control and part and target
    found = Listed(float(target[1]), float(part[1]), float(control[1]), parts=[[]])
    seconds = []
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXT-X-PART":
            match = re.fullmatch(r'DURATION=([\d.]+),URI="([^"]+)"(,INDEPENDENT=YES)?', value)
            assert match
            found.parts[-1].append((match[2], float(match[1]), match[3] is not None))
        elif name == "#EXTINF":
            seconds.append(float(value.rstrip(",")))
        elif name == "#EXT-X-PRELOAD-HINT":
            found.hint = value.removeprefix('TYPE=PART,URI="').removesuffix('"')
        elif name == "#EXT-X-RENDITION-REPORT":
            report = re.fullmatch(r'URI="([^"]+)",LAST-MSN=(\d+),LAST-PART=(\d+)', value)
            assert report
            found.reports[report[1]] = int(report[2]), int(report[3])
        elif not line.startswith("#"):
            found.segments.append(line)
            found.parts.append([])
    assert found.hold_back >= 3 * found.part_target - 1e-9 and all(round(one) <= found.target for one in seconds)
    assert not any(found.parts[:-4]) and all(found.parts[max(0, len(found.parts) - 4) : -1])
    for whole, length in zip(found.parts[-4:-1], seconds[-3:], strict=False):
        assert sum(one[1] for one in whole) == pytest.approx(length, abs=0.05)
    for listed in found.parts:
        assert all(one[1] <= found.part_target for one in listed)
        assert all(one[1] >= 0.85 * found.part_target for one in listed[:-1])
    return found


@contextmanager
def serving(folder: ServedFolder, **options: str) -> Iterator[str]:
    server = WebServer(WebOptions("127.0.0.1:0", metrics=False, **options), folder=folder)  # type: ignore[arg-type]
    server.start(FakeStream())
    try:
        yield server.url
    finally:
        server.close()


def get(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=120) as answer:
        return bytes(answer.read())


def status(url: str, **headers: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(url, **headers)
    return refused.value.code


def hls(path: Path, until: float) -> tuple[HlsSender, Iterator[LivePacket]]:
    """A sender that has been given the first seconds, and the packets after them."""
    what = live.recorded()
    sender = HlsSender(parse_target(str(path)), 1.0, is_served=True)
    sender.open(what.tracks)
    for packet in what.until(until).packets:
        sender.write(packet)
    return sender, iter(what.since(until).packets)


def test_playlists_are_valid_after_every_packet(tmp_path: Path) -> None:
    what = live.recorded()
    sender = HlsSender(parse_target(str(tmp_path / "all.m3u8")), 1.0, is_served=True)
    sender.open(what.tracks)
    seen: dict[str, Listed] = {}
    for packet in what.packets:
        sender.write(packet)
        name = f"all_{what.tracks[packet.track].name}.m3u8"
        if not (tmp_path / name).exists():
            continue
        now = seen[name] = read((tmp_path / name).read_text())
        for one in (*(part[0] for listed in now.parts for part in listed), *now.segments):
            assert (tmp_path / one).stat().st_size
        assert not (tmp_path / now.hint).exists()
        if now.parts[-1] and packet.track != 2:
            # What is listed reaches to the packet before this one at least, but for a part.
            assert sum(one[1] for one in now.parts[-1]) >= float(packet.pts * TICK) % 1 - 0.2
            assert [one[2] for one in now.parts[-1]] == [place == 0 for place in range(len(now.parts[-1]))]
    assert seen["all_180p.m3u8"].part_target == pytest.approx(0.2, abs=0.003)
    assert set(seen["all_180p.m3u8"].reports) == {"all_90p.m3u8", "all_audio.m3u8"}
    number, part = seen["all_90p.m3u8"].reports["all_180p.m3u8"]
    assert (tmp_path / f"all_180p_{number}.{part}.m4s").exists()
    assert len(list(tmp_path.glob("all_180p_*.*.m4s"))) <= 5 * 5
    sender.close()
    assert not list(tmp_path.glob("*_*.*.m4s"))
    live.assert_same_times(live.arrived(tmp_path / "all_180p.m3u8"), [one for one in what.video_seconds() if one >= 6])


def test_parts_are_the_segment(tmp_path: Path) -> None:
    sender, _ = hls(tmp_path / "all.m3u8", 3.5)
    listed = read((tmp_path / "all_180p.m3u8").read_text())
    for segment, parts in zip(listed.segments, listed.parts, strict=False):
        assert (tmp_path / segment).read_bytes() == b"".join((tmp_path / one[0]).read_bytes() for one in parts)
    sender.close()


def test_what_comes_next_is_waited_for(tmp_path: Path) -> None:
    target = parse_target(str(tmp_path / "all.m3u8"))
    sender, packets = hls(tmp_path / "all.m3u8", 3.5)
    before = read((tmp_path / "all_180p.m3u8").read_text())
    number, part = int(before.segments[-1].split("_")[-1][:10]) + 1, len(before.parts[-1])
    with serving(ServedFolder([target])) as url, ThreadPoolExecutor() as pool:
        hinted = pool.submit(get, url + before.hint)
        playlist = pool.submit(get, f"{url}all_180p.m3u8?_HLS_msn={number}&_HLS_part={part}")
        segment = pool.submit(get, f"{url}all_180p.m3u8?_HLS_msn={number}")
        wait_until(lambda: is_connected(int(url.split(":")[-1][:-1])), "they have asked")
        assert not playlist.done() and not hinted.done()
        while not (tmp_path / before.hint).exists():
            sender.write(next(packets))
        assert hinted.result(60) == (tmp_path / before.hint).read_bytes()
        after = read(playlist.result(60).decode())
        assert after.parts[-1][part][0] == before.hint
        assert not segment.done()
        while len(read((tmp_path / "all_180p.m3u8").read_text()).segments) == len(before.segments):
            sender.write(next(packets))
        assert len(read(segment.result(60).decode()).segments) == len(before.segments) + 1
        # What is there already is answered at once, what is far ahead or no number never.
        assert read(get(f"{url}all_180p.m3u8?_HLS_msn={number}&_HLS_part=0").decode())
        assert status(f"{url}all_180p.m3u8?_HLS_msn={number + 5}") == 400
        assert status(f"{url}all_180p.m3u8?_HLS_part=1") == 400
        assert status(f"{url}all_180p.m3u8?_HLS_msn=x") == 400
        sender.close()
        assert get(f"{url}all_180p.m3u8?_HLS_msn={number + 2}").decode().endswith("#EXT-X-ENDLIST\n")


def test_a_stream_that_does_not_go_on_is_not_waited_for_without_end(tmp_path: Path) -> None:
    sender, _ = hls(tmp_path / "all.m3u8", 2.5)
    number = int(read((tmp_path / "all_180p.m3u8").read_text()).segments[-1].split("_")[-1][:10])
    ticks = itertools.count()  # a clock that goes a second at each look
    with serving(ServedFolder([parse_target(str(tmp_path / "all.m3u8"))], clock=lambda: next(ticks))) as url:
        assert status(f"{url}all_180p.m3u8?_HLS_msn={number + 2}") == 503
    sender.close()


def test_nothing_else_in_the_folder_is_given_out(tmp_path: Path) -> None:
    sender, _ = hls(tmp_path / "all.m3u8", 2.5)
    for name in ("talk.mp4", "all.txt", ".m3u8", "other.m3u8", "all_180p.m3u8.tmp"):
        (tmp_path / name).write_text("secret")
    with serving(ServedFolder([parse_target(str(tmp_path / "all.m3u8"))])) as url:
        assert b"all_180p.m3u8" in get(url + "all.m3u8")
        for name in (
            "talk.mp4",
            "all.txt",
            ".m3u8",
            "other.m3u8",
            "all_180p.m3u8.tmp",
            "",
            "metrics",
            "../all.m3u8",
            "%2e%2e/x",
        ):
            assert status(url + name) == 404
    sender.close()


def test_pages_elsewhere_and_tokens(tmp_path: Path) -> None:
    sender, _ = hls(tmp_path / "all.m3u8", 2.5)
    folder = ServedFolder([parse_target(str(tmp_path / "all.m3u8"))])
    with serving(folder, origin="https://example.org") as url:
        for origin, allowed in (("https://example.org", "https://example.org"), ("https://evil.example", None)):
            request = urllib.request.Request(url + "all.m3u8", headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=120) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == allowed
        assert status(url + "all.m3u8", Host="evil.example") == 421
    with serving(folder, token=TOKEN) as url:
        assert status(url + "all.m3u8") == 401
        assert get(url + "all.m3u8", Authorization=f"Bearer {TOKEN}")
    with pytest.raises(OptionsError, match="can be reached from other machines"):
        WebOptions("0.0.0.0:0")
    with pytest.raises(OptionsError, match="is no origin"):
        WebOptions(origin="example.org/page")
    sender.close()


def test_dash_players_are_told_the_time_and_given_segments_as_they_grow(tmp_path: Path) -> None:
    target = parse_target(str(tmp_path / "all.mpd"))
    what = live.recorded()
    sender = DashSender(target, 1.0, is_served=True)
    sender.open(what.tracks)
    for packet in what.until(3.5).packets:
        sender.write(packet)
    (growing,) = tmp_path.glob("all-180p_*.m4s.tmp")
    rest = iter(what.since(3.5).packets)
    with serving(ServedFolder([target])) as url, ThreadPoolExecutor() as pool:
        manifest = get(url + "all.mpd").decode()
        timing = re.search(r'<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="([^"]+)"/>', manifest)
        assert timing and re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", get(url + timing[1]))
        with urllib.request.urlopen(url + growing.stem, timeout=120) as answer:
            begun = answer.read(8)  # while it is not whole yet
            assert growing.exists() and begun[4:8] == b"moof"
            got = pool.submit(answer.read)
            while growing.exists():
                sender.write(next(rest))
            assert begun + got.result(60) == (tmp_path / growing.stem).read_bytes()
    sender.close()


def test_what_can_not_be_served_is_said(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    refusals: list[tuple[list[str | Path], str]] = [
        ([tmp_path / "out.ts", "--serve", "127.0.0.1:0"], "there is no HLS or DASH target"),
        ([tmp_path / "all.m3u8", tmp_path / "sub" / "all.mpd", "--serve"], "more than one folder"),
        ([tmp_path / "all.m3u8", "--serve", "0.0.0.0:0"], "give a token too"),
        ([tmp_path / "all.m3u8", "--allow-origin", "https://example.org"], "is of --serve"),
    ]
    for words, reason in refusals:
        command.assert_refused(capfd, tmp_path, 2, reason, "stream", video, *words, "--attention", "none")


@pytest.fixture
def video(videos: Path) -> Path:
    return media.make_video(videos / "short.mp4", frames=10)
