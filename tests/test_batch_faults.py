"""`stcodec batch` on disks that are full or vanish, among files that can't be read, with a clock that jumps."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime, tzinfo
from itertools import count
from pathlib import Path

import command
import media
import pytest
from batches import FRAMES, QUICK, files, jobs, make_folder, start, states, wait_for_files
from command import ENVIRONMENT, program, run
from live_rigs import wait_until

from stcodec.batch import table
from stcodec.batch.outputs import Results
from stcodec.errors import MediaError

Capture = pytest.CaptureFixture[str]


def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(capfd: Capture, tmp_path: Path, small_disk: Path) -> None:
    make_folder(tmp_path / "in", "a.mp4", "b.mp4")
    media.make_video(tmp_path / "in" / "c.mp4", size=(960, 540), frames=60, options={"preset": "ultrafast", "qp": "10"})
    _resize(small_disk, "800k")
    arguments = ("batch", tmp_path / "in", small_disk, *QUICK, "--crf", "1", "-q")
    done = run(capfd, *arguments)
    assert done.status == 1
    said = ("No space left on device", "database or disk is full")  # whoever needs room first
    assert any(words in done.err for words in said) and done.err.count("\n") == 1 and "the same command goes on" in done.err
    assert "c.mp4" not in files(small_disk)
    _resize(small_disk, "8m")
    assert run(capfd, *arguments).status == 0
    assert states(small_disk) == dict.fromkeys(("a.mp4", "b.mp4", "c.mp4"), "done")
    assert len(media.frames_of(small_disk / "c.mp4")) == 60


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_a_disk_too_full_for_the_job_table(capfd: Capture, tmp_path: Path, small_disk: Path) -> None:
    make_folder(tmp_path / "in", "a.mp4")
    done = run(capfd, "batch", tmp_path / "in", small_disk, *QUICK)
    command.assert_one_line(done, 1, "the job table can't be used .database or disk is full")


def test_the_output_folder_vanishes(tmp_path: Path) -> None:
    make_folder(tmp_path / "in", *(f"{number}.mp4" for number in range(6)))
    with start(tmp_path, "in", "out", *QUICK[:-1], "1") as process:
        wait_for_files(process, 1)
        (tmp_path / "out").rename(tmp_path / "elsewhere")
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1 and "Traceback" not in err
    assert err == (
        "stcodec: out: the output folder has vanished while files were made: bring it back (is its disk still there?), and "
        "the same command goes on\n"
    )
    assert not (tmp_path / "out").exists() and "failed" not in states(tmp_path / "elsewhere").values()
    made = command.snapshot(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").rename(tmp_path / "out")
    assert command.run_apart("batch", "in", "out", *QUICK, folder=tmp_path).status == 0
    again = command.snapshot(tmp_path / "out")
    kept = [name for name in made if not name.startswith(".")]
    assert kept and all(again[name] == made[name] for name in kept)
    assert len(files(tmp_path / "out")) == 6


def test_a_folder_that_has_vanished_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "made.mp4").write_bytes(b"x")
    with pytest.raises(MediaError, match="the output folder has vanished"):
        Results(tmp_path / "out", None).put(tmp_path / "made.mp4", Path("a/b.mp4"), overwrite=True)
    assert not (tmp_path / "out").exists() and (tmp_path / "made.mp4").exists()


def test_on_a_read_only_disk_it_is_said_how_a_run_stands(capfd: Capture, tmp_path: Path, small_disk: Path) -> None:
    make_folder(tmp_path / "in", "a.mp4", "b.mp4")
    _resize(small_disk, "8m")
    with start(tmp_path, "in", small_disk, *QUICK) as process:
        wait_for_files(process, 1)
        process.kill()  # so that part of the table is in its journal only
    remount = ["mount", "-o", "remount,ro", str(small_disk)]
    # Its workers are killed a moment later than it is, and until then have files open there.
    wait_until(lambda: subprocess.run(remount, capture_output=True, check=False).returncode == 0, "nobody writes there")
    before = command.snapshot(small_disk)
    done = run(capfd, "batch", "status", small_disk)
    assert done.status == 0 and "2 videos: " in done.out, done
    done = run(capfd, "batch", tmp_path / "in", small_disk, *QUICK, "--dry-run")
    assert done.status == 0 and "to be made: " in done.out, done
    assert command.snapshot(small_disk) == before


def test_what_may_not_be_read_fails_alone(capfd: Capture, tmp_path: Path) -> None:
    make_folder(tmp_path / "in", "closed.mp4", "good.mp4", "closed/a.mp4", "names/b.mp4")
    (tmp_path / "in" / "closed.mp4").chmod(0)
    (tmp_path / "in" / "names").chmod(0o444)
    (tmp_path / "in" / "closed").chmod(0)
    words = program("batch", "in", "out", *QUICK)
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may read everything, and there is no setpriv to take that away")
        words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *words]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done
    assert "closed.mp4: no permission to read it" in done.stdout
    assert "in/closed: the folder can't be read (Permission denied)" in done.stdout
    assert files(tmp_path / "out") == {"good.mp4"}
    assert "in/names/b.mp4: can't be read (Permission denied)" in done.stdout
    for name in ("closed", "names"):
        (tmp_path / "in" / name).chmod(0o755)
    (tmp_path / "in" / "closed.mp4").chmod(0o644)
    assert command.run_apart("batch", "retry", "in", "out", *QUICK, "-q", folder=tmp_path).status == 0
    assert files(tmp_path / "out") == {"good.mp4", "closed.mp4", "closed/a.mp4", "names/b.mp4"}


def test_a_clock_that_jumps_changes_nothing(capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "in", "a.mp4", "b.mp4")
    steps = count()

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Jumping:
            return cls(2030 - 60 * (next(steps) % 2), 1, 1, tzinfo=tz)

    monkeypatch.setattr(table, "datetime", Jumping)
    os.utime(tmp_path / "in" / "a.mp4", (2**33, 2**33))
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "out", *QUICK, "-q").status == 0
    before = command.snapshot(tmp_path / "out")
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "out", *QUICK, "-q").status == 0
    assert {name: job["attempts"] for name, job in jobs(tmp_path / "out").items()} == {"a.mp4": 1, "b.mp4": 1}
    assert all(command.snapshot(tmp_path / "out")[name] == before[name] for name in ("a.mp4", "b.mp4"))
    assert next(steps) >= 4


def test_a_table_that_is_none(capfd: Capture, tmp_path: Path) -> None:
    make_folder(tmp_path / "in", "a.mp4")
    place = tmp_path / "out" / ".stcodec-batch"
    place.mkdir(parents=True)
    (place / "jobs.sqlite").write_bytes(b"no table at all" * 100)
    for arguments in ((tmp_path / "in", tmp_path / "out"), ("status", tmp_path / "out")):
        command.assert_one_line(
            run(capfd, "batch", *arguments), 1, "the job table is damaged .file is not a database.*: move it away"
        )
    assert (place / "jobs.sqlite").read_bytes().startswith(b"no table")
    shutil.rmtree(place)
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "out", *QUICK, "-q").status == 0
    assert len(media.frames_of(tmp_path / "out" / "a.mp4")) == FRAMES
