"""Live streams lose nothing: recordings that are there, folders that were removed and made anew."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import command
import live_packets as live
import live_rigs
import media
import pytest

from stcodec.stream.options import StreamOptions
from stcodec.stream.output.address import parse_target
from stcodec.stream.output.targets import Targets, open_target


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".ts"])
def test_a_recording_that_is_started_again_goes_on_in_the_next_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"talk{ending}"
    path.write_bytes(b"the first")
    for overwrite in (False, True):
        Targets(StreamOptions("in.mp4", (), record=str(path), overwrite=overwrite))
    what = live.recorded().until(2)
    for _ in range(2):
        target = open_target(replace(parse_target(str(path)), is_record=True), what.tracks)
        live.feed(what, target, speed=20)
        assert live.close_all(target)[0].condition == "closed"
    assert path.read_bytes() == b"the first"
    assert {one.name for one in tmp_path.iterdir()} == {path.name, f"talk.2{ending}", f"talk.3{ending}"}
    assert all((tmp_path / f"talk.{number}{ending}").stat().st_size > 1000 for number in (2, 3))


@pytest.mark.parametrize("name", ["all.m3u8", "all.mpd"])
def test_a_folder_that_was_removed_and_made_anew_is_written_again(tmp_path: Path, name: str) -> None:
    folder, what = tmp_path / "live", live.recorded()
    folder.mkdir()
    target = open_target(parse_target(str(folder / name)), what.tracks)
    live.feed(what.until(3), target, speed=4)
    assert (folder / name).exists()
    shutil.rmtree(folder)
    folder.mkdir()
    live.feed(what.since(3).until(7), target, speed=1)
    assert live.close_all(target)[0].condition == "closed"
    names = {one.name for one in folder.iterdir()}
    assert name in names and any("init" in one for one in names) and any(one.endswith(".m4s") for one in names)


def test_a_recording_that_was_removed_goes_on_in_a_new_file(tmp_path: Path) -> None:
    what = live.recorded()
    target = open_target(parse_target(str(tmp_path / "talk.mkv")), what.tracks)
    live.feed(what.until(3), target, speed=4)
    (tmp_path / "talk.mkv").unlink()
    live.feed(what.since(3).until(7), target, speed=1)
    live.close_all(target)
    assert (tmp_path / "talk.2.mkv").stat().st_size > 1000


@pytest.mark.parametrize(("name", "free_kb"), [("talk.mp4", 0), ("talk.ts", 0), ("talk.mkv", 24), ("talk.ts", 24)])
def test_a_full_disk_leaves_no_empty_recording_and_is_no_success(
    video: Path, tmp_path: Path, small_disk: Path, name: str, free_kb: int
) -> None:
    (small_disk / "filling").write_bytes(bytes((64 - free_kb) * 1024))
    words = ("stream", video, tmp_path / "out.ts", "--record", small_disk / name, "--attention", "none", "-q")
    done = command.run_apart(*words, "--loop", "--duration", "1.6", "--bitrate", "1000k")
    command.assert_one_line(done, 1, f"{name}: No space left on device")
    left = {one.name: one.stat().st_size for one in small_disk.iterdir() if one.name != "filling"}
    assert all(left.values()), left
    assert bool(left) == bool(free_kb)
    if free_kb:  # what can't be written at all ends the stream at once
        assert len(media.frames_of(tmp_path / "out.ts")) > 30


def test_health_is_of_what_is_written(video: Path, tmp_path: Path) -> None:
    folder, port = tmp_path / "live", live_rigs.free_port()
    folder.mkdir()
    words = ("stream", video, folder / "all.m3u8", "--loop", "--attention", "none", "--keyint", "0.4s", "-q")

    def health() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, "it does not answer yet"

    running = command.program(*words, "--metrics", f"127.0.0.1:{port}")
    with live_rigs.running(running, tmp_path / "log", lambda: health()[0] == 200 and (folder / "all.m3u8").exists()):
        shutil.rmtree(folder)
        live_rigs.wait_until(lambda: health()[0] == 503, "its folder is missed")
        assert "all.m3u8 is retrying: No such file or directory" in health()[1]
        folder.mkdir()
        live_rigs.wait_until(lambda: health()[0] == 200, "it is healthy again")
        live_rigs.wait_until((folder / "all.m3u8").exists, "the playlist is written again")
