"""Signals at random instants of all commands: one line, status 130, nothing half, nothing left, and soon."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import media
import pytest
from command import ENVIRONMENT, program

FRAMES = 120
QUICK = ("--attention", "motion", "--preset", "medium", "-q")
COMMANDS = {
    "encode": ("encode", "in.mkv", "out.mp4", "--report", "out.json", "-q", "--preset", "medium"),
    "two-pass": ("encode", "in.mkv", "out.mp4", "--two-pass", "--bitrate", "300k", *QUICK),
    "match": ("encode", "in.mkv", "out.mp4", "--match-crf", "30", *QUICK),
    "maps": ("maps", "in.mkv", "out.mkv", "-q"),
    "inspect": ("inspect", "in.mkv", "--attention", "motion", "--report", "out.html", "-q"),
    "evaluate": (
        "evaluate",
        "in.mkv",
        "--report",
        "out",
        "--attention",
        "motion",
        "--weights",
        "center",
        "--crf",
        "30",
        "-q",
    ),
    "stream": ("stream", "in.mkv", "out.mp4", "--attention", "motion", "-q"),
    "batch": ("batch", "in", "out", "--jobs", "2", *QUICK),
}
SAID = {
    "evaluate": "stcodec: interrupted; what was made is kept, and the same command goes on from there\n",
    "stream": "stcodec: interrupted; files and playlists were ended\n",
    "batch": "stcodec: interrupted; what is finished is kept, and the same command goes on from there\n",
}
AT_ONCE = "stcodec: interrupted; nothing unfinished was left behind\n"


@dataclass
class End:
    """How a run ended."""

    status: int
    err: str
    seconds: float
    """After the signal; of a run that was over before, 0."""


def run(folder: Path, name: str, after_seconds: float | None, number: signal.Signals = signal.SIGINT) -> End:
    """Run a command, with a signal after some time."""
    process = subprocess.Popen(
        program(*COMMANDS[name]),
        cwd=folder,
        env={**ENVIRONMENT, "TMPDIR": str(folder / "tmp")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        if after_seconds is not None:
            try:
                process.wait(after_seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
        begun = time.monotonic()
        _, err = process.communicate(timeout=120)
    return End(process.returncode, err, time.monotonic() - begun)


def assert_well_ended(folder: Path, name: str, end: End) -> None:
    if end.status != 0:
        before_it_begins = end.status == -signal.SIGTERM or end.err.endswith("KeyboardInterrupt\n")
        assert before_it_begins or (end.status, end.err) in ((130, SAID.get(name, AT_ONCE)), (130, AT_ONCE)), (name, end)
    assert list((folder / "tmp").iterdir()) == [], name
    assert list(folder.rglob("*stcodec-????????-*")) == [], name
    output = folder / "out.mp4"
    if output.exists():
        frames = len(media.frames_of(output))  # raises for a file that is not whole
        assert frames == FRAMES or name == "stream", name
    if name == "batch" and (folder / "out").exists():
        assert list((folder / "out" / ".stcodec-batch" / "work").iterdir()) == []
        assert all(len(media.frames_of(one)) == FRAMES for one in (folder / "out").glob("*.mp4"))


def clear(folder: Path) -> None:
    for one in folder.glob("out*"):
        shutil.rmtree(one) if one.is_dir() else one.unlink()


def try_instants(folder: Path, name: str, count: int, seed: int) -> list[End]:
    """Each run in a folder of its own, with a signal at an instant between its begin and the usual end."""
    media.make_film(folder / "in.mkv", size=(320, 180), frames=FRAMES)
    (folder / "in").mkdir()
    for number in range(3):
        shutil.copy(folder / "in.mkv", folder / "in" / f"{number}.mkv")
    (folder / "tmp").mkdir()
    begun = time.monotonic()
    assert run(folder, name, None).status == 0
    usual = time.monotonic() - begun
    rng, ends = random.Random(seed), []
    for index in range(count):
        clear(folder)
        number = signal.SIGTERM if index % 3 == 2 else signal.SIGINT
        ends.append(run(folder, name, rng.uniform(0.1, 0.9 * usual), number))
        assert_well_ended(folder, name, ends[-1])
    return ends


@pytest.mark.parametrize("name", ["encode", "two-pass", "stream", "batch"])
def test_a_few_instants(tmp_path: Path, name: str) -> None:
    ends = try_instants(tmp_path, name, 3, seed=1)
    assert any(one.status == 130 for one in ends)


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_many_instants(tmp_path: Path, name: str) -> None:
    ends = try_instants(tmp_path, name, 25, seed=2)
    slowest = sorted(one.seconds for one in ends)
    statuses = {status: sum(one.status == status for one in ends) for status in {one.status for one in ends}}
    print(f"{name}: {statuses}; median {slowest[len(slowest) // 2]:.2f} s, longest {slowest[-1]:.2f} s")
    assert statuses.get(130, 0) > 15
