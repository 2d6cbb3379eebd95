"""Ctrl-C, SIGTERM and a closed terminal in mid-run: exit status 130, no half file, what was there stays."""

from __future__ import annotations

import itertools
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
def long_video(videos: Path) -> Path:
    """Some seconds of work for an encoder."""
    return media.make_video(videos / "long.mp4", size=(640, 360), frames=200)


@pytest.fixture
def folder(tmp_path: Path, long_video: Path) -> Path:
    """A video, an old output, and a place for temporary files."""
    (tmp_path / "in.mp4").symlink_to(long_video)
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
    _, err = process.communicate(timeout=120)
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


_STUBBORN = """
import sys, time
from pathlib import Path
import stcodec.pipeline.doctor as doctor
from stcodec.cli import main
from stcodec.media.output import work_folder

def examine():
    with work_folder() as folder:
        (folder / "half").write_bytes(b"half")
        print("at work", flush=True)
        {0}

doctor.examine = examine
sys.exit(main(["doctor"]))
"""


def stubborn(folder: Path, does: str) -> subprocess.Popen[str]:
    """A command that does something which no interrupt breaks off, as libav does."""
    process = subprocess.Popen(
        [sys.executable, "-c", _STUBBORN.format(does)],
        env={**ENVIRONMENT, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "at work\n"
    return process


def test_within_a_second_whatever_it_is_at(tmp_path: Path) -> None:
    with stubborn(tmp_path, "time.sleep(60)") as process:
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, err = process.communicate(timeout=120)
        assert time.monotonic() - begun < 10  # a second and what a crowded machine adds; it would go on for 60
    assert (process.returncode, err, list(tmp_path.iterdir())) == (130, SAID, [])


def test_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """Files are being ended, for which there is much time; the same signal sent twice at a time is one."""
    twice = (
        "import os; from stcodec import interrupts; interrupts.ending.seconds = 60; "
        "os.kill(os.getpid(), 2); interrupts.requested.wait(); os.kill(os.getpid(), 2); time.sleep(60)"
    )
    with stubborn(tmp_path, twice) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err, list(tmp_path.iterdir())) == (130, SAID, [])


def test_a_library_is_interrupted_by_python_itself(folder: Path) -> None:
    code = (
        "import stcodec\n"
        "try: stcodec.encode('in.mp4', 'out.mp4', overwrite=True, attention='center', preset='veryslow',\n"
        "                    progress=lambda p: print(p.stage, flush=True))\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    before = command.snapshot(folder)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert any(line == "encode\n" for line in run.stdout)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=120)
    assert (run.returncode, out.splitlines()[-1]) == (0, "interrupted")
    assert command.snapshot(folder) == before


def test_off_the_main_thread(folder: Path) -> None:
    """main() called by a thread of another program sets no handlers."""
    code = (
        "import threading; from stcodec.cli import main\n"
        "thread = threading.Thread(target=lambda: print(main(['encode', 'missing.mp4', 'out.mp4'])))\n"
        "thread.start(); thread.join()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "stcodec: missing.mp4: no such file\n")


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
    arguments = ("encode", "in.mp4", "out.mp4", "-y", "--json", "--attention", "none", "--preset", "faster")
    with start(folder, *arguments, nohup=True) as process:
        wait_for(process, "encode")
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=120)
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


def test_interrupted_while_it_is_imported(tmp_path: Path) -> None:
    """From the first line of the program on; also the line that says so is there at once."""
    code = (
        "import os, sys\n"
        "number, wanted = sys.argv[1:]\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == wanted: os.kill(os.getpid(), int(number))\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from stcodec.__main__ import program\n"
        "sys.argv = ['stcodec', 'encode', 'missing.mp4', 'out.mp4']\n"
        "program()\n"
    )
    names = ("stcodec.cli", "stcodec.interrupts", "stcodec.cli.command", "argparse", "numpy", "onnxruntime")
    for name, number in zip(names, itertools.cycle((signal.SIGINT, signal.SIGTERM)), strict=False):
        done = subprocess.run(
            [sys.executable, "-c", code, str(int(number)), name],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) in ((130, SAID), (1, "stcodec: missing.mp4: no such file\n")), name
        # The last it may not come to; a command as short as this may be over before the signal is looked at.
        assert done.returncode == 130 or name in ("stcodec.cli.command", "argparse", "numpy", "onnxruntime"), name


def test_unfinished_recording_is_not_passed_over(tmp_path: Path) -> None:
    """What is said of a command that is ended without its clean-up is true."""
    does = (
        "from stcodec.interrupts import ending; ending.said_without = 'it lacks its end'; ending.seconds = 0.1; "
        "time.sleep(60)"
    )
    with stubborn(tmp_path, does) as process:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "stcodec: interrupted; it lacks its end\n")
