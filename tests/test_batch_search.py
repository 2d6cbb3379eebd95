"""`stcodec batch --match-crf` and `--target`: each file is as small as the quality allows, as `stcodec encode` finds it."""

from __future__ import annotations

from pathlib import Path

import command
import media
import pytest
from batches import jobs
from command import run

Capture = pytest.CaptureFixture[str]
FLAGS = ("--attention", "center", "--preset", "veryfast")


def test_every_file_has_the_quality_that_is_asked_for(capfd: Capture, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, cuts in (("a.mp4", ()), ("b.mp4", (12,))):
        media.make_video(tmp_path / "in" / name, size=(160, 96), frames=24, cuts=cuts)
    goal = ("--match-crf", "33", *FLAGS)
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "out", *goal, "--jobs", "2", "-q").status == 0
    for name, job in jobs(tmp_path / "out").items():
        alone = tmp_path / f"alone_{name}"
        assert run(capfd, "encode", tmp_path / "in" / name, alone, *goal, "-q").status == 0
        assert abs((tmp_path / "out" / name).stat().st_size / alone.stat().st_size - 1) < 0.05
        assert "crf=33: attended-psnr" in job["notes"] and "smaller than the plain encode" in job["notes"]
    done = run(capfd, "batch", "retry", tmp_path / "in", tmp_path / "out", *goal, "--jobs", "1")
    assert done.status == 0 and "2 videos: 2 done" in done.out and "other options" not in done.out


def test_a_quality_out_of_reach_fails_alone(capfd: Capture, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    media.make_video(tmp_path / "in" / "a.mp4", size=(160, 96), frames=12)
    arguments = ("batch", tmp_path / "in", tmp_path / "out", *FLAGS, "--jobs", "1")
    done = run(capfd, *arguments, "--target", "attended-psnr=60", "--preset", "ultrafast", "--opt", "qmin=40")
    assert done.status == 3 and "attended-psnr=60 can't be reached" in done.out
    assert run(capfd, *arguments, "--target", "attended-psnr=38", "-q").status == 0
    assert "attended-psnr=38: attended-psnr 3" in jobs(tmp_path / "out")["a.mp4"]["notes"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--match-crf", "20", "--crf", "20"), "finds the crf by itself: leave --crf 20 out"),
        (("--match-crf", "20", "--attention", "none"), "leave --attention none out"),
        (("--target", "beauty=3"), "unknown metric 'beauty'"),
        (("--match-verify", "full"), "--match-verify belongs to a search"),
        (("--match-crf", "20", "--ladder", "96p@1M"), "--ladder sets bitrates: leave --match-crf"),
    ],
)
def test_refused(capfd: Capture, tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    command.assert_refused(capfd, tmp_path, 2, words, "batch", tmp_path, tmp_path / "out", *flags)
