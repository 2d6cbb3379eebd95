"""Outputs take their names without loss, and what dead processes left is removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import media
import pytest
from command import ENVIRONMENT

import stcodec
from stcodec.errors import MediaError
from stcodec.media.output import atomic_output
from stcodec.media.temporary import sweep, temporary_folder
from stcodec.progress import Progress

QUICK: Any = {"attention": "none", "preset": "ultrafast"}
THEIRS = b"somebody else's"
_HOLDS = """
import sys
from pathlib import Path
from typing import Any
from stcodec.media.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1]), is_hidden=True) as folder:
    (folder / "half.mp4").write_bytes(b"half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["out.mp4", "report.json"])
def test_what_appears_during_an_encode_stays(tmp_path: Path, video: Path, name: str) -> None:
    appeared = tmp_path / name

    def appear(_: Progress) -> None:
        appeared.write_bytes(THEIRS)

    with pytest.raises(MediaError, match=f"{name}: exists already, since a moment ago; -y replaces it"):
        stcodec.encode(video, tmp_path / "out.mp4", report_path=tmp_path / "report.json", progress=appear, **QUICK)
    assert appeared.read_bytes() == THEIRS
    assert not list(tmp_path.glob(".stcodec-*"))


def test_replacing_keeps_permissions_and_owner(tmp_path: Path, video: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(THEIRS)
    output.chmod(0o640)
    owner = (12345, 23456) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(output, *owner)
    stcodec.encode(video, output, overwrite=True, **QUICK)
    status = output.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, *owner)
    assert media.frames_of(output)


def test_a_new_file_has_the_permissions_of_any(tmp_path: Path, video: Path) -> None:
    mask = os.umask(0o027)
    try:
        stcodec.encode(video, tmp_path / "out.mp4", **QUICK)
    finally:
        os.umask(mask)
    assert (tmp_path / "out.mp4").stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, video: Path, is_there: bool) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "links").mkdir()
    stored, link = tmp_path / "store" / "video.mp4", tmp_path / "links" / "out.mp4"
    link.symlink_to("../store/video.mp4")
    if is_there:
        stored.write_bytes(THEIRS)
    with pytest.raises(MediaError, match="exists already"):
        stcodec.encode(video, link, **QUICK)
    stcodec.encode(video, link, overwrite=True, **QUICK)
    assert link.is_symlink() and media.frames_of(stored)


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FAT."""

    def none(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    with atomic_output(tmp_path / "out", overwrite=False) as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "out").read_bytes() == b"new"
    with pytest.raises(MediaError, match="exists already"), atomic_output(tmp_path / "out", overwrite=False) as temporary:
        temporary.write_bytes(b"newer")
    assert (tmp_path / "out").read_bytes() == b"new"


def test_sweeping_removes_what_the_dead_left_and_nothing_else(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _HOLDS, str(tmp_path)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": ENVIRONMENT, "text": True}
    with subprocess.Popen(program, **pipes) as living, subprocess.Popen(program, **pipes) as dying:
        held, left = (Path(one.stdout.readline().strip()) for one in (living, dying) if one.stdout)
        dying.kill()
        dying.wait()
        elsewhere = left.with_name(left.name.replace(left.name.split("-")[1], "01234567"))
        shutil.copytree(left, elsewhere)
        linked = left.with_name(left.name[:-16] + "0" * 16)
        linked.symlink_to(elsewhere)
        alike = [tmp_path / ".stcodec-batch", tmp_path / f"{left.name}.mp4"]
        for one in alike:
            one.mkdir()
        with temporary_folder(tmp_path) as mine:
            sweep(tmp_path)
            found = set(tmp_path.iterdir())
        assert found == {held, elsewhere, linked, mine, *alike}
        assert (held / "half.mp4").exists() and (elsewhere / "half.mp4").exists()
        living.communicate("")
    assert not held.exists()


def test_a_folder_whose_removal_was_broken_off_is_swept(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        name = folder.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "half.mp4").write_bytes(b"half")  # the lock has gone already
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_killed_encodes_leave_nothing_for_long(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both beside the output and in the folder for temporary files."""
    place = tmp_path / "tmp"
    place.mkdir()
    code = (
        "import os, signal, sys, stcodec\n"
        "def kill(progress):\n"
        "    if progress.stage == 'pass 2': os.kill(os.getpid(), signal.SIGKILL)\n"
        f"stcodec.encode({str(video)!r}, 'out.mp4', report_path='r.json', bitrate_kbps=100, two_pass=True, progress=kill)\n"
    )
    environment = {**ENVIRONMENT, "TMPDIR": str(place)}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == -9
    assert len(list(tmp_path.glob(".stcodec-*"))) == 2 and len(list(place.iterdir())) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    stcodec.encode(video, tmp_path / "out.mp4", bitrate_kbps=100, two_pass=True, **QUICK)
    assert {one.name for one in tmp_path.iterdir()} == {"out.mp4", "tmp"} and not list(place.iterdir())
