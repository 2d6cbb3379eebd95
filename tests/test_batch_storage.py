"""`stcodec batch` from and to places that are not folders of this machine, by fsspec."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command
import fsspec
import media
import pytest
from batches import FRAMES, QUICK, files, jobs, make_folder
from command import run
from fsspec.implementations.local import LocalFileSystem

Capture = pytest.CaptureFixture[str]


class Bucket(LocalFileSystem):  # type: ignore[misc]
    """A storage that is no folder for anybody who does not ask by its name."""

    protocol = "bucket"
    is_broken = False

    def put_file(self, lpath: str, rpath: str, *arguments: Any, **options: Any) -> None:
        if Bucket.is_broken:
            Path(rpath).write_bytes(Path(lpath).read_bytes()[:100])
            raise OSError(5, "the line is dead")
        super().put_file(lpath, rpath, *arguments, **options)


@pytest.fixture(autouse=True)
def bucket() -> Iterator[None]:
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    yield
    Bucket.is_broken = False


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def zipped(folder: Path, *names: str) -> None:
    make_folder(folder / "videos", *names)
    with zipfile.ZipFile(folder / "videos.zip", "w") as archive:
        for path in sorted((folder / "videos").rglob("*")):
            archive.write(path, path.relative_to(folder / "videos"))


def test_from_a_url_to_a_url_and_on_after_a_fault(capfd: Capture, folder: Path) -> None:
    zipped(folder, "a b.mkv", "deep/c.mp4", "deep/😀.mp4", ".hidden/d.mp4", "left/e.mp4")
    with zipfile.ZipFile("videos.zip", "a") as archive:
        archive.writestr("deep/bad.mp4", b"no video")
        archive.writestr("notes.txt", b"x")
    (folder / "far").mkdir()
    url = f"bucket://{folder}/far/out"
    arguments = ("batch", f"zip://::{folder}/videos.zip", url, "--state", "state", *QUICK, "--exclude", "left")
    Bucket.is_broken = True
    done = run(capfd, *arguments)
    assert done.status == 3 and files(folder / "far") == set()
    assert "failed: a b.mkv: " in done.err and f"{url}/a b.mkv: the line is dead" in done.err
    Bucket.is_broken = False
    done = run(capfd, "batch", "retry", *arguments[1:], "--json")
    summary = json.loads(done.out.splitlines()[-1])
    assert (summary["done"], summary["failed"], summary["skipped"]) == (3, 1, 1)
    assert summary["failures"][0]["source"] == "deep/bad.mp4"
    names = {"out/a b.mkv", "out/deep/c.mp4", "out/deep/😀.mp4"}
    assert files(folder / "far") == names
    for name in names:
        assert len(media.frames_of(folder / "far" / name)) == FRAMES
    assert {path.name for path in Path("state").iterdir()} == {".stcodec-batch"}
    assert not Path("state/.stcodec-batch/sources").exists()
    before = command.snapshot(folder / "far")
    fsspec.spec.AbstractFileSystem.clear_instance_cache()  # as in another process
    again = run(capfd, *arguments)
    assert again.status == 3 and "again" not in again.err
    assert command.snapshot(folder / "far") == before
    (folder / "far" / "out" / "a b.mkv").write_bytes(b"foreign")
    (folder / "far" / "out" / "deep" / "c.mp4").unlink()
    done = run(capfd, *arguments)
    assert "a b.mkv: the finished file was changed since it was made" in done.out
    assert "again: deep/c.mp4: the finished file was removed" in done.err
    assert len(media.frames_of(folder / "far" / "out" / "deep" / "c.mp4")) == FRAMES
    found = jobs(Path("state"))["deep/c.mp4"]
    assert found["state"] == "done" and found["source_bytes"] == (folder / "videos" / "deep" / "c.mp4").stat().st_size


def test_killed_between_the_upload_and_the_table(capfd: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(folder / "in", "a.mp4")
    arguments = ("batch", "in", f"bucket://{folder}/far", "--state", "state", *QUICK, "-q")
    put = Bucket.put_file

    def interrupted(*given: Any, **options: Any) -> None:
        put(*given, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Bucket, "put_file", interrupted)
    assert run(capfd, *arguments).status == 130
    assert files(folder / "far") == set()  # under another name until it was whole
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert run(capfd, *arguments).status == 0 and files(folder / "far") == {"a.mp4"}


def test_a_ladder_to_a_url(capfd: Capture, folder: Path) -> None:
    (folder / "in").mkdir()
    shutil.copy(media.make_video(folder / "video.mp4", size=(160, 96), frames=FRAMES), folder / "in" / "a.mp4")
    arguments = ("batch", "in", f"bucket://{folder}/far", "--state", "state", "--ladder", "96p@100k", "--attention", "none")
    assert run(capfd, *arguments, "--jobs", "1", "-q").status == 0
    assert len(media.frames_of(folder / "far" / "a" / "media_0.m3u8")) == FRAMES
    before = command.snapshot(folder / "far")
    assert run(capfd, *arguments, "--jobs", "1", "-q").status == 0 and command.snapshot(folder / "far") == before


def test_file_urls_are_folders(capfd: Capture, folder: Path) -> None:
    make_folder(folder / "in", "a.mp4")
    assert run(capfd, "batch", f"file://{folder}/in", f"file://{folder}/out", *QUICK, "-q").status == 0
    assert files(folder / "out") == {"a.mp4"} and jobs(folder / "out")["a.mp4"]["state"] == "done"


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (
            ("in", "bucket://far"),
            2,
            "bucket://far: the job table has to be on this machine: give a folder for it with --state",
        ),
        (("in", "out", "--state", "state"), 2, "--state is for an OUT that is a URL"),
        (("nosuch://x", "out"), 2, "nosuch://x: can't be opened: Protocol not known: nosuch"),
        (("bucket://x", "--replace"), 2, "--replace puts results in the place of files of this machine"),
        (("zip://::gone.zip", "out"), 1, "zip://::gone.zip.*No such file"),
    ],
)
def test_refused(capfd: Capture, folder: Path, flags: tuple[str, ...], status: int, words: str) -> None:
    make_folder(folder / "in", "a.mp4")
    done = run(capfd, "batch", *flags)
    command.assert_one_line(done, status, words)


def test_an_fsspec_package_that_is_missing_is_named(capfd: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(folder / "in", "a.mp4")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    done = run(capfd, "batch", "in", "s3://bucket/out", "--state", "state")
    command.assert_one_line(done, 2, "s3://bucket/out: can't be opened: .*s3fs")
