"""`stcodec batch --ray` on a local cluster of two workers, one of which is killed in mid-job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import command
import media
import pytest
from batches import FRAMES, jobs, make_folder, reader_of
from command import ENVIRONMENT, program


def test_without_ray_one_line_says_what_to_install(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "in", "a.mp4")
    monkeypatch.setitem(sys.modules, "ray", None)
    done = command.run(capfd, "batch", tmp_path / "in", tmp_path / "out", "--ray", "auto", "--attention", "none")
    command.assert_one_line(done, 2, r"--ray needs the package ray: pip install 'stcodec\[ray\]'")


def test_a_killed_worker_takes_no_file_with_it(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    make_folder(tmp_path / "in", "0.mp4", "1.mp4", "2.mp4")
    slow = media.make_film(tmp_path / "in" / "slow.mp4", size=(640, 360), frames=50)
    arguments = ("in", "out", "--attention", "none", "--preset", "slower", "--jobs", "2", "--ray", "auto")
    with subprocess.Popen(
        program("batch", *arguments), cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        os.kill(reader_of(slow, process), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "slow.mp4: its process ended (WorkerCrashedError)" in err
    assert {name: job["attempts"] for name, job in jobs(tmp_path / "out").items()} == {
        "0.mp4": 1, "1.mp4": 1, "2.mp4": 1, "slow.mp4": 2,
    }  # fmt: skip
    assert [len(media.frames_of(tmp_path / "out" / f"{number}.mp4")) for number in range(3)] == [FRAMES] * 3
    assert len(media.frames_of(tmp_path / "out" / "slow.mp4")) == 50
