"""Folders of small videos, and what the job table says of them, read without stcodec."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import media
from command import ENVIRONMENT, Argument, program

QUICK = ("--attention", "none", "--preset", "ultrafast", "--jobs", "1")
FRAMES = 8
Held = TypeVar("Held")


def make_folder(folder: Path, *names: str) -> Path:
    """Videos of 8 frames, each under its name below the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        media.make_video(path, size=(64, 48), frames=FRAMES)
    return folder


def jobs(output: Path) -> dict[str, dict[str, Any]]:
    """The jobs of an output folder by their output."""
    with sqlite3.connect(output / ".stcodec-batch" / "jobs.sqlite") as base:
        base.row_factory = sqlite3.Row
        rows = base.execute("SELECT * FROM jobs").fetchall()
    base.close()
    return {os.fsdecode(row["output"]): dict(row) for row in rows}


def states(output: Path) -> dict[str, str]:
    return {name: job["state"] for name, job in jobs(output).items()}


def files(output: Path) -> set[str]:
    """All there is in an output folder but the job table's own folder."""
    found = (path.relative_to(output) for path in output.rglob("*") if not path.is_dir())
    return {str(path) for path in found if path.parts[0] != ".stcodec-batch"}


def unfinished(output: Path) -> list[Path]:
    """What is left of files that were being made."""
    return list((output / ".stcodec-batch" / "work").iterdir())


def start(folder: Path, *arguments: Argument) -> subprocess.Popen[str]:
    """A run of `stcodec batch --json` in a folder."""
    return subprocess.Popen(
        program("batch", *arguments, "--json"),
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def communicate(process: subprocess.Popen[str], seconds: float) -> tuple[str, str]:
    """What a run says until it ends; it is killed if that takes too long."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def wait_for_files(process: subprocess.Popen[str], count: int) -> None:
    """Until so many files are done with."""
    assert process.stdout is not None
    for line in process.stdout:
        count -= json.loads(line)["event"] == "file"
        if count <= 0:
            return
    raise AssertionError(process.stderr.read() if process.stderr else "")


def reader_of(path: Path, run: subprocess.Popen[str]) -> int:
    """The process that decodes a file for a run, once there is one."""
    return min(wait_until(run, lambda: readers_of(path)))


def encoder_of(path: Path, output: Path, run: subprocess.Popen[str]) -> int:
    """The process that decodes a file and writes below a folder, once there is one: no longer the one that looks at it."""
    work = output / ".stcodec-batch" / "work"
    return min(wait_until(run, lambda: readers_of(path) & processes_with(lambda open_file: work in open_file.parents)))


def readers_of(path: Path) -> set[int]:
    """The processes that have a file open."""
    return processes_with(lambda open_file: open_file == path)


def processes_with(holds: Callable[[Path], bool]) -> set[int]:
    """The processes with an open file for which something holds."""
    found = set()
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and any(holds(one.readlink()) for one in (process / "fd").iterdir()):
                found.add(int(process.name))
    return found


def wait_until(run: subprocess.Popen[str], holds: Callable[[], Held]) -> Held:
    """What holds at last, while a run goes on."""
    until = time.monotonic() + 120
    while not (held := holds()):
        if time.monotonic() > until or run.poll() is not None:
            run.kill()
            raise AssertionError(run.communicate())
        time.sleep(0.01)
    return held
