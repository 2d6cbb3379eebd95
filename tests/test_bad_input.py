"""Inputs that can't be encoded: one clear line, the right status, nothing left behind, nothing touched."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import command
import media
import pytest
from command import ENVIRONMENT, Argument, assert_one_line, assert_refused, program, run

from stcodec.errors import StcodecError
from stcodec.media.decode import VideoReader
from stcodec.media.paths import display_name

Capture = pytest.CaptureFixture[str]
FASTSTART = {"movflags": "+faststart"}
COMMANDS = [("encode", "out.mp4"), ("maps", "out.mkv")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, so that names are what the user types."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- no file, no video ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "output"), COMMANDS)
def test_missing_file(capfd: Capture, folder: Path, name: str, output: str) -> None:
    assert_refused(capfd, folder, 1, r"no/in\.mp4: no such file", name, "no/in.mp4", output)


@pytest.mark.parametrize(("name", "output"), COMMANDS)
def test_directory(capfd: Capture, folder: Path, name: str, output: str) -> None:
    (folder / "videos").mkdir()
    assert_refused(capfd, folder, 1, "videos: is a directory; give a video file", name, "videos", output)


@pytest.mark.parametrize("name", ["notes.txt", "notes.nfo", "notes.mp4", "notes"])
def test_text_is_no_video(capfd: Capture, folder: Path, name: str) -> None:
    # libav turns a text whose name says so into a video of a terminal.
    (folder / name).write_text("Nothing to see here.\n" * 100, encoding="utf-8")
    assert_refused(capfd, folder, 1, "(is a text, not a video|not a media file)", "encode", name, "out.mp4")


def test_noise_is_no_video(capfd: Capture, folder: Path) -> None:
    (folder / "in.mkv").write_bytes(random.Random(1).randbytes(30_000))
    assert_refused(capfd, folder, 1, r"in\.mkv: not a media file that can be opened", "encode", "in.mkv", "out.mp4")


def test_empty_file(capfd: Capture, folder: Path) -> None:
    (folder / "in.mp4").touch()
    assert_refused(capfd, folder, 1, r"in\.mp4: the file is empty \(0 bytes\)", "encode", "in.mp4", "out.mp4")


def test_audio_only(capfd: Capture, folder: Path, audio_only: Path) -> None:
    words = r"has no video that can be decoded \(it holds audio\)"
    assert_refused(capfd, folder, 1, words, "encode", audio_only, "out.mp4")


def test_cover_art_is_no_video(capfd: Capture, folder: Path, audio_only: Path) -> None:
    media.run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", "cover.png")
    streams = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic")
    media.run_ffmpeg("-i", audio_only, "-i", "cover.png", *streams, "song.m4a")
    words = r"has no video that can be decoded \(it holds audio, video\)"
    assert_refused(capfd, folder, 1, words, "encode", "song.m4a", "out.mp4")


def test_playlist_reaches_no_network(capfd: Capture, folder: Path) -> None:
    (folder / "in.m3u8").write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", encoding="utf-8")
    assert_refused(capfd, folder, 1, "in.m3u8: ", "encode", "in.m3u8", "out.mp4")


@pytest.mark.parametrize("name", ["still.png", "still%d.png", "still[1]*.png"])
def test_picture_is_a_video_of_one_frame(capfd: Capture, folder: Path, name: str) -> None:
    for number in "01":  # what a pattern would mean
        media.run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", f"still{number}.png")
    media.run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x96", "-frames:v", "1", "plain.png")
    (folder / "plain.png").rename(name)
    assert run(capfd, "encode", name, "out.mp4", "-q", "--attention", "center").status == 0
    assert [frame.shape for frame in media.frames_of(folder / "out.mp4")] == [(96, 160)]


def test_pipe_and_device_are_refused_at_once(folder: Path) -> None:
    os.mkfifo("pipe.mp4")
    for name in ("pipe.mp4", "/dev/zero"):
        done = command.run_apart("encode", name, "out.mp4", folder=folder, timeout_seconds=30)
        assert_one_line(done, 1, "is a pipe or a device")
    assert [one.name for one in folder.iterdir()] == ["pipe.mp4"]


# --- damaged --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4", "cut.ts", "cut.avi"])
@pytest.mark.parametrize("share", [0.5, 0.62, 0.9])
def test_truncated(capfd: Capture, folder: Path, name: str, share: float) -> None:
    video = media.make_truncated_video(folder / name, share=share, size=(160, 96), container_options=_front(name))
    words = r"cut\.\w+: damaged.* it (is cut off, \d+ bytes are missing|ends in the middle).*; --keep-partial keeps what"
    assert_refused(capfd, folder, 1, words, "encode", name, "out.mkv", "--attention", "center")
    before = video.read_bytes()
    done = run(capfd, "encode", name, "out.mkv", "--attention", "center", "--keep-partial", "--report", "report.json")
    assert done.status == 0, done.err
    assert "the source is damaged" in done.err
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    kept = media.frames_of(folder / "out.mkv")
    assert report["partial"] is True
    assert 30 * share * 0.5 < len(kept) == report["frames"] < 30
    whole = media.make_video(folder / f"whole_{name}", size=(160, 96), container_options=_front(name))
    assert [media.psnr(a, b) > 27 for a, b in zip(kept[:-1], media.frames_of(whole), strict=False)] == [True] * (
        len(kept) - 1
    )
    assert video.read_bytes() == before


def _front(name: str) -> dict[str, str]:
    return FASTSTART if name.endswith(".mp4") else {}


def test_stream_cut_between_its_packets(capfd: Capture, folder: Path) -> None:
    """Nothing is missing by the count of bytes; the last frame is broken."""
    content = media.make_video(folder / "in.ts", options={**media.QUICK, "crf": "5"}).read_bytes()
    (folder / "in.ts").write_bytes(content[: len(content) // 2 // 188 * 188])
    words = r"in\.ts: damaged after \d+ frames: it ends in the middle of a frame"
    assert_refused(capfd, folder, 1, words, "encode", "in.ts", "out.mp4", "--attention", "center")


def test_truncated_without_an_index(capfd: Capture, folder: Path) -> None:
    media.make_truncated_video(folder / "cut.mp4", size=(160, 96))
    assert_refused(capfd, folder, 1, r"cut off, \d+ bytes are missing", "encode", "cut.mp4", "out.mp4")
    words = r"not a media file that can be opened \(Invalid data"
    assert_refused(capfd, folder, 1, words, "encode", "cut.mp4", "out.mp4", "--keep-partial")


@pytest.mark.parametrize("command_line", COMMANDS)
def test_damage_in_the_middle(capfd: Capture, folder: Path, command_line: tuple[str, str]) -> None:
    name, output = command_line
    _wipe(media.make_video(folder / "in.mp4", size=(160, 96)), 2000)
    assert_refused(capfd, folder, 1, r"in\.mp4: damaged after \d+ frames: a packet", name, "in.mp4", output)
    done = run(capfd, name, "in.mp4", output, "--keep-partial", "-q")
    assert (done.status, done.out, done.err) == (0, "", "")
    if name == "encode":
        assert 10 < len(media.frames_of(folder / output)) < 30


def test_frames_with_errors_are_told(capfd: Capture, folder: Path) -> None:
    _wipe(media.make_video(folder / "in.mp4", size=(160, 96)), 50)
    done = run(capfd, "encode", "in.mp4", "out.mp4", "--attention", "center")
    assert done.status == 0
    assert "note: 1 frames of the source were decoded with errors\n" in done.err
    assert len(media.frames_of(folder / "out.mp4")) == 30


def _wipe(video: Path, count: int) -> None:
    content = bytearray(video.read_bytes())
    middle = len(content) // 2
    content[middle : middle + count] = bytes(count)
    video.write_bytes(content)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts", "avi"])
def test_damaged_anywhere(folder: Path, suffix: str) -> None:
    """Whatever bytes are wrong: frames, or one of our errors; never another exception."""
    whole = media.make_video(folder / f"in.{suffix}", size=(96, 64), frames=12).read_bytes()
    seeds = random.Random(suffix)
    opened = 0
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(seeds.choice((1, 3, 30))):
            content[seeds.randrange(seeds.choice((400, len(content))))] = seeds.randrange(256)
        broken = folder / f"broken.{suffix}"
        broken.write_bytes(content)
        try:
            with VideoReader(broken, keep_partial=seeds.random() < 0.5) as reader:
                opened += len(list(reader.frames())) > 0
        except StcodecError as error:
            assert str(error).startswith("broken.") or broken.name in str(error)
    assert opened > 3


# --- sizes and scans ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "name"), [("1x1", "in.y4m"), ("16x8", "in.mkv"), ("8x16", "in.mkv")])
@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
def test_impossible_size(capfd: Capture, folder: Path, size: str, name: str, encoder: str) -> None:
    codec = "rawvideo" if name.endswith(".y4m") else "ffv1"
    lavfi = ("-f", "lavfi", "-i", f"testsrc=size={size}:duration=0.2")
    media.run_ffmpeg(*lavfi, "-pix_fmt", "yuv444p", "-c:v", codec, *_raw(name), name)
    words = rf"the video is {size} px: {encoder} needs at least \d+x\d+"
    assert_refused(capfd, folder, 2, words, "encode", name, "out.mkv", "--encoder", encoder)


def _raw(name: str) -> tuple[str, ...]:
    return ("-f", "yuv4mpegpipe", "-strict", "-1") if name.endswith(".y4m") else ()


def test_interlaced_for_x264(capfd: Capture, folder: Path, interlaced_mkv: Path) -> None:
    words = "is interlaced: libx264 drops the offsets of such frames; .* --attention none"
    assert_refused(capfd, folder, 1, words, "encode", interlaced_mkv, "out.mp4")
    done = run(capfd, "encode", interlaced_mkv, "out.mp4", "-q", "--attention", "none")
    assert (done.status, done.err) == (0, "")


def test_interlaced_from_the_middle_on(capfd: Capture, folder: Path, interlaced_mkv: Path) -> None:
    media.make_video(folder / "plain.ts")
    media.run_ffmpeg("-i", interlaced_mkv, "-c", "copy", "interlaced.ts")
    (folder / "in.ts").write_bytes((folder / "plain.ts").read_bytes() + (folder / "interlaced.ts").read_bytes())
    words = r"the frame at [\d.]+ s is interlaced"
    assert_refused(capfd, folder, 1, words, "encode", "in.ts", "out.mp4", "--attention", "center")


# --- attention that does not fit ------------------------------------------------------------------------------------


@pytest.fixture
def video_here(folder: Path, video: Path) -> Path:
    return Path(shutil.copy(video, folder / "in.mp4"))


@pytest.mark.usefixtures("video_here")
@pytest.mark.parametrize(
    ("status", "source", "words"),
    [
        (1, "gaze:missing.csv", r"gaze:missing\.csv: can't be read \(No such file"),
        (1, "map:missing.mkv", r"missing\.mkv: no such file"),
        (1, "mask:.", "the folder holds no picture"),
        (1, "gaze:in.mp4", "not a CSV text file"),
        (1, "map:notes.txt", "notes.txt"),
        (2, "nobody", r"'nobody' is no source of attention: there are .*motion"),
        (2, "map:", r"which file\? Write map:FILE"),
        (2, "motion+center", r"every part has a weight"),
        (2, "0.5*none+0.5*center", "none has no maps"),
        (2, "neural:wide", "neural: 'wide' is no option of the source"),
        (2, "neural:balance=2", "balance is 2: allowed is 0 to 1"),
        (1, "onnx:missing.onnx", r"missing\.onnx"),
    ],
)
def test_bad_source(capfd: Capture, folder: Path, status: int, source: str, words: str) -> None:
    (folder / "notes.txt").write_text("a\nb\n", encoding="utf-8")
    assert_refused(capfd, folder, status, words, "encode", "in.mp4", "out.mp4", "--attention", source)
    assert_refused(capfd, folder, status, words, "maps", "in.mp4", "out.mkv", "--attention", source)


@pytest.mark.usefixtures("video_here")
def test_map_of_another_video(capfd: Capture, folder: Path) -> None:
    media.make_video(folder / "longer.mkv", frames=80, size=(160, 90))
    media.make_video(folder / "upright.mkv", size=(90, 160))
    for kind in ("map", "mask"):
        encode = ("encode", "in.mp4", "out.mp4", "--attention")
        words = r"the maps last 3\.20 s, the video 1\.20 s: they belong to another video"
        assert_refused(capfd, folder, 1, words, *encode, f"{kind}:longer.mkv")
        words = "the maps are 90x160, the video is shown as 320x180"
        assert_refused(capfd, folder, 1, words, *encode, f"{kind}:upright.mkv")
    assert_refused(capfd, folder, 1, "the maps last", "maps", "in.mp4", "out.mkv", "--attention", "map:longer.mkv")


@pytest.mark.usefixtures("video_here")
def test_map_cut_off(capfd: Capture, folder: Path) -> None:
    assert run(capfd, "maps", "in.mp4", "maps.mkv", "-q", "--attention", "motion").status == 0
    content = (folder / "maps.mkv").read_bytes()
    (folder / "maps.mkv").write_bytes(content[: len(content) // 2])
    assert_refused(capfd, folder, 1, "maps.mkv", "encode", "in.mp4", "out.mp4", "--attention", "map:maps.mkv")


# --- names ----------------------------------------------------------------------------------------------------------

NAMES = [
    "-in.mp4",
    "two words.mp4",
    "two\nlines.mp4",
    "\U0001f3ac.mp4",
    os.fsdecode(b"\xff\xfe.mp4"),
    "%d.mp4",
    "%03d*.mp4",
    "concat:a|b.mp4",
    "http:x.mp4",
    "$(exit 1)'\".mp4",
    "x" * 251 + ".mp4",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_hostile_name(capfd: Capture, folder: Path, video: Path, name: str) -> None:
    shutil.copy(video, folder / name)
    output = name.removesuffix(".mp4") + ".mkv"
    report = f"{name[:240]}.json"
    done = run(capfd, "encode", "--attention", "none", "--json", f"--report={report}", "--", name, output)
    assert (done.status, done.err) == (0, "")
    assert {one.name for one in folder.iterdir()} == {name, output, report}
    assert json.loads(done.out.splitlines()[-1])["frames"] == 30
    Path(output).unlink()
    words = ("--attention", f"map:{name}", "--two-pass", "--bitrate", "100k", "--preset", "ultrafast")
    done = run(capfd, "encode", *words, "--", name, output)
    assert done.status == 0
    assert re.fullmatch(r"[^\n]+: 30 frames, .*\noffsets: .*\nchecked: .*\n(note: .*\n)*", done.err)
    Path(output).unlink()
    done = run(capfd, "maps", "--json", "--attention", "center", "--", name, output)
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out.splitlines()[-1])["source"] == display_name(name)
    assert len(media.frames_of(Path(output).resolve())) >= 1


def test_hostile_name_of_a_missing_file(folder: Path) -> None:
    words = [os.fsencode(one) for one in program("encode", "--")]
    done = subprocess.run(
        [*words, b"\xff\nmissing\x1b[31m.mp4", b"out.mp4"],
        env={**ENVIRONMENT, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"stcodec: \\udcff\\nmissing\\x1b[31m.mp4: no such file\n"


@pytest.mark.parametrize("arguments", [("", "out.mp4"), ("x" * 300, "out.mp4"), ("in.mp4/in.mp4", "out.mp4")])
@pytest.mark.usefixtures("video_here")
def test_name_that_is_none(capfd: Capture, folder: Path, arguments: tuple[Argument, Argument]) -> None:
    words = "(is not a file name|can't be read|no such file)"
    assert_refused(capfd, folder, 1, words, "encode", *arguments)


def test_damage_that_hides_the_rest(capfd: Capture, folder: Path) -> None:
    """A Matroska demuxer that finds no further packet ends as if the video did."""
    media.make_video(folder / "in.mkv", frames=75, size=(160, 96))
    content = bytearray((folder / "in.mkv").read_bytes())
    content[len(content) // 3 : len(content) // 3 + 1000] = b"\x55" * 1000
    (folder / "in.mkv").write_bytes(content)
    words = r"in\.mkv: damaged after \d+ frames: .*; --keep-partial keeps what"
    assert_refused(capfd, folder, 1, words, "encode", "in.mkv", "out.mkv", "--attention", "center")
    done = run(capfd, "encode", "in.mkv", "out.mkv", "--attention", "center", "--keep-partial")
    assert done.status == 0
    assert "note: the source is damaged" in done.err
