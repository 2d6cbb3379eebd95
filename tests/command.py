"""Runs the command line as a user would, and holds it to what it promises when it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from stcodec.cli import main

Argument = str | os.PathLike[str]
Snapshot = dict[str, tuple[int, bytes]]
ENVIRONMENT = dict(os.environ)


@dataclass(frozen=True)
class Outcome:
    """What one run of the command did."""

    status: int
    out: str
    err: str


def run(capfd: pytest.CaptureFixture[str], *arguments: Argument) -> Outcome:
    """The command in this process; what libraries write past Python is caught too."""
    capfd.readouterr()
    try:
        status = main([os.fspath(one) for one in arguments])
    except SystemExit as leave:
        assert isinstance(leave.code, int)
        status = leave.code
    out, err = capfd.readouterr()
    return Outcome(status, out, err)


def run_apart(*arguments: Argument, folder: Path | None = None, timeout_seconds: float = 60) -> Outcome:
    """The command in a process of its own, in a folder."""
    done = subprocess.run(
        program(*arguments),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def program(*arguments: Argument) -> list[str]:
    """The words that start the command in a process of its own."""
    return [sys.executable, "-m", "stcodec", *(os.fspath(one) for one in arguments)]


def snapshot(folder: Path) -> Snapshot:
    """Every file under a folder, hidden ones too: its time of change and its bytes."""
    files = [one for one in sorted(folder.rglob("*")) if one.is_file()]
    return {str(one.relative_to(folder)): (one.stat().st_mtime_ns, one.read_bytes()) for one in files}


def assert_one_line(outcome: Outcome, status: int, words: str) -> None:
    """It failed with a status and with nothing but one line that holds the words (a regular expression)."""
    assert re.fullmatch(rf"stcodec: [^\n]*{words}[^\n]*\n", outcome.err), outcome.err
    assert outcome.out == ""
    assert outcome.status == status


def assert_refused(capfd: pytest.CaptureFixture[str], folder: Path, status: int, words: str, *arguments: Argument) -> None:
    """The command fails with one line, and every file in the folder is as it was: none gone, changed or new."""
    before = snapshot(folder)
    assert_one_line(run(capfd, *arguments), status, words)
    assert snapshot(folder) == before
