"""Every kind of file, given to every subcommand: no traceback, nothing left behind, and the same verdict everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import pytest
from command import run_apart
from kinds import COMMANDS, NAMES, UNREADABLE, make_kind, try_command

ROOT = Path(__file__).parents[1]
MADE_BY_SCRIPT = ROOT.parent / "shared" / "cases" / "make.sh"
REFUSED = {"cenc.mp4": "is encrypted", "anim.webp": "animated WebP"}
NOT_ENCODING = ("maps", "inspect", "evaluate", "verify")
CHEAP = ("maps", "encode", "verify", "dry run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(autouse=True)
def own_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others leave in the folder for temporary files meanwhile does not count."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


@pytest.mark.parametrize("name", NAMES)
def test_every_kind(name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = make_kind(name, folder), tmp_path / "out"
    out.mkdir()
    for command in CHEAP:
        try_command(capfd, command, source, out, UNREADABLE.get(name))


def test_a_folder_of_all_kinds(folder: Path, tmp_path: Path) -> None:
    """Whatever holds a video is taken by its content; what can't be read is named, and the others are made."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("slides.mp4", "lpcm.vob", "encrypted.mp4", "text.mkv"):
        shutil.copy(make_kind(name, folder), source)
    done = run_apart("batch", source, out, "--attention", "center", "--preset", "ultrafast", "--jobs", "1")
    assert done.status == 3 and "Traceback" not in done.err
    assert {one.stem for one in out.iterdir() if not one.name.startswith(".")} == {"slides", "lpcm"}
    assert "is encrypted" in done.err


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_with_every_command(name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = make_kind(name, folder), tmp_path / "out"
    out.mkdir()
    for command in COMMANDS:
        try_command(capfd, command, source, out, UNREADABLE.get(name))


@pytest.mark.long
def test_every_file_of_the_script(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Files rebuilt from public reports; skipped where their script or the clips that it wants are not there."""
    if not MADE_BY_SCRIPT.exists() or shutil.which("mkvmerge") is None:
        pytest.skip("the script that makes them, or mkvmerge, is not on this machine")
    environment = {**os.environ, "FF": imageio_ffmpeg.get_ffmpeg_exe()}
    subprocess.run(["bash", str(MADE_BY_SCRIPT), str(tmp_path / "cases")], env=environment, check=True, capture_output=True)
    cases = [
        one for one in sorted((tmp_path / "cases").iterdir()) if one.suffix not in (".srt", ".sup", ".txt", ".h264", "")
    ]
    assert len(cases) > 25
    for case in cases:
        out = tmp_path / f"of {case.name}"
        out.mkdir()
        for command in NOT_ENCODING if case.name == "dvp5.mp4" else COMMANDS:
            try_command(capfd, command, case, out, REFUSED.get(case.name))
