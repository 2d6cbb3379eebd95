"""Searches that can't be: refused in one line, or broken off, and nothing is left behind."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import matching
import media
import pytest
from command import ENVIRONMENT, assert_refused, program, run, snapshot

import stcodec
from stcodec.errors import OptionsError, TargetError
from stcodec.matching.options import MatchOptions

Capture = pytest.CaptureFixture[str]
OLD = b"what was here before"


@pytest.fixture(scope="module")
def video(videos: Path) -> Path:
    return matching.make_two_shots(videos / "two_shots_for_bad.mkv")


@pytest.fixture
def folder(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video and an old output, and a place for temporary files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mkv").symlink_to(video)
    (tmp_path / "out.mp4").write_bytes(OLD)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path


USAGE = [
    ("--match-crf 23 --crf 23", "--match-crf finds the crf by itself: leave --crf 23 out"),
    ("--match-crf 23 --bitrate 2M", "--match-crf fixes the quality, --bitrate the size: leave one of them out"),
    ("--match-crf 23 --bitrate 2M --two-pass", "--match-crf fixes the quality, --bitrate the size"),
    ("--match-crf 23 --attention none", "--match-crf needs to know where viewers look: leave --attention none out"),
    ("--match-crf 23 --target vmaf=93", "a search has one goal: the crf of a plain encode .* or a value"),
    ("--match-crf good", "argument --match-crf: invalid float value"),
    ("--match-crf 60", "crf is 60: libx264 takes 0 to 51"),
    ("--match-crf nan", "crf is nan: libx264 takes 0 to 51"),
    ("--target vmaf=93 --crf 23", "--target finds the crf by itself: leave --crf 23 out"),
    ("--target vmaf=93 --bitrate 2M", "--target fixes the quality, --bitrate the size"),
    ("--target vmaf=93 --attention none", "--target needs to know where viewers look"),
    ("--target 93", "target '93': write METRIC=VALUE, for instance attended-vmaf=93"),
    ("--target attended-psnr=", "target 'attended-psnr=': write METRIC=VALUE"),
    ("--target quality=93", "unknown metric 'quality': allowed are attended-psnr, attended-ssim, attended-vmaf, foveated-"),
    ("--target vmaf=101", "vmaf is 101: allowed is 10 to 100 points"),
    ("--target vmaf=nan", "vmaf is nan: allowed is 10 to 100 points"),
    ("--target psnr=70", "psnr is 70: allowed is 20 to 60 dB"),
    ("--target vmaf=93 --match-metric vmaf", "--target vmaf=93 names the metric: leave --match-metric out"),
    ("--match-crf 23 --match-metric sharpness", "unknown metric 'sharpness': allowed are"),
    ("--match-crf 23 --match-tolerance 0", "the tolerance is 0: for attended-psnr allowed is 0.01 to 10 dB"),
    ("--match-crf 23 --match-tolerance nan", "the tolerance is nan"),
    ("--match-crf 23 --match-verify some", "invalid choice: 'some'"),
    ("--match-metric vmaf", "--match-metric belongs to a search for a quality: add --match-crf or --target"),
    ("--match-verify full --crf 23", "--match-verify belongs to a search for a quality"),
]


@pytest.mark.parametrize(("line", "words"), USAGE)
def test_usage(capfd: Capture, folder: Path, line: str, words: str) -> None:
    assert_refused(capfd, folder, 2, words, "encode", "in.mkv", "new.mp4", "--attention", "center", *line.split())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "a search has one goal"),
        ({"crf": 20, "value": 90}, "a search has one goal"),
        ({"value": 90, "metric": "ssim"}, "unknown metric 'ssim'"),
        ({"crf": 20, "verify": "all"}, "verify is 'all': allowed are parts or full"),
    ],
)
def test_python_options(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        MatchOptions(**fields)


def test_value_out_of_reach(capfd: Capture, folder: Path) -> None:
    """It says by how much, before anything is encoded; what was there stays."""
    words = (
        r"psnr=60 can't be reached: from \d\.\d\d to \d\.\d\d s the quality stays \d.* dB short of it .* \(as of crf 10\)"
    )
    line = "encode in.mkv out.mp4 -y -q --attention center --preset ultrafast --target psnr=60"
    assert_refused(capfd, folder, 1, words, *line.split())
    assert (folder / "out.mp4").read_bytes() == OLD


def test_value_out_of_reach_in_python(folder: Path) -> None:
    with pytest.raises(TargetError, match="ask for less"):
        stcodec.match("in.mkv", "new.mkv", MatchOptions(value=60, metric="psnr"), attention="center", preset="ultrafast")
    assert not (folder / "new.mkv").exists()


def test_what_encode_refuses_is_refused(capfd: Capture, folder: Path) -> None:
    search = ["--match-crf", "30", "--attention", "center"]
    assert_refused(capfd, folder, 1, "exists already; -y replaces it", "encode", "in.mkv", "out.mp4", *search)
    assert_refused(capfd, folder, 1, "no such file", "encode", "none.mkv", "new.mp4", *search)
    assert_refused(capfd, folder, 2, "drops the QP offsets", "encode", "in.mkv", "new.mp4", *search, "--opt", "qp=20")
    (folder / "bad.mkv").write_bytes((folder / "in.mkv").read_bytes()[:20_000])
    assert_refused(capfd, folder, 1, "bad.mkv", "encode", "bad.mkv", "new.mp4", *search)


def test_black_pictures(folder: Path, videos: Path) -> None:
    """Perfect at any QP: that is a match, not a division by zero."""
    media.run_ffmpeg("-f", "lavfi", "-i", "color=black:size=128x64:rate=25:duration=1.2", "-pix_fmt", "yuv420p", "b.mp4")
    report = stcodec.match("b.mp4", "new.mp4", MatchOptions(crf=30), attention="center", preset="ultrafast")
    assert report.match is not None
    assert (report.match.wanted, report.match.difference) == (60.0, 0.0)
    assert report.match.within_tolerance


def test_one_frame(folder: Path) -> None:
    media.make_video(folder / "one.mkv", size=(128, 64), frames=1)
    report = stcodec.match("one.mkv", "new.mp4", MatchOptions(crf=30), attention="center", preset="veryfast")
    assert report.match is not None
    assert report.match.frames_compared == 1


@pytest.mark.parametrize(("stage", "preset"), [("plain", "veryslow"), ("search 1", "medium"), ("encode", "faster")])
def test_interrupted(folder: Path, videos: Path, stage: str, preset: str) -> None:
    """With a preset so slow that the run is far from its end when the test gets to read of the stage."""
    long = videos / "for_interrupts.mp4"
    if not long.exists():
        media.make_video(long, size=(640, 360), frames=80)
    (folder / "long.mp4").symlink_to(long)
    before = snapshot(folder)
    line = f"encode long.mp4 out.mp4 -y --json --match-crf 30 --attention center --preset {preset}"
    process = subprocess.Popen(
        program(*line.split()),
        cwd=folder,
        env={**ENVIRONMENT, "TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        seen = next((line for line in process.stdout if json.loads(line).get("stage") == stage), None)
        assert seen is not None, f"it never came to {stage}"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "stcodec: interrupted; nothing unfinished was left behind\n")
    assert snapshot(folder) == before
    assert list((folder / "tmp").iterdir()) == []


def test_miss_is_said(monkeypatch: pytest.MonkeyPatch, capfd: Capture, folder: Path) -> None:
    """A difference that no correction makes good is not hidden."""
    monkeypatch.setattr("stcodec.matching.match._MOST_CORRECTIONS", 0)
    monkeypatch.setattr("stcodec.matching.search.Search.best", lambda self: [3.0] * len(self.units))
    line = "encode in.mkv new.mp4 --attention center --preset ultrafast --match-crf 30"
    done = run(capfd, *line.split())
    assert done.status == 0
    assert "which MISSES the tolerance of 0.1" in done.err
