"""Targets that are files, and stdout: every frame at its time, playable whenever they break off, and a full disk."""

from __future__ import annotations

import errno
import io
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import av
import live_packets as live
import media
import pytest

from stcodec.stream.output.address import parse_target
from stcodec.stream.output.muxers import fragment, head
from stcodec.stream.output.targets import open_target
from stcodec.stream.packet import TICK


def record(path: Path, what: live.Recorded) -> None:
    target = open_target(parse_target(str(path)), what.tracks, waits=True)
    live.feed(what, target)
    (state,) = live.close_all(target)
    assert (state.condition, state.packets_dropped, state.message) == ("closed", 0, "")


@pytest.mark.parametrize("ending", [".ts", ".mkv", ".mp4"])
def test_a_file_holds_every_frame_at_its_time_and_the_sound(tmp_path: Path, ending: str) -> None:
    what = live.recorded()
    record(tmp_path / f"all{ending}", what)
    live.assert_same_times(live.arrived(tmp_path / f"all{ending}"), what.video_seconds())
    video, audio = media.streams_of(tmp_path / f"all{ending}")
    assert (video["width"], video["codec"], audio["codec"]) == (320, "h264", "aac")
    assert audio["frames"] == sum(one.track == 2 for one in what.packets)
    with av.open(str(tmp_path / f"all{ending}")) as container:
        starts = [float((one.start_time or 0) * (one.time_base or 0)) for one in container.streams]
    assert abs(starts[0] - starts[1]) < 0.03  # audio and picture together, as they were


def test_the_wanted_rendition_is_taken(tmp_path: Path) -> None:
    what = live.recorded().until(1)
    target = open_target(parse_target(f"90p={tmp_path / 'small.mkv'}"), what.tracks, waits=True)
    live.feed(what, target)
    live.close_all(target)
    assert media.streams_of(tmp_path / "small.mkv")[0]["height"] == 90


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:bframes=2"}),
        ("libvpx-vp9", {"deadline": "realtime"}),
    ],
)
def test_other_codecs_are_recorded_too(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    track, packets = live.encode_video((160, 90), 0, codec, 30, **options)
    what = live.Recorded((track,), tuple(packets))
    for ending in (".mkv", ".mp4"):
        record(tmp_path / f"{codec}{ending}", what)
        live.assert_same_times(live.arrived(tmp_path / f"{codec}{ending}"), sorted(what.video_seconds()))


@pytest.mark.parametrize(("ending", "lost_seconds"), [(".ts", 0.1), (".mkv", 1.1), (".mp4", 1.1)])
def test_a_recording_that_breaks_off_can_be_played(tmp_path: Path, ending: str, lost_seconds: float) -> None:
    what = live.recorded().until(4)
    target = open_target(parse_target(str(tmp_path / f"on{ending}")), what.tracks, waits=True)
    live.feed(what, target)
    live.eventually(target, lambda state: state.bytes == sum(len(one.data) for one in what.packets if one.track != 1))
    (tmp_path / f"off{ending}").write_bytes((tmp_path / f"on{ending}").read_bytes())  # as a crash would leave it
    live.close_all(target)
    found = live.arrived(tmp_path / f"off{ending}")
    assert 4 - lost_seconds <= len(found) / live.FPS <= 4


def test_fragments_have_exact_times_and_need_nothing_before_them_but_the_head() -> None:
    what = live.recorded().until(2).later(3600).only(0, 2)
    pieces = [fragment(what.tracks, [one], one.track, number) for number, one in enumerate(what.packets, 1)]
    with av.open(io.BytesIO(head(what.tracks) + b"".join(pieces[30:])), "r") as container:
        found = [
            (one.stream.index, one.pts * one.time_base, one.dts * one.time_base, bytes(one)[-40:])
            for one in container.demux()
            if one.size and one.pts is not None and one.dts is not None
        ]
    wanted = [(one.track, one.pts * TICK + 1, one.dts * TICK + 1, one.data[-40:]) for one in what.packets[30:]]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_another_size_begins_another_recording(tmp_path: Path, ending: str) -> None:
    first, second = live.recorded().only(0).until(2), live.recorded().only(1).since(2)
    target = open_target(parse_target(str(tmp_path / f"talk{ending}")), first.tracks, waits=True)
    live.feed(first, target)
    target.restart(second.tracks)
    live.feed(second, target)
    live.close_all(target)
    sizes = [media.streams_of(tmp_path / name)[0]["width"] for name in (f"talk{ending}", f"talk.2{ending}")]
    assert sizes == [320, 160]
    live.assert_same_times(live.arrived(tmp_path / f"talk{ending}"), first.video_seconds())
    live.assert_same_times(live.arrived(tmp_path / f"talk.2{ending}"), second.video_seconds())


def test_another_size_goes_on_in_the_same_transport_stream(tmp_path: Path) -> None:
    first, second = live.recorded().only(0).until(2), live.recorded().only(1).since(2)
    target = open_target(parse_target(str(tmp_path / "talk.ts")), first.tracks, waits=True)
    live.feed(first, target)
    target.restart(second.tracks)
    live.feed(second, target)
    live.close_all(target)
    live.assert_same_times(live.arrived(tmp_path / "talk.ts"), [*first.video_seconds(), *second.video_seconds()])


def test_a_full_disk_stops_one_target_until_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    what = live.recorded()
    full = open_target(parse_target(str(small_disk / "talk.mkv")), what.tracks)
    fine = open_target(parse_target(str(tmp_path / "talk.mkv")), what.tracks)
    live.feed(what.until(8), full, fine, speed=20)
    state = live.eventually(full, lambda one: one.condition == "retrying")
    assert state.message.startswith("No space left on device; trying again in ")
    assert len(live.arrived(small_disk / "talk.mkv")) > live.FPS  # what was written can be played
    (small_disk / "talk.mkv").unlink()
    live.feed(what.since(8).until(9), full, fine)
    live.eventually(full, lambda one: one.condition == "open")
    assert [one.condition for one in live.close_all(full, fine)] == ["closed", "closed"]
    assert fine.state().packets_dropped == 0 and full.state().packets_dropped > 0 and full.state().reconnects >= 1
    live.assert_same_times(live.arrived(tmp_path / "talk.mkv"), what.until(9).video_seconds())
    later = sorted(small_disk.glob("talk.*.mkv"))[-1]
    live.assert_same_times(live.arrived(later), what.since(8).until(9).video_seconds())


_TO_STDOUT = """
import pickle, sys
from stcodec.stream.output.address import parse_target
from stcodec.stream.output.targets import open_target
tracks, packets = pickle.load(open(sys.argv[1], "rb"))
target = open_target(parse_target("-"), tracks, waits=True)
for one in packets:
    target.put(one)
target.close(20)
print(target.state().condition, target.state().message, file=sys.stderr)
"""


def _to_stdout(folder: Path, reader: str) -> subprocess.CompletedProcess[bytes]:
    what = live.recorded()
    (folder / "packets").write_bytes(pickle.dumps((what.tracks, what.packets)))
    command = f"{sys.executable} -c '{_TO_STDOUT}' packets | {reader}"
    return subprocess.run(["sh", "-c", command], capture_output=True, cwd=folder, timeout=120, check=False)


def test_stdout_carries_fragmented_mp4(tmp_path: Path) -> None:
    done = _to_stdout(tmp_path, "cat")
    assert done.stderr.decode().split() == ["closed"]
    (tmp_path / "out.mp4").write_bytes(done.stdout)
    live.assert_same_times(live.arrived(tmp_path / "out.mp4"), live.recorded().video_seconds())


def test_a_reader_of_stdout_that_goes_ends_the_target_and_is_no_error(tmp_path: Path) -> None:
    done = _to_stdout(tmp_path, "head -c 20000")
    assert len(done.stdout) == 20000 and done.stderr.decode() == "closed the reader of stdout has gone\n"


def test_a_source_that_can_wait_waits_for_no_target_that_is_lost(tmp_path: Path) -> None:
    what = live.recorded()
    lost = open_target(parse_target(str(tmp_path / "none" / "talk.mkv")), what.tracks, waits=True)
    fine = open_target(parse_target(str(tmp_path / "talk.mkv")), what.tracks, waits=True)
    live.eventually(lost, lambda one: one.condition == "retrying")
    feeding = threading.Thread(target=live.feed, args=(what, lost, fine), daemon=True)
    feeding.start()
    feeding.join(20)
    assert not feeding.is_alive()
    states = live.close_all(lost, fine)
    assert states[0].packets_dropped > 0 and (states[1].condition, states[1].packets_dropped) == ("closed", 0)


def test_a_folder_that_can_not_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    target = open_target(parse_target(str(tmp_path / "none" / "talk.mkv")), live.recorded().tracks)
    state = live.eventually(target, lambda one: one.condition == "retrying")
    assert state.message.startswith(f"{os.strerror(errno.ENOENT)}; trying again in ")
    assert live.close_all(target)[0].condition == "failed"
