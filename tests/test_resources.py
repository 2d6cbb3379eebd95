"""Too little memory, too few descriptors, full folders for temporary files: the reason is said, and nothing is lost."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import media
import pytest
from command import ENVIRONMENT, Argument, program, run_apart

TWO_PASSES = ("--two-pass", "--bitrate", "300k", "-q")


def limited(folder: Path, limit: str, *arguments: Argument) -> subprocess.CompletedProcess[str]:
    """A command under a limit of the shell's."""
    words = f"ulimit {limit}; exec {shlex.join(program(*arguments))}"
    return subprocess.run(
        ["bash", "-c", words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("attention", ["none", "motion", "neural"])
@pytest.mark.parametrize("limit", ["-v 300000", "-v 500000", "-v 700000", "-v 1000000", "-n 5", "-n 7", "-n 20"])
def test_a_machine_that_is_too_small(video: Path, tmp_path: Path, limit: str, attention: str) -> None:
    """Whatever was missing, and wherever: no traceback, no file is called damaged, no half file."""
    done = limited(tmp_path, limit, "encode", video, "out.mp4", "--attention", attention, "-q")
    if done.returncode == 0:
        assert len(media.frames_of(tmp_path / "out.mp4")) == len(media.frames_of(video))
        return
    assert done.returncode in (1, -6, -11), done.stderr  # C++ libraries end the process when they get no memory
    assert list(tmp_path.iterdir()) == [] or done.returncode < 0
    assert not re.search("Traceback|damaged|could be decoded|not installed|does not decode", done.stderr), done.stderr
    assert done.returncode < 0 or re.fullmatch(r"stcodec: [^\n]+\n", done.stderr.splitlines(keepends=True)[-1]), done.stderr


@pytest.mark.parametrize("attention", ["none", "motion"])
@pytest.mark.parametrize("free_kb", [0, 4, 8, 16, 24, 32])
@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_full_folder_for_temporary_files(
    video: Path, tmp_path: Path, small_disk: Path, free_kb: int, attention: str, encoder: str
) -> None:
    (small_disk / "filling").write_bytes(bytes((64 - free_kb) * 1024))
    arguments = ("encode", video, "out.mkv", "--encoder", encoder, "--attention", attention, *TWO_PASSES)
    done = subprocess.run(
        program(*arguments),
        cwd=tmp_path,
        env={**ENVIRONMENT, "TMPDIR": os.fspath(small_disk)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [one.name for one in small_disk.iterdir()] == ["filling"]
    if done.returncode == 0:
        assert len(media.frames_of(tmp_path / "out.mkv")) == len(media.frames_of(video))
        return
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("x265 [")]  # it prints for itself
    assert len(lines) == 1 and re.match("stcodec: .*(No space left on device|TMPDIR)", lines[0]), done.stderr
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("encode", "in.mp4", "disk/out.mkv", "--attention", "none", "--crf", "0", "-q"),
        ("encode", "in.mp4", "disk/out.mp4", "--attention", "none", "--crf", "10", "--report", "disk/out.json", "-q"),
        ("maps", "in.mp4", "disk/out.mkv", "--attention", "motion", "-q"),
        ("inspect", "in.mp4", "--attention", "motion", "--report", "disk/out.html", "-q"),
        ("inspect", "in.mp4", "--attention", "motion", "--video", "disk/out.mp4", "-q"),
        ("evaluate", "in.mp4", "--report", "disk/out", "--arms", "plain", "--weights", "center", "--crf", "20,30", "-q"),
    ],
)
@pytest.mark.parametrize("free_kb", [4, 12, 20])
def test_full_disk_behind_the_output(
    video: Path, tmp_path: Path, small_disk: Path, arguments: tuple[str, ...], free_kb: int
) -> None:
    (tmp_path / "in.mp4").symlink_to(video)
    (small_disk / "filling").write_bytes(bytes((64 - free_kb) * 1024))
    done = run_apart(*arguments, folder=tmp_path)
    assert "Traceback" not in done.err
    if done.status == 0:
        return
    assert done.status in (1, 3)
    assert "No space left on device" in done.err or "disk is full" in done.err, done.err
    left = {one.name for one in small_disk.rglob("*") if one.is_file()} - {"filling"}
    assert not any(name.endswith((".mkv", ".mp4", ".html")) for name in left), left
