"""`stcodec batch` killed, interrupted, run twice at a time: nothing finished is made again, nothing half-made counts."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import command
import media
import pytest
from batches import FRAMES, QUICK, encoder_of, files, jobs, make_folder, start, states, unfinished, wait_for_files
from command import ENVIRONMENT, run

Capture = pytest.CaptureFixture[str]
NAMES = tuple(f"{number}.mp4" for number in range(4))
BATCH = ("batch", "in", "out", *QUICK)
CRASH = """
import os, signal, sys
from stcodec.batch import outputs
from stcodec.cli import main
put = outputs.put
def crash(made, target, **options):
    if {after}:
        put(made, target, **options)
    os.kill(os.getpid(), signal.SIGKILL)
outputs.put = crash
if __name__ == "__main__":
    main(sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four small videos and a slow one."""
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "in", *NAMES)
    return tmp_path


def slow_video(folder: Path) -> None:
    """Some seconds of work, which begins first: it is the largest."""
    media.make_video(folder / "in" / "slow.mp4", size=(640, 360), frames=50)


def test_a_run_that_is_broken_off_goes_on(capfd: Capture, folder: Path) -> None:
    slow_video(folder)
    more = tuple(f"more-{number}.mp4" for number in range(6))  # than are made before the last signal
    make_folder(folder / "in", *more)
    slow = ("in", "out", "--attention", "center", "--preset", "placebo", "--jobs", "2")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with start(folder, *slow) as process:
            wait_for_files(process, 1)
            process.send_signal(number)
            _, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        if number != signal.SIGKILL:
            assert process.returncode == 130
            assert err == "stcodec: interrupted; what is finished is kept, and the same command goes on from there\n"
            assert unfinished(folder / "out") == [] and states(folder / "out")["slow.mp4"] == "waiting"
    made = files(folder / "out")
    assert "slow.mp4" not in made and len(made) >= 2
    before = command.snapshot(folder / "out")
    shutil.copy(folder / "in" / "0.mp4", folder / "in" / "slow.mp4")  # it need not take so long again
    assert run(capfd, "batch", *slow, "-q").status == 0
    after = command.snapshot(folder / "out")
    assert {name: after[name] for name in made} == {name: before[name] for name in made}
    assert files(folder / "out") == {*NAMES, *more, "slow.mp4"} and unfinished(folder / "out") == []
    assert set(states(folder / "out").values()) == {"done"}


@pytest.mark.parametrize("after", [False, True])
def test_killed_while_a_file_takes_its_name(capfd: Capture, folder: Path, after: bool) -> None:
    script = folder / "crash.py"
    script.write_text(CRASH.format(after=after))
    for name in NAMES[1:]:
        (folder / "in" / name).unlink()
    done = subprocess.run([sys.executable, script, *BATCH], cwd=folder, env=ENVIRONMENT, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert states(folder / "out") == {"0.mp4": "placing"} and files(folder / "out") == ({"0.mp4"} if after else set())
    before = command.snapshot(folder / "out")
    assert run(capfd, *BATCH).status == 0
    job = jobs(folder / "out")["0.mp4"]
    assert (job["state"], job["attempts"]) == ("done", 1 if after else 2)
    if after:
        assert command.snapshot(folder / "out")["0.mp4"] == before["0.mp4"]
    assert len(media.frames_of(folder / "out" / "0.mp4")) == FRAMES


def test_what_changed_since_is_noticed(capfd: Capture, folder: Path) -> None:
    assert run(capfd, *BATCH, "-q").status == 0
    output = folder / "out"
    before = command.snapshot(output)
    (output / "0.mp4").unlink()
    (output / "1.mp4").write_bytes(b"cut off")
    os.utime(output / "2.mp4", (1, 1))  # copied, or the clock was wrong: the same bytes
    media.make_video(folder / "in" / "3.mp4", size=(64, 48), frames=FRAMES + 4)
    done = run(capfd, *BATCH)
    assert done.status == 3
    assert "again: 0.mp4: the finished file was removed" in done.err
    assert "again: 3.mp4: the source has changed" in done.err
    assert "1.mp4: the finished file was changed since it was made; -y makes it again" in done.out
    assert {name: job["attempts"] for name, job in jobs(output).items()} == dict.fromkeys(NAMES, 1)
    assert (output / "1.mp4").read_bytes() == b"cut off"
    assert (output / "0.mp4").read_bytes() == before["0.mp4"][1] and (output / "2.mp4").stat().st_mtime == 1
    assert len(media.frames_of(output / "3.mp4")) == FRAMES + 4
    assert run(capfd, *BATCH, "-y", "-q").status == 0
    assert (output / "1.mp4").read_bytes() == before["1.mp4"][1]


def test_other_options_are_said_and_foreign_files_stay(capfd: Capture, folder: Path) -> None:
    output = folder / "out"
    output.mkdir()
    (output / "0.mp4").write_bytes(b"foreign")
    assert run(capfd, *BATCH, "-q").status == 3
    before = command.snapshot(output)
    done = run(capfd, *BATCH, "--crf", "40")
    assert done.status == 3 and "3 were made before with other options and are kept" in done.out
    assert "0.mp4 exists already, and this batch did not make it; -y replaces it" in done.out
    assert {name: command.snapshot(output)[name] for name in NAMES} == {name: before[name] for name in NAMES}
    assert run(capfd, *BATCH, "--crf", "40", "-y", "-q").status == 0
    assert all(command.snapshot(output)[name] != before[name] for name in NAMES)


def test_two_runs_share_the_work(folder: Path) -> None:
    runs = [start(folder, *BATCH[1:-1], "1") for _ in range(2)]
    outcomes = [process.communicate(timeout=120) for process in runs]
    assert [process.returncode for process in runs] == [0, 0], outcomes
    assert {(name, job["state"], job["attempts"]) for name, job in jobs(folder / "out").items()} == {
        (name, "done", 1) for name in NAMES
    }
    told = [line for out, _ in outcomes for line in out.splitlines() if '"event": "file"' in line]
    assert len(told) == len(NAMES)


def test_a_run_takes_over_what_one_that_was_killed_had_in_hand(folder: Path) -> None:
    slow_video(folder)
    flags = ("in", "out", "--attention", "none", "--preset", "slower", "--jobs", "1")
    with start(folder, *flags) as killed:
        encoder_of(folder / "in" / "slow.mp4", folder / "out", killed)
        killed.send_signal(signal.SIGSTOP)  # it lives, and has the video in hand, for as long as we like
        with start(folder, *flags) as other:
            wait_for_files(other, len(NAMES))
            killed.kill()
            out, err = other.communicate(timeout=120)
        assert other.returncode == 0, err
    assert '"done": 5' in out.splitlines()[-1]
    assert {name: job["attempts"] for name, job in jobs(folder / "out").items()} == {
        **dict.fromkeys(NAMES, 1),
        "slow.mp4": 2,
    }
    assert len(media.frames_of(folder / "out" / "slow.mp4")) == 50


@pytest.mark.parametrize(("column", "value"), [("root", b"/elsewhere"), ("key", "another")])
def test_a_job_table_is_not_obeyed(capfd: Capture, folder: Path, column: str, value: object) -> None:
    (folder / "in" / "0.mp4").write_bytes(b"no video")
    assert run(capfd, *BATCH, "-q").status == 3
    make_folder(folder / "in", "0.mp4")
    before = command.snapshot(folder / "in")
    with sqlite3.connect("out/.stcodec-batch/jobs.sqlite") as base:
        base.execute(f"UPDATE runs SET {column} = ?", (value,))
    base.close()
    done = run(capfd, "batch", "retry", *BATCH[1:])
    command.assert_one_line(done, 1, "the last run had another IN or other flags")
    assert command.snapshot(folder / "in") == before and states(folder / "out")["0.mp4"] == "failed"


def test_a_run_with_other_options_is_refused_meanwhile(capfd: Capture, folder: Path) -> None:
    slow_video(folder)
    with start(folder, *BATCH[1:], "--preset", "placebo") as process:
        encoder_of(folder / "in" / "slow.mp4", folder / "out", process)
        done = run(capfd, *BATCH, "--crf", "40")
        process.terminate()
        process.communicate(timeout=120)
    command.assert_one_line(done, 1, "out: another run is at work on this folder with other options: wait for it")


def test_a_worker_that_dies_takes_no_file_with_it(folder: Path) -> None:
    slow_video(folder)
    with start(folder, "in", "out", "--attention", "none", "--preset", "slow", "--jobs", "2") as process:
        os.kill(encoder_of(folder / "in" / "slow.mp4", folder / "out", process), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "slow.mp4: its process ended (SIGKILL)" in err
    assert {name: job["attempts"] for name, job in jobs(folder / "out").items()} == {
        **dict.fromkeys(NAMES, 1),
        "slow.mp4": 2,
    }
    assert len(media.frames_of(folder / "out" / "slow.mp4")) == 50
