"""HLS: what a player finds in the folder at any moment, and what is left when the stream ends, breaks or changes."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import live_packets as live
import media
import pytest

from stcodec.stream.output.address import parse_target
from stcodec.stream.output.codecs import codecs_parameter
from stcodec.stream.output.files import write_whole
from stcodec.stream.output.targets import open_target
from stcodec.stream.output.wall_clock import WallClock
from stcodec.stream.packet import TICK, Track


@dataclass
class Playlist:
    """What a media playlist says."""

    target: int
    sequence: int
    segments: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    dates: list[float] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    """Indices of segments before which there is a discontinuity."""
    heads: list[str] = field(default_factory=list)
    has_ended: bool = False


def read_playlist(path: Path) -> Playlist:
    text = path.read_text()
    lines = text.splitlines()
    assert lines[0] == "#EXTM3U" and text.endswith("\n")
    numbers = dict(re.findall(r"#EXT-X-(TARGETDURATION|MEDIA-SEQUENCE):(\d+)", text))
    found = Playlist(int(numbers["TARGETDURATION"]), int(numbers["MEDIA-SEQUENCE"]))
    for line in lines:
        name, _, value = line.partition(":")
        if name == "#EXTINF":
            found.seconds.append(float(value.rstrip(",")))
        elif name == "#EXT-X-PROGRAM-DATE-TIME":
            found.dates.append(datetime.fromisoformat(value).timestamp())
        elif name == "#EXT-X-DISCONTINUITY":
            found.breaks.append(len(found.segments))
        elif name == "#EXT-X-MAP":
            found.heads.append(value.split('"')[1])
        elif not line.startswith("#"):
            found.segments.append(line)
    found.has_ended = "#EXT-X-ENDLIST" in lines
    return found


def assert_valid(path: Path) -> Playlist:
    """What RFC 8216 asks of a playlist, and that a player finds what it names."""
    found = read_playlist(path)
    assert found.target >= 1 and len(found.seconds) == len(found.segments) == len(found.dates)
    assert all(round(one) <= found.target for one in found.seconds)
    assert found.heads and all((path.parent / name).stat().st_size for name in (*found.heads, *found.segments))
    return found


def test_every_rendition_and_the_sound_can_be_played_to_the_end(tmp_path: Path) -> None:
    what = live.recorded().until(5)
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), what.tracks, waits=True)
    live.feed(what, target)
    (state,) = live.close_all(target)
    assert (state.condition, state.packets_dropped) == ("closed", 0)
    master = (tmp_path / "all.m3u8").read_text()
    assert re.findall(r"RESOLUTION=(\d+x\d+),FRAME-RATE=25.000,AUDIO", master) == ["320x180", "160x90"]
    assert all(int(rate) >= 264_000 for rate in re.findall(r":BANDWIDTH=(\d+)", master))
    for name, track in (("180p", 0), ("90p", 1)):
        live.assert_same_times(live.arrived(tmp_path / f"all_{name}.m3u8"), what.video_seconds(track))
    for stream in (0, 1):  # and through the playlist over all
        assert len(live.arrived(tmp_path / "all.m3u8", stream)) == 5 * live.FPS
    audio = sum(one.track == 2 for one in what.packets)
    assert len(media.audio_packets(tmp_path / "all_audio.m3u8")) == audio
    playlists = [assert_valid(tmp_path / f"all_{name}.m3u8") for name in ("180p", "90p", "audio")]
    assert all(one.has_ended and one.target == 1 for one in playlists)
    assert playlists[0].seconds == playlists[1].seconds == [1.0] * 5  # players change between them at any segment
    assert all(abs(one - 1) < 0.05 for one in playlists[2].seconds)
    assert not list(tmp_path.glob("*.tmp"))


def test_the_window_slides_and_what_is_listed_is_there_at_every_moment(tmp_path: Path) -> None:
    what = live.recorded()
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), what.tracks)
    seen: list[Playlist] = []
    faults: list[BaseException] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            try:
                if (tmp_path / "all.m3u8").exists():
                    seen.append(assert_valid(tmp_path / "all_180p.m3u8"))
            except (AssertionError, OSError, KeyError) as error:
                faults.append(error)
                return
            time.sleep(0.002)

    player = threading.Thread(target=look)
    player.start()
    live.feed(what, target, speed=12)
    live.close_all(target)
    ended.set()
    player.join()
    assert not faults and max(len(one.segments) for one in seen) == 6
    assert [one.sequence for one in seen] == sorted(one.sequence for one in seen)
    last = assert_valid(tmp_path / "all_180p.m3u8")
    assert len(last.segments) == 6 and last.sequence - seen[0].sequence == 6
    assert last.segments == [f"all_180p_{last.sequence + index}.m4s" for index in range(6)]
    assert len(list(tmp_path.glob("all_180p_*.m4s"))) == 10  # a few more, for players that are just fetching them


def test_who_reads_a_list_while_it_is_rewritten_has_the_old_one_whole(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"old")
    with (tmp_path / "list").open("rb") as opened:
        write_whole(tmp_path / "list", b"new")
        assert opened.read() == b"old"
    assert (tmp_path / "list").read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


def test_dates_say_when_a_frame_came_in(tmp_path: Path) -> None:
    what = live.recorded().only(0).until(2)
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), what.tracks)
    before = time.time()
    live.feed(what, target, speed=4)
    after = time.time()
    live.close_all(target)
    found = assert_valid(tmp_path / "all_180p.m3u8")
    assert before - 0.002 <= found.dates[0] <= after - 0.4


def test_dates_have_no_jitter_and_follow_a_pause() -> None:
    now = [1000.0]
    clock = WallClock(lambda: now[0])
    frames = live.recorded().only(0).packets
    came = [0.0, 0.1, -0.1, 0.05, 5.0, 5.1]  # seconds late
    dates = []
    for late, frame in zip(came, frames[:: live.FPS], strict=False):
        now[0] = 1000 + float(frame.pts * TICK) + late
        dates.append(clock.unix_seconds(dataclasses.replace(frame, captured_at=time.monotonic())))
    assert dates == pytest.approx([1000, 1001, 1002, 1003, 1009, 1010], abs=0.01)


@pytest.mark.parametrize("what_happens", ["a gap", "another size"])
def test_where_it_does_not_go_on_the_playlists_say_so(tmp_path: Path, what_happens: str) -> None:
    first, second = live.recorded().only(0, 2).until(2), live.recorded().only(0, 2).since(2).until(4)
    if what_happens == "a gap":
        second = second.later(3)
    else:
        second = live.recorded().only(1, 2).since(2).until(4)
        renamed = (Track(**{**vars(second.tracks[0]), "name": "180p"}), second.tracks[1])
        second = live.Recorded(renamed, second.packets)
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), first.tracks, waits=True)
    live.feed(first, target)
    if what_happens == "another size":
        target.restart(second.tracks)
    live.feed(second, target)
    live.close_all(target)
    for name in ("180p", "audio"):
        found = assert_valid(tmp_path / f"all_{name}.m3u8")
        assert found.breaks == [2] and len(found.segments) == 4
        assert len(found.heads) == (1 if what_happens == "a gap" else 2)
    assert len(live.arrived(tmp_path / "all_180p.m3u8")) == 4 * live.FPS


def test_key_frames_at_cuts_do_not_make_short_segments(tmp_path: Path) -> None:
    what = live.recorded().only(0).until(4)
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), what.tracks, segment_seconds=2.0, waits=True)
    live.feed(what, target)
    live.close_all(target)
    found = assert_valid(tmp_path / "all_180p.m3u8")
    assert (found.seconds, found.target) == ([2.0, 2.0], 2)


def test_short_segments_have_a_target_duration_that_is_not_zero(tmp_path: Path) -> None:
    track, packets = live.encode_video((160, 90), 0, frames=50, g="10", keyint_min="10")
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), (track,), segment_seconds=0.4, waits=True)
    live.feed(live.Recorded((track,), tuple(packets)), target)
    live.close_all(target)
    found = assert_valid(tmp_path / "all_90p.m3u8")
    assert found.target == 1 and all(abs(one - 0.4) < 0.001 for one in found.seconds)


def test_files_of_an_earlier_stream_are_removed_and_others_are_left(tmp_path: Path) -> None:
    mine = tmp_path / "all_180p_0000000001.m4s"
    others = [tmp_path / name for name in ("all_180p_notes.m4s", "other_180p_0000000001.m4s", "all.mp4")]
    for path in (mine, *others):
        path.write_bytes(b"x")
    what = live.recorded().only(0).until(2)
    target = open_target(parse_target(str(tmp_path / "all.m3u8")), what.tracks, waits=True)
    live.feed(what, target)
    live.close_all(target)
    assert not mine.exists() and all(path.read_bytes() == b"x" for path in others)


def test_a_full_disk_leaves_whole_files_and_the_stream_goes_on_when_there_is_room(small_disk: Path) -> None:
    what = live.recorded().only(0)
    (small_disk / "ballast").write_bytes(bytes(24_000))
    target = open_target(parse_target(str(small_disk / "all.m3u8")), what.tracks)
    live.feed(what.until(7), target, speed=20)
    state = live.eventually(target, lambda one: one.condition == "retrying")
    assert state.message.startswith("No space left on device")
    assert_valid(small_disk / "all_180p.m3u8")
    assert not list(small_disk.glob("*.tmp"))
    (small_disk / "ballast").unlink()
    for old in small_disk.glob("all_180p_*.m4s"):
        old.write_bytes(old.read_bytes()[:1])
    live.feed(what.since(7).until(10), target)
    live.eventually(target, lambda one: one.condition == "open")
    assert live.close_all(target)[0].condition == "closed"
    found = assert_valid(small_disk / "all_180p.m3u8")
    assert found.has_ended and found.breaks


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"profile": "high", "preset": "medium"}),
        ("libvpx-vp9", {"deadline": "realtime"}),
    ],
)
def test_codecs_are_named_as_libavformat_names_them(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    track, packets = live.encode_video((320, 180), 0, codec, 4, **options)
    target = open_target(parse_target(str(tmp_path / "in.mp4")), (track,), waits=True)
    live.feed(live.Recorded((track,), tuple(packets)), target)
    live.close_all(target)
    media.run_ffmpeg("-i", tmp_path / "in.mp4", "-c", "copy", "-f", "dash", tmp_path / "peer.mpd")
    assert f'codecs="{codecs_parameter(track)}"' in (tmp_path / "peer.mpd").read_text()


def test_hevc_and_sound_are_named_too() -> None:
    options = {"preset": "ultrafast", "x265-params": "log-level=none"}
    hevc = live.encode_video((320, 180), 0, "libx265", 2, **options)[0]
    assert codecs_parameter(hevc) == "hvc1.1.6.L60.90"  # Main, compatible with Main and Main 10, level 2
    assert codecs_parameter(live.recorded().tracks[2]) == "mp4a.40.2"
