"""Low-latency DASH: what a player is told, what it can fetch before a segment is whole, and what ends a period."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import live_packets as live
import media
import pytest
from live_files import serve_folders
from live_rigs import wait_until

from stcodec.stream.output.address import parse_target
from stcodec.stream.output.targets import open_target

NAMES = {"": "urn:mpeg:dash:schema:mpd:2011"}


def manifest(path: Path) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


@pytest.mark.parametrize("seconds", [5, 12])
def test_the_ffmpeg_program_plays_what_a_stream_has_left(tmp_path: Path, seconds: int) -> None:
    what = live.recorded().until(seconds)
    target = open_target(parse_target(str(tmp_path / "live.mpd")), what.tracks, waits=True)
    live.feed(what, target)
    (state,) = live.close_all(target)
    assert (state.condition, state.packets_dropped) == ("closed", 0)
    with serve_folders(tmp_path) as address:
        media.run_ffmpeg("-i", f"{address}/live.mpd", "-map", "0", "-c", "copy", tmp_path / "got.mkv")
    left = min(seconds, 6)
    videos = [one for one in media.streams_of(tmp_path / "got.mkv") if one["kind"] == "video"]
    assert [(one["width"], one["frames"]) for one in videos] == [
        (320, left * live.FPS),
        (160, left * live.FPS),
    ]
    live.assert_same_times(live.arrived(tmp_path / "got.mkv"), what.since(seconds - left).video_seconds())


def test_hls_and_dash_of_one_name_live_side_by_side(tmp_path: Path) -> None:
    what = live.recorded().until(3)
    targets = [open_target(parse_target(str(tmp_path / name)), what.tracks) for name in ("live.m3u8", "live.mpd")]
    live.feed(what, *targets, speed=12)
    states = live.close_all(*targets)
    assert [(one.condition, one.reconnects, one.packets_dropped) for one in states] == [("closed", 0, 0)] * 2
    live.assert_same_times(live.arrived(tmp_path / "live.m3u8"), what.video_seconds())
    assert len(list(tmp_path.glob("live-180p_*.m4s"))) == len(list(tmp_path.glob("live_180p_*.m4s"))) == 3


def test_the_manifest_says_when_which_segment_can_be_had(tmp_path: Path) -> None:
    what = live.recorded().until(4)
    target = open_target(parse_target(str(tmp_path / "live.mpd")), what.tracks, waits=True)
    live.feed(what, target)
    live.close_all(target)
    root = manifest(tmp_path / "live.mpd")
    assert root.get("type") == "static" and root.get("mediaPresentationDuration") == "PT4.000S"
    assert len(root.findall("Period", NAMES)) == 1
    found = root.findall(".//Representation", NAMES)
    assert [one.get("codecs", "")[:4] for one in found] == ["avc1", "avc1", "mp4a"]
    for one in found:
        template = one.find("SegmentTemplate", NAMES)
        assert template is not None
        assert (template.get("duration"), template.get("timescale")) == ("90000", "90000")
        assert template.get("availabilityTimeOffset") == "0.800" and template.get("availabilityTimeComplete") == "false"
        first, pattern = int(template.get("startNumber", "")), template.get("media", "")
        names = [pattern.replace("$Number$", str(first + index)) for index in range(4)]
        assert all((tmp_path / name).is_file() for name in (*names, template.get("initialization", "")))


def test_a_segment_can_be_had_before_it_is_whole(tmp_path: Path) -> None:
    what = live.recorded().only(0)
    target = open_target(parse_target(str(tmp_path / "live.mpd")), what.tracks)
    live.feed(what.until(2.5), target)
    # The target writes on a thread of its own: the one that grows now may still be the first or the second.
    wait_until(lambda: [len(list(tmp_path.glob(one))) for one in ("*.m4s", "*.m4s.tmp")] == [2, 1], "the third is begun")
    (growing,) = tmp_path.glob("*.m4s.tmp")
    name = growing.name.removesuffix(".tmp")
    assert manifest(tmp_path / "live.mpd").get("type") == "dynamic"
    with serve_folders(tmp_path) as address, urllib.request.urlopen(f"{address}/{name}") as response:
        early = response.read1()
        assert early[4:8] == b"moof" and growing.exists()  # a chunk, and the segment is not whole yet
        live.feed(what.since(2.5).until(3.5), target)
        whole = early + response.read()
    live.close_all(target)
    assert whole == (tmp_path / name).read_bytes()
    assert whole.count(b"moof") == 5  # a chunk each 0.2 s


@pytest.mark.parametrize("what_happens", ["a gap", "another size"])
def test_a_new_period_begins_where_the_segments_do_not_go_on(tmp_path: Path, what_happens: str) -> None:
    first, second = live.recorded().only(0, 2).until(2), live.recorded().only(0, 2).since(2).until(4).later(5)
    if what_happens == "another size":
        second = live.recorded().only(1, 2).since(2).until(4)
    target = open_target(parse_target(str(tmp_path / "live.mpd")), first.tracks, waits=True)
    live.feed(first, target)
    if what_happens == "another size":
        target.restart(second.tracks)
    live.feed(second, target)
    live.close_all(target)
    periods = manifest(tmp_path / "live.mpd").findall("Period", NAMES)
    assert len(periods) == 2
    templates = [one.find(".//SegmentTemplate", NAMES) for one in periods]
    offsets = [int(one.get("presentationTimeOffset", "")) for one in templates if one is not None]
    assert offsets[1] - offsets[0] == (7 if what_happens == "a gap" else 2) * 90_000
    widths = [one.get("width") for one in manifest(tmp_path / "live.mpd").findall(".//Representation[@width]", NAMES)]
    assert widths == (["320", "320"] if what_happens == "a gap" else ["320", "160"])
