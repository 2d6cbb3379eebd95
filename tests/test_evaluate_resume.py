"""`stcodec evaluate` broken off in the middle: what was made is kept, and the same command goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import command
import media
import pytest
import viewers
from command import ENVIRONMENT, program

from stcodec.evaluate import points
from stcodec.work.cache import open_cache
from stcodec.work.workers import Workers

QUICK = ("--preset", "ultrafast", "--metrics", "psnr", "--instants", "0", "--arms", "center")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clip with gaze beside it."""
    media.make_video(tmp_path / "clip.mp4", size=(96, 64), frames=10)
    viewers.make_gaze(tmp_path / "clip.csv", [(40, 40)])
    return tmp_path


@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, "1"), (signal.SIGKILL, "2")])
def test_a_killed_run_goes_on(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    jobs: str,
) -> None:
    arguments = ("evaluate", "clip.mp4", "--report", "out", *QUICK, "--json", "--crf", "22:34:2", "--jobs", jobs)
    with subprocess.Popen(
        program(*arguments), cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            told = json.loads(line)
            if told["stage"] == "points" and told["done"] >= 3:
                process.send_signal(number)
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    assert "Traceback" not in err
    if number != signal.SIGKILL:
        assert err == "stcodec: interrupted; what was made is kept, and the same command goes on from there\n"
        assert list((folder / "out" / "cache" / "work").iterdir()) == []
    assert not (folder / "out" / "results.json").exists()
    outcome = command.run(
        capfd,
        "evaluate",
        folder / "clip.mp4",
        "--report",
        folder / "out",
        *QUICK,
        "--crf",
        "22:34:2",
        "--jobs",
        "1",
        "--json",
    )
    last = json.loads(outcome.out.splitlines()[-2])
    assert outcome.status == 0 and last["done"] == 14
    assert 3 <= last["from_cache"] < 14
    assert [len(one["results"]["crf"]) for one in json.loads((folder / "out" / "results.json").read_text())["curves"]] == [
        7,
        7,
    ]


def test_other_programs_make_what_depends_on_them_anew(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def made() -> dict[str, int]:
        line = ("--crf", "30", "--metrics", "psnr,vmaf-whole", "--jobs", "1", "-y")
        assert command.run(capfd, "evaluate", folder / "clip.mp4", "--report", folder / "out", *QUICK, *line).status == 0
        kinds = ("encodes", "scores")
        return {kind: len(list((folder / "out" / "cache" / kind).glob("*.json"))) for kind in kinds}

    assert made() == made() == {"encodes": 2, "scores": 10}
    monkeypatch.setattr(points, "program_version", lambda: "another")
    assert made() == {"encodes": 2, "scores": 12}  # VMAF of two encodes
    monkeypatch.setattr(points, "encoder_version", lambda encoder: "another")
    assert made() == {"encodes": 4, "scores": 22}


def test_the_middle_point_is_read_back_also_where_it_was_made_before(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for crfs, verdicts in (("30,34", ["applied", ""]), ("26,30", ["applied", ""])):  # by rising rate
        line = ("--crf", crfs, "--jobs", "1", "-y", "-q")
        assert command.run(capfd, "evaluate", folder / "clip.mp4", "--report", folder / "out", *QUICK, *line).status == 0
        (_, guided) = json.loads((folder / "out" / "results.json").read_text())["curves"]
        assert [point["offsets_verdict"] for point in guided["points"]] == verdicts


@dataclass(frozen=True)
class Dying:
    """A task whose process ends in the middle."""

    how: int

    def run(self) -> int:
        if self.how:
            os.kill(os.getpid(), self.how)
        return os.getpid()


def test_a_process_that_dies_takes_only_its_task(tmp_path: Path) -> None:
    with Workers(2, tmp_path) as workers:
        outcomes = {one.place: one for one in workers.run([Dying(0), Dying(signal.SIGKILL), Dying(0), Dying(0)])}
    assert sorted(outcomes) == [0, 1, 2, 3]
    assert [place for place, one in outcomes.items() if one.error] == [1]
    assert outcomes[1].error == "its process ended (SIGKILL)"


def test_what_dead_runs_left_behind_is_removed(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys; from pathlib import Path; from stcodec.work.cache import open_cache\n"
        "with open_cache(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed, tmp_path], check=False)
    (left,) = (tmp_path / "work").iterdir()
    with open_cache(tmp_path) as living, open_cache(tmp_path) as cache:
        assert cache.work.is_dir() and living.work.is_dir() and not left.exists()
    assert not list((tmp_path / "work").iterdir())


@dataclass(frozen=True)
class Counting:
    """A task that tells which cores it may use."""

    def run(self) -> set[int]:
        return os.sched_getaffinity(0)


def test_processes_share_the_cores(tmp_path: Path) -> None:
    mine = os.sched_getaffinity(0)
    with Workers(2, tmp_path) as workers:
        found = [one.result for one in workers.run([Counting()] * 6)]
    assert {len(cores) for cores in found} == {max(1, len(mine) // 2)}
    assert set.union(*found) <= mine
    assert os.sched_getaffinity(0) == mine
