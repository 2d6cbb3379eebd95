"""A job table that was deleted or is damaged is made anew from what is finished: nothing is made twice or refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import command
import media
import pytest
from batches import QUICK, files, make_folder, start, states, unfinished, wait_for_files
from command import run

Capture = pytest.CaptureFixture[str]
NAMES = ("a.mkv", "deep/b.ts", "c.mp4")
ARGUMENTS = ("batch", "in", "out", *QUICK)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_folder(tmp_path / "in", *NAMES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(output: Path) -> dict[str, tuple[int, bytes]]:
    return {name: one for name, one in command.snapshot(output).items() if not name.startswith(".stcodec-batch")}


def remove_table(output: Path) -> None:
    (output / ".stcodec-batch" / "jobs.sqlite").unlink()


def test_a_table_that_was_deleted(capfd: Capture, folder: Path) -> None:
    assert run(capfd, *ARGUMENTS).status == 0
    before = results(folder / "out")
    remove_table(folder / "out")
    planned = run(capfd, *ARGUMENTS, "--dry-run")
    assert "3 done" in planned.out and "->" not in planned.out
    again = run(capfd, *ARGUMENTS)
    assert (again.status, again.err) == (0, "") and "3 done" in again.out
    assert results(folder / "out") == before
    assert set(states(folder / "out").values()) == {"done"}


def test_only_what_is_still_as_it_was_made_counts(capfd: Capture, folder: Path) -> None:
    assert run(capfd, *ARGUMENTS).status == 0
    before = results(folder / "out")
    remove_table(folder / "out")
    (folder / "out" / "c.mp4").write_bytes(b"somebody else's")
    (folder / "out" / "deep" / "b.ts").unlink()
    os.utime(folder / "out" / "a.mkv", ns=(1, 1))  # as a copy has another time
    again = run(capfd, *ARGUMENTS)
    assert again.status == 3
    after = results(folder / "out")
    assert after["a.mkv"] == (1, before["a.mkv"][1])
    assert after["c.mp4"][1] == b"somebody else's"
    assert "deep/b.ts" in after
    assert states(folder / "out") == {"a.mkv": "done", "deep/b.ts": "done", "c.mp4": "blocked"}


def test_overwrite_makes_again_only_what_had_other_options(capfd: Capture, folder: Path) -> None:
    assert run(capfd, *ARGUMENTS).status == 0
    before = results(folder / "out")
    remove_table(folder / "out")
    assert run(capfd, *ARGUMENTS, "-y").status == 0
    assert results(folder / "out") == before
    remove_table(folder / "out")
    other = run(capfd, *ARGUMENTS, "--crf", "40")
    assert "3 were made before with other options" in other.out
    assert results(folder / "out") == before
    assert run(capfd, *ARGUMENTS, "--crf", "40", "-y").status == 0
    changed = results(folder / "out")
    assert all(changed[name] != before[name] for name in NAMES)
    remove_table(folder / "out")  # the journal has two lines for each file now
    assert run(capfd, *ARGUMENTS, "--crf", "40").status == 0
    assert results(folder / "out") == changed


def test_what_replaced_an_original_does_not_count_as_one(capfd: Capture, folder: Path) -> None:
    arguments = ("batch", "in", "--replace", "--min-saving", "20", "--crf", "35", *QUICK)
    assert run(capfd, *arguments).status == 0
    before, was = results(folder / "in"), states(folder / "in")
    remove_table(folder / "in")
    assert run(capfd, *arguments).status == 0
    assert results(folder / "in") == before
    assert states(folder / "in") == was
    assert "done" in was.values()


def test_a_ladder_is_found_again(capfd: Capture, folder: Path) -> None:
    media.make_video(folder / "in" / "large.mkv", size=(128, 96), frames=8)
    arguments = ("batch", "in", "out", *QUICK, "--ladder", "96p@200k,64p@100k", "--include", "large.mkv")
    assert run(capfd, *arguments).status == 0
    before = results(folder / "out")
    remove_table(folder / "out")
    assert run(capfd, *arguments).status == 0
    assert results(folder / "out") == before


def test_a_damaged_table_and_journal(capfd: Capture, folder: Path) -> None:
    """What to do is said; lines that are none, or lead out of the folder, count for nothing."""
    assert run(capfd, *ARGUMENTS).status == 0
    before = results(folder / "out")
    table, journal = (folder / "out" / ".stcodec-batch" / name for name in ("jobs.sqlite", "made.jsonl"))
    table.write_bytes(b"no table" * 1000)
    command.assert_one_line(run(capfd, *ARGUMENTS, "-q"), 1, "the job table is damaged .*move it away; the same command")
    table.unlink()
    entry = json.loads(journal.read_text().splitlines()[0])
    hostile = [{**entry, "output": "../in/c.mp4"}, {**entry, "output": "/etc/passwd"}, {**entry, "state": "waiting"}, [], 1]
    lines = [json.dumps(one) for one in [*hostile, {**entry, "key": 7}, {"source": "x"}]]
    journal.write_bytes(journal.read_bytes() + "\n".join(lines).encode() + b'\n{"half": \xff\n{"half')
    assert run(capfd, *ARGUMENTS).status == 0
    assert results(folder / "out") == before
    assert set(states(folder / "out")) == set(NAMES)


def test_a_journal_that_was_deleted_is_written_anew(capfd: Capture, folder: Path) -> None:
    assert run(capfd, *ARGUMENTS).status == 0
    before = results(folder / "out")
    (folder / "out" / ".stcodec-batch" / "made.jsonl").unlink()
    assert run(capfd, *ARGUMENTS).status == 0
    remove_table(folder / "out")
    assert run(capfd, *ARGUMENTS).status == 0
    assert results(folder / "out") == before


def test_killed_and_then_deleted(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", *(f"{number}.mkv" for number in range(20)))
    with start(folder, "in", "out", *QUICK) as process:
        wait_for_files(process, 5)
        process.kill()
        process.wait()
    before = results(folder / "out")
    assert 0 < len(before) < 23
    remove_table(folder / "out")
    assert run(capfd, *ARGUMENTS).status == 0
    after = results(folder / "out")
    assert {name: after[name] for name in before} == before and len(after) == 23
    assert unfinished(folder / "out") == []
    assert files(folder / "out") == set(after)


def test_deleted_while_a_run_is_at_work(folder: Path) -> None:
    make_folder(folder / "in", *(f"{number}.mkv" for number in range(20)))
    with start(folder, "in", "out", *QUICK) as process:
        wait_for_files(process, 1)
        process.send_signal(signal.SIGSTOP)
        remove_table(folder / "out")
        second = command.run_apart(*ARGUMENTS, folder=folder)
        process.kill()
        process.wait()
    command.assert_one_line(second, 1, "was removed while a run is at work")
    done = subprocess.run(command.program(*ARGUMENTS), cwd=folder, env=command.ENVIRONMENT, check=False, capture_output=True)
    assert done.returncode == 0
