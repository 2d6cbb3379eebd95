"""Signals at random instants of all commands: one line, status 130, nothing half, nothing left, and soon."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import ending
import media
import pytest
from command import ENVIRONMENT, program

FRAMES = 120
QUICK = ("--attention", "motion", "--preset", "medium", "-q")
BATCH = ("batch", "in", "out", "--jobs", "2", *QUICK)
COMMANDS = {
    "encode": ("encode", "in.mkv", "out.mp4", "--report", "out.json", "-q", "--preset", "medium"),
    "two-pass": ("encode", "in.mkv", "out.mp4", "--two-pass", "--bitrate", "300k", *QUICK),
    "match": ("encode", "in.mkv", "out.mp4", "--match-crf", "30", *QUICK),
    "maps": ("maps", "in.mkv", "out.mkv", "-q"),
    "inspect": ("inspect", "in.mkv", "--attention", "motion", "--report", "out.html", "-q"),
    "evaluate": (
        *("evaluate", "in.mkv", "--report", "out", "--arms", "plain,motion", "--weights", "center", "--crf", "26,32"),
        *("--metrics", "psnr,vmaf", "-q"),
    ),
    "compare": ("compare", "in.mkv", "other.mkv", "-q"),
    "stream": ("stream", "in.mkv", "out.mp4", "--attention", "motion", "-q"),
    "batch": BATCH,
    "two batches": BATCH,
}
"""Of the last, one of two that share the work is interrupted."""
GOES_ON = "what is finished is kept, and the same command goes on from there"
NOTHING_LEFT = "nothing unfinished was left behind"
SAID = {
    "evaluate": {"what was made is kept, and the same command goes on from there"},
    "stream": {
        "files and playlists were ended",
        "files and playlists were not all ended: a recording may lack its last seconds",
    },
    "batch": {GOES_ON, f"{GOES_ON}, and removes what is unfinished"},
    "two batches": {GOES_ON, f"{GOES_ON}, and removes what is unfinished"},
}
ALLOWED_SECONDS = {"stream": 12.0, "batch": 6.0, "two batches": 6.0}
"""Files are ended, and finished ones get their names; all others end within a second."""


def run(folder: Path, name: str, after_seconds: float, number: signal.Signals) -> ending.End:
    """Run a command, with a signal after some time."""
    process = ending.start(folder, *COMMANDS[name])
    end = ending.end(process, folder, after_seconds, number, to_all=number == signal.SIGINT)
    ending.wait_until_alone(process)
    return end


def run_beside(folder: Path, name: str, after_seconds: float, number: signal.Signals) -> ending.End:
    """The same beside another run, which does what is left."""
    other = subprocess.Popen(
        program(*COMMANDS[name]), cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    end = run(folder, name, after_seconds, number)
    _, err = other.communicate(timeout=120)
    assert (other.returncode, err) == (0, b"")
    assert len(list((folder / "out").glob("*.mkv"))) == 3
    return end


def assert_well_ended(folder: Path, name: str, end: ending.End) -> None:
    if not end.had_not_begun and end.status != 0:
        said = {f"stcodec: interrupted; {one}\n" for one in {NOTHING_LEFT} | SAID.get(name, set())}
        assert end.status == 130 and end.err in said, (name, end)
    assert end.seconds < ALLOWED_SECONDS.get(name, 1.0) + 3 * end.late_seconds, (name, end)
    assert list((folder / "tmp").iterdir()) == [], name
    assert list(folder.rglob("*stcodec-????????-*")) == [], name
    output = folder / "out.mp4"
    if output.exists():
        frames = len(media.frames_of(output))  # raises for a file that is not whole
        assert frames == FRAMES or name == "stream", name
    if "batch" in name and (folder / "out").exists():
        assert "removes" in end.err or list((folder / "out" / ".stcodec-batch").glob("work/*")) == []
        assert all(len(media.frames_of(one)) == FRAMES for one in (folder / "out").glob("*.mkv"))


def clear(folder: Path) -> None:
    for one in folder.glob("out*"):
        shutil.rmtree(one) if one.is_dir() else one.unlink()


def try_instants(folder: Path, name: str, count: int, seed: int) -> list[ending.End]:
    """Each run in a folder of its own, with a signal at an instant between its begin and the usual end.

    At least so many, and until one was interrupted: the first run may have been slower than those that follow, or faster.
    """
    media.make_video(folder / "in.mkv", size=(320, 180), frames=FRAMES)
    (folder / "in").mkdir()
    for number in range(3):
        shutil.copy(folder / "in.mkv", folder / "in" / f"{number}.mkv")
    shutil.copy(folder / "in.mkv", folder / "other.mkv")
    (folder / "tmp").mkdir()
    do = run_beside if name.startswith("two b") else run
    begun = time.monotonic()
    assert do(folder, name, 120, signal.SIGINT).status == 0, (folder / "err").read_text()
    usual = time.monotonic() - begun
    rng, ends = random.Random(seed), list[ending.End]()
    for index in range(count + 20):
        if index >= count and any(one.status == 130 for one in ends):
            break
        clear(folder)
        number = signal.SIGTERM if index % 3 == 2 else signal.SIGINT
        ends.append(do(folder, name, rng.uniform(0.0, 0.9 * usual), number))
        assert_well_ended(folder, name, ends[-1])
    return ends


@pytest.mark.parametrize("name", ["encode", "stream", "batch"])
def test_a_few_instants(tmp_path: Path, name: str) -> None:
    ends = try_instants(tmp_path, name, 2, seed=223)
    assert any(one.status == 130 for one in ends)


@pytest.mark.long
@pytest.mark.parametrize("name", COMMANDS)
def test_many_instants(tmp_path: Path, name: str) -> None:
    ends = try_instants(tmp_path, name, 22, seed=2)
    slowest = sorted(one.seconds for one in ends)
    interrupted, early = (sum(test) for test in ([one.status == 130 for one in ends], [one.had_not_begun for one in ends]))
    print(
        f"{name}: {len(ends)} runs, {interrupted} interrupted, {early} before they began, the rest were over; "
        f"median {slowest[len(slowest) // 2]:.2f} s, longest {slowest[-1]:.2f} s"
    )
    assert interrupted > 12
