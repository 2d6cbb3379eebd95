"""Worker processes end with the one that started them, whenever it is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from command import ENVIRONMENT
from ending import wait_until_alone
from live_rigs import wait_until

_SLOW_START = """
import os, sys, time
if "--multiprocessing-fork" in sys.argv:
    open("starting", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
"""
_PARENT = """
import pathlib
from dataclasses import dataclass
from stcodec.work.workers import Workers

@dataclass(frozen=True)
class Note:
    def run(self):
        pathlib.Path("done").touch()

if __name__ == "__main__":
    with Workers(1, pathlib.Path("."), apart=True) as workers:
        list(workers.run([Note()]))
"""


def run_parent(folder: Path, *, is_killed: bool) -> bool:
    """Start a task in a process that is slow to start; whether the task was done."""
    (folder / "sitecustomize.py").write_text(_SLOW_START)
    (folder / "parent.py").write_text(_PARENT)
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(folder), ENVIRONMENT.get("PYTHONPATH", "")])}
    process = subprocess.Popen([sys.executable, "parent.py"], cwd=folder, env=environment, start_new_session=True)
    wait_until((folder / "starting").exists, "the worker is started")
    if is_killed:
        process.kill()
        process.wait()
    (folder / "go").touch()
    process.wait(120)
    wait_until_alone(process)
    return (folder / "done").exists()


_PROGRAM = """
import pathlib, time
from dataclasses import dataclass
from stcodec.__main__ import program
from stcodec.work.workers import Workers

@dataclass(frozen=True)
class Wait:
    def run(self):
        pathlib.Path("begun").touch()
        time.sleep(600)

class Enough(Exception):
    pass

def pause():
    if pathlib.Path("begun").exists():
        raise Enough

if __name__ == "__main__":
    try:
        with Workers(1, pathlib.Path("."), apart=True) as workers:
            list(workers.run([Wait()], pause))
    except Enough:
        pass
"""


def test_workers_that_are_stopped_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(_PROGRAM)
    words = [sys.executable, "program.py"]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)
    assert (tmp_path / "begun").exists()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_worker_whose_parent_dies_while_it_starts_does_nothing(tmp_path: Path) -> None:
    for is_killed in (False, True):
        folder = tmp_path / str(is_killed)
        folder.mkdir()
        assert run_parent(folder, is_killed=is_killed) != is_killed
