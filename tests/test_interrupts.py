"""Ctrl-C, SIGTERM and a closed terminal in mid-run: exit status 130, no half file, what was there stays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import command
import media
import pytest
from command import ENVIRONMENT, Argument, program

OLD = b"what was here before"
SLOW = ("encode", "in.mp4", "out.mp4", "-y", "--json", "--attention", "center", "--preset", "veryslow")
SAID = "stcodec: interrupted; nothing unfinished was left behind\n"


@pytest.fixture(scope="module")
def long_film(films: Path) -> Path:
    """Some seconds of work for an encoder."""
    return media.make_film(films / "long.mp4", size=(640, 360), frames=200)


@pytest.fixture
def folder(tmp_path: Path, long_film: Path) -> Path:
    """A film, an old output, and a place for temporary files."""
    (tmp_path / "in.mp4").symlink_to(long_film)
    (tmp_path / "out.mp4").write_bytes(OLD)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def start(folder: Path, *arguments: Argument, nohup: bool = False) -> subprocess.Popen[str]:
    """A run in the folder."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    try:
        return subprocess.Popen(
            program(*arguments),
            cwd=folder,
            env={**ENVIRONMENT, "TMPDIR": str(folder / "tmp")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGHUP, before)


def wait_for(process: subprocess.Popen[str], stage: str) -> None:
    """Until it says that it is in the stage."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["stage"] == stage:
            return
    raise AssertionError(f"it never came to {stage}: {process.stderr.read() if process.stderr else ''}")


def assert_gone(process: subprocess.Popen[str], folder: Path, before: command.Snapshot) -> None:
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, SAID)
    assert command.snapshot(folder) == before
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_encode(folder: Path, number: signal.Signals) -> None:
    before = command.snapshot(folder)
    with start(folder, *SLOW, "--report", "report.json") as process:
        wait_for(process, "encode")
        assert len(list(folder.glob(".stcodec-*"))) == 2
        process.send_signal(number)
        assert_gone(process, folder, before)


def test_impatient_ctrl_c(folder: Path) -> None:
    """More of them come while the first one's clean-up is under way."""
    before = command.snapshot(folder)
    with start(folder, *SLOW) as process:
        wait_for(process, "encode")
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.002)
            leaving = list(folder.glob(".stcodec-*")) == []
            if leaving:  # what comes when Python itself is ending is not ours
                break
        assert_gone(process, folder, before)


def test_clean_up_is_not_interrupted(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    cleaned = []

    def examine() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            cleaned.append("all")

    monkeypatch.setattr("stcodec.pipeline.doctor.examine", examine)
    command.assert_one_line(command.run(capfd, "doctor"), 130, "interrupted")
    assert cleaned == ["all"]


def test_interrupt_of_a_finaliser_comes_again(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Python drops what is raised there; and the alarm clock that brings it back is no one else's."""

    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def examine() -> None:
        Finalised()
        time.sleep(20)

    monkeypatch.setattr("stcodec.pipeline.doctor.examine", examine)
    begun = time.monotonic()
    command.assert_one_line(command.run(capfd, "doctor"), 130, "interrupted")
    assert time.monotonic() - begun < 10
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


@pytest.mark.parametrize("stage", ["pass 1", "pass 2"])
def test_interrupted_between_passes(folder: Path, stage: str) -> None:
    before = command.snapshot(folder)
    with start(folder, *SLOW[:-1], "faster", "--two-pass", "--bitrate", "500k") as process:
        wait_for(process, stage)
        process.send_signal(signal.SIGINT)
        assert_gone(process, folder, before)


def test_interrupted_maps(folder: Path, bunny: Path) -> None:
    before = command.snapshot(folder)
    with start(folder, "maps", bunny, "out.mkv", "--json") as process:
        wait_for(process, "maps")
        process.send_signal(signal.SIGTERM)
        assert_gone(process, folder, before)


def test_nohup_outlives_its_terminal(folder: Path) -> None:
    arguments = ("encode", "in.mp4", "out.mp4", "-y", "--json", "--attention", "none", "--preset", "medium")
    with start(folder, *arguments, nohup=True) as process:
        wait_for(process, "encode")
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert len(media.frames_of(folder / "out.mp4")) == 200


def test_signals_are_given_back(tmp_path: Path) -> None:
    """main() leaves the handlers of the program that called it alone."""
    script = (
        "import signal, stcodec.cli as c\n"
        "was = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]\n"
        "c.main(['encode', 'missing.mp4', 'out.mp4'])\n"
        "assert was == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=ENVIRONMENT, check=True, capture_output=True)
