"""Outputs that can't be written, and encodes that fail half way: nothing is lost, nothing is left behind."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import command
import media
import pytest
from command import Argument, assert_one_line, assert_refused, run

import stcodec
from stcodec.errors import MediaError, StcodecError, VerifyError
from stcodec.media.output import atomic_output

Capture = pytest.CaptureFixture[str]
OLD = b"what was here before"
ENCODE = ("encode", "in.mp4", "out.mp4", "--attention", "center")


@pytest.fixture
def folder(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with a video in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, "in.mp4")
    return tmp_path


# --- refused before anything is written -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["encode", "maps"])
@pytest.mark.parametrize("flags", [(), ("-y",)])
def test_output_is_input(capfd: Capture, folder: Path, name: str, flags: tuple[str, ...]) -> None:
    Path("symbolic.mp4").symlink_to("in.mp4")
    Path("hard.mp4").hardlink_to("in.mp4")
    (folder / "sub").mkdir()
    words = "output and input are the same file"
    for output in ("in.mp4", folder / "in.mp4", "sub/../in.mp4", "symbolic.mp4", "hard.mp4"):
        assert_refused(capfd, folder, 1, words, name, "in.mp4", output, *flags)
        assert_refused(capfd, folder, 1, words, name, output, "in.mp4", *flags)


@pytest.mark.parametrize("name", ["encode", "maps"])
def test_output_is_what_the_attention_is_read_from(capfd: Capture, folder: Path, name: str) -> None:
    assert run(capfd, "maps", "in.mp4", "mask.mkv", "--attention", "center", "-q").status == 0
    Path("link.mkv").symlink_to("mask.mkv")
    words = r"(mask|link)\.mkv: is read for the attention too; give the output another name"
    for attention in ("mask:mask.mkv", "0.5*center+0.5*map:link.mkv"):
        for output in ("mask.mkv", "link.mkv"):
            assert_refused(capfd, folder, 1, words, name, "in.mp4", output, "-y", "--attention", attention)
    if name == "encode":
        arguments = ("in.mp4", "out.mp4", "-y", "--attention", "map:mask.mkv", "--report", "mask.mkv")
        assert_refused(capfd, folder, 1, words, name, *arguments)


@pytest.mark.parametrize(("name", "output"), [("encode", "out.mp4"), ("maps", "out.mkv")])
def test_output_exists(capfd: Capture, folder: Path, name: str, output: str) -> None:
    Path(output).write_bytes(OLD)
    assert_refused(capfd, folder, 1, f"{output}: exists already; -y replaces it", name, "in.mp4", output)
    assert run(capfd, name, "in.mp4", output, "-y", "-q", "--attention", "center").status == 0
    frames = media.frames_of(folder / output)
    assert len(frames) == (30 if name == "encode" else 1)  # center: one map for the whole video
    assert {one.name for one in folder.iterdir()} == {"in.mp4", output}


def test_dangling_link_is_there_too(capfd: Capture, folder: Path) -> None:
    Path("out.mp4").symlink_to("nowhere/out.mp4")
    assert_refused(capfd, folder, 1, "exists already", *ENCODE)
    assert Path("out.mp4").is_symlink()


def test_other_places(capfd: Capture, folder: Path) -> None:
    (folder / "videos.mp4").mkdir()
    os.mkfifo("pipe.mp4")
    for status, output, words in (
        (1, "videos.mp4", "is a directory; give a file name inside it"),
        (1, "no/out.mp4", "the folder no does not exist; make it first"),
        (1, "in.mp4/out.mp4", "the folder in.mp4 does not exist"),
        (1, "pipe.mp4", "is no regular file"),
        (1, "/dev/null", "is no regular file"),
        (1, "x" * 300 + ".mp4", "File name too long"),
        (1, "", "is not a file name"),
        (1, "/proc/self/out.mp4", "(no permission to write in|can't be written)"),
    ):
        assert_refused(capfd, folder, status, words, "encode", "in.mp4", output, "-y", "--attention", "none")


@pytest.mark.parametrize(
    ("output", "encoder", "words"),
    [
        ("out.txt", "libx264", r"out\.txt: h264 can't be written to \.txt; allowed are \.mp4, \.mkv"),
        ("out", "libx264", "h264 can't be written to a name without ending"),
        (".mp4", "libx264", "h264 can't be written to a name without ending"),
        ("out.webm", "libx264", r"h264 can't be written to \.webm"),
        ("out.webm", "libx265", r"hevc can't be written to \.webm"),
        ("out.mov", "libvpx-vp9", r"vp9 can't be written to \.mov; allowed are \.webm"),
    ],
)
def test_container_does_not_take_the_codec(capfd: Capture, folder: Path, output: str, encoder: str, words: str) -> None:
    assert_refused(capfd, folder, 2, words, "encode", "in.mp4", output, "--encoder", encoder)


def test_maps_are_matroska(capfd: Capture, folder: Path) -> None:
    assert_refused(capfd, folder, 2, r"maps are written as Matroska: .*\.mkv", "maps", "in.mp4", "out.mp4")


@pytest.mark.parametrize(
    ("audio", "output", "encoder", "becomes"),
    [
        ("pcm_s16le", "out.webm", "libvpx-vp9", "Opus"),
        ("ac3", "out.webm", "libvpx-vp9", "Opus"),
        ("wmav2", "out.mp4", "libx264", "AAC"),
    ],
)
def test_container_does_not_take_the_sound(
    capfd: Capture, folder: Path, audio: str, output: str, encoder: str, becomes: str
) -> None:
    sine = ("-f", "lavfi", "-i", "sine=440:duration=1.2")
    media.run_ffmpeg("-i", "in.mp4", *sine, "-c:v", "copy", "-c:a", audio, "sound.mkv")
    done = run(capfd, "encode", "sound.mkv", output, "--encoder", encoder, "--attention", "center")
    assert done.status == 0, done.err
    assert f"is encoded to {becomes}: {output.split('.')[1]} can't hold it" in done.err
    kinds = [(one["kind"], one["codec"]) for one in media.streams_of(folder / output)]
    assert [codec for kind, codec in kinds if kind == "audio"] == [becomes.lower()]
    assert len(media.frames_of(folder / output)) == 30


# --- permissions ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def common_folder() -> Iterator[Path]:
    """A folder in which nobody may write, run as somebody for whom permissions count: root is turned into nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


def test_unwritable_folder(capfd: Capture, video: Path) -> None:
    with common_folder() as folder:
        shutil.copy(video, folder / "in.mp4")
        (folder / "in.mp4").chmod(0o644)
        closed = folder / "closed"
        closed.mkdir()
        arguments: tuple[Argument, ...] = ("encode", folder / "in.mp4", closed / "out.mp4", "--attention", "none")
        assert run(capfd, *arguments, "--dry-run").status == 0
        closed.chmod(0o555)
        with as_nobody():
            assert_refused(capfd, folder, 1, rf"no permission to write in {closed}", *arguments)
            report = ("encode", folder / "in.mp4", folder / "out.mp4", "--report", closed / "report.json")
            assert_refused(capfd, folder, 1, "no permission to write in", *report)


def test_unreadable_file(capfd: Capture, video: Path) -> None:
    with common_folder() as folder:
        shutil.copy(video, folder / "in.mp4")
        (folder / "in.mp4").chmod(0)
        with as_nobody():
            done = run(capfd, "encode", folder / "in.mp4", folder / "out.mp4", "--attention", "none")
        assert_one_line(done, 1, "no permission to read it")


# --- full disks -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def files_limited_to(count: int) -> Iterator[None]:
    """Writes beyond so many bytes of a file fail, as Linux makes them fail (Python ignores SIGXFSZ)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.ts"])
@pytest.mark.parametrize("limit", [500, 9_000])
def test_file_too_large(capfd: Capture, folder: Path, output: str, limit: int) -> None:
    Path(output).write_bytes(OLD)
    before = command.snapshot(folder)
    with files_limited_to(limit):
        done = run(capfd, "encode", "in.mp4", output, "-y", "--attention", "center", "--crf", "18")
    assert_one_line(done, 1, rf"{output}: .*File too large")
    assert command.snapshot(folder) == before


def test_maps_too_large(capfd: Capture, folder: Path) -> None:
    before = command.snapshot(folder)
    with files_limited_to(2_000):
        done = run(capfd, "maps", "in.mp4", "out.mkv", "--attention", "motion")
    assert_one_line(done, 1, "the maps can't be written .*File too large")
    assert command.snapshot(folder) == before


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.ts"])
def test_disk_full(capfd: Capture, small_disk: Path, bikes: Path, output: str) -> None:
    (small_disk / output).write_bytes(OLD)
    arguments = ("encode", bikes, small_disk / output, "-y", "--attention", "none", "--preset", "ultrafast")
    assert_refused(capfd, small_disk, 1, "No space left on device.*nothing was left behind", *arguments)


def test_no_room_for_temporary_files(capfd: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = command.snapshot(folder)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder / "gone"))
        done = run(capfd, *ENCODE, "--two-pass", "--bitrate", "100k")
    assert_one_line(done, 1, "there is no place for temporary files .*gone.*: set TMPDIR")
    assert command.snapshot(folder) == before


# --- failures half way ----------------------------------------------------------------------------------------------


def fail(*_: Any, **__: Any) -> None:
    raise VerifyError("the test made it fail")


def fail_later() -> Callable[..., Any]:
    from stcodec.encoders.session import EncoderSession

    send, count = EncoderSession.send, 0

    def failing(self: EncoderSession, *arguments: Any, **keywords: Any) -> Any:
        nonlocal count
        count += 1
        return fail() if count == 12 else send(self, *arguments, **keywords)

    return failing


@pytest.mark.parametrize("old", [None, OLD])
@pytest.mark.parametrize("place", ["send", "check", "report"])
def test_failure_half_way(
    capfd: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, old: bytes | None
) -> None:
    if old is not None:
        Path("out.mp4").write_bytes(old)
        Path("report.json").write_bytes(old)
    if place == "send":
        monkeypatch.setattr("stcodec.encoders.session.EncoderSession.send", fail_later())
    else:
        monkeypatch.setattr(f"stcodec.pipeline.encode.{'check_file' if place == 'check' else 'build_report'}", fail)
    words = "the test made it fail"
    assert_refused(capfd, folder, 1, words, *ENCODE, *(["-y"] if old is not None else []), "--report", "report.json")


def test_report_that_can_not_be_written(capfd: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def encoding(*_: Any) -> None:
        raise AssertionError("an encode began")

    monkeypatch.setattr("stcodec.pipeline.encode._run_passes", encoding)
    Path("old.json").write_bytes(OLD)
    for status, path, words in (
        (1, "no/report.json", "the folder no does not exist"),
        (1, ".", "is a directory"),
        (1, "in.mp4", "output and input are the same file"),
        (1, "old.json", "exists already; -y replaces it"),
        (1, "/proc/self/report.json", "(no permission to write in|can't be written)"),
        (2, "out.mp4", "is the output and the report too"),
        (2, "./out.mp4", "is the output and the report too"),
    ):
        assert_refused(capfd, folder, status, words, *ENCODE, "--report", path)


def test_report_meets_a_full_disk(capfd: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert_refused(capfd, folder, 1, "the report can't be written .No space left", *ENCODE, "--report", "report.json")


def test_rename_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", broken)
    Path("out.mp4").write_bytes(OLD)
    before = command.snapshot(folder)
    with pytest.raises(MediaError, match=r"out\.mp4: can't be written \(Input/output error\); nothing was left behind"):
        stcodec.encode("in.mp4", "out.mp4", attention="none", overwrite=True)
    assert command.snapshot(folder) == before


def test_failing_progress_sink_stops_the_encode(folder: Path) -> None:
    def sink(_: object) -> None:
        raise KeyError("theirs")

    before = command.snapshot(folder)
    with pytest.raises(KeyError, match="theirs"):
        stcodec.encode("in.mp4", "out.mp4", attention="center", progress=sink)
    assert command.snapshot(folder) == before


# --- what atomic_output promises ------------------------------------------------------------------------------------


def test_temporary_name(tmp_path: Path) -> None:
    for name in ("out.mp4", "x" * 251 + ".mp4", "a." + "b" * 250):
        with atomic_output(tmp_path / name, overwrite=False) as temporary:
            assert temporary.parent.parent == tmp_path and temporary.name == name
            assert temporary.parent.name.startswith(".stcodec-")
            temporary.write_bytes(b"new")
            assert not (tmp_path / name).exists()
        assert [one.name for one in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).read_bytes() == b"new"
        (tmp_path / name).unlink()


def test_folder_that_goes_away(tmp_path: Path) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    with pytest.raises(StcodecError, match="can't be written"), atomic_output(folder / "out.mp4", overwrite=False):
        shutil.rmtree(folder)
    assert list(tmp_path.iterdir()) == []
