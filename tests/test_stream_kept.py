"""Live streams lose nothing: recordings that are there, folders that were removed and made anew."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import live_packets as live
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
    live.feed(what.since(3), target, speed=1)
    assert live.close_all(target)[0].condition == "closed"
    names = {one.name for one in folder.iterdir()}
    assert name in names and any("init" in one for one in names) and any(one.endswith(".m4s") for one in names)


def test_a_recording_that_was_removed_goes_on_in_a_new_file(tmp_path: Path) -> None:
    what = live.recorded()
    target = open_target(parse_target(str(tmp_path / "talk.mkv")), what.tracks)
    live.feed(what.until(3), target, speed=4)
    (tmp_path / "talk.mkv").unlink()
    live.feed(what.since(3), target, speed=1)
    live.close_all(target)
    assert (tmp_path / "talk.2.mkv").stat().st_size > 1000
