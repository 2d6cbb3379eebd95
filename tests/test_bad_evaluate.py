"""`stcodec evaluate` with bad input, and with parts that fail."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import command
import media
import pytest
import viewers

from stcodec.errors import OptionsError
from stcodec.evaluate.options import parse_arms, parse_crfs

QUICK = ("--preset", "ultrafast", "--metrics", "psnr", "--instants", "0", "--jobs", "1", "--arms", "center")


@pytest.fixture
def folder(tmp_path: Path, short: Path) -> Path:
    """A clip with gaze beside it."""
    (tmp_path / "clip.mp4").symlink_to(short)
    viewers.make_gaze(tmp_path / "clip.csv", [(40, 40)])
    return tmp_path


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.make_video(tmp_path_factory.mktemp("short") / "short.mp4", size=(96, 64), frames=10)


def evaluate(capfd: pytest.CaptureFixture[str], folder: Path, *arguments: command.Argument) -> command.Outcome:
    return command.run(capfd, "evaluate", folder / "clip.mp4", "--report", folder / "out", *QUICK, *arguments)


def results_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out" / "results.json").read_text())
    return found


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--gaze", "empty"), 2, r"no gaze for clip: clip\.csv was looked for in empty; give --gaze, or name a source"),
        (("--encoder", "libaom-av1"), 2, "libaom-av1 can't be given QP offsets"),
        (("--encoder", "libx264,libx264"), 2, "encoder libx264 is given twice"),
        (("--encoder", "libvpx-vp9"), 2, r"preset 'ultrafast' is unknown to libvpx-vp9.*--preset medium,libvpx-vp9=8"),
        (("--crf", "22:38:0"), 2, r"crf '22:38:0': write FIRST:LAST:STEP"),
        (("--crf", "22:60:4"), 2, "crf is 54: libx264 takes 0 to 51"),
        (("--crf", "good"), 2, "crf 'good'"),
        (("--arms", "nonsense"), 2, "'nonsense' is no source of attention"),
        (("--arms", "plain=center"), 2, "the name plain is taken"),
        (("--arms", "a=motion,a=center"), 2, "arm a is given twice"),
        (("--arms", "a=map:missing.mkv"), 1, "no such file"),
        (("--metrics", "psrn"), 2, "'psrn' is no metric: choose from psnr"),
        (("--weights", "none"), 2, "attention none has no maps: name a source"),
        (("--frames", "0"), 2, "frames is 0: allowed is 1 or more"),
        (("--scale", "2"), 2, "scale is 2: allowed is more than 0, up to 1"),
        (("--scale", "0.5", "--half"), 2, "not allowed with"),
        (("--jobs", "0"), 2, "jobs is 0"),
        (("--strength", "3"), 2, "strength is 3: allowed is 0 to 2"),
        (("--opt", "crf=3"), 1, "--opt crf=... is set by --crf"),
        (("--report", "clip.csv"), 1, "clip.csv: is a file; give a folder"),
        (("--report", "no/where"), 1, "the folder no does not exist"),
    ],
)
def test_what_can_not_be_begun(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    outcome = command.run(capfd, "evaluate", "clip.mp4", "--report", "out", *QUICK, *arguments)
    command.assert_one_line(outcome, status, words)
    assert not (folder / "out" / "results.json").exists()


def test_clips_that_are_not_there(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "clip.mkv").write_bytes(b"no video")
    for clips, words in (
        ([folder / "missing.mp4"], "no such file"),
        ([folder / "*.webm"], "no file matches"),
        ([folder / "empty"], "the folder holds no video"),
        ([folder / "clip.mp4", folder / "other"], "two clips are called clip"),
    ):
        command.assert_refused(
            capfd, folder, 2 if "two" in words else 1, words, "evaluate", *clips, "--report", folder / "x"
        )
    gaze = ("--gaze", folder / "clip.csv")
    (folder / "more.mp4").symlink_to(folder / "clip.mp4")
    two = ("evaluate", folder / "clip.mp4", folder / "more.mp4", *gaze, "--report", folder / "x")
    command.assert_refused(capfd, folder, 2, "is one file, and there are 2 clips", *two)


def test_nothing_is_overwritten_unless_asked(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "results.csv").write_text("mine")
    command.assert_one_line(evaluate(capfd, folder), 1, "results.csv: exists already; -y replaces it")
    assert [path.name for path in (folder / "out").iterdir()] == ["results.csv"]
    assert evaluate(capfd, folder, "--crf", "30", "-y").status == 0
    assert (folder / "out" / "results.csv").read_text().startswith("clip,encoder,arm")


@pytest.mark.parametrize(
    ("places", "seconds", "words"),
    [
        ([(1500.0, 800.0)], 1.0, "4 of 4 fixations lie outside of the frame of 96x64 px.*gaze for another video"),
        ([(40.0, 40.0), (300.0, 40.0)], 1.0, "50% of the fixations lie outside.*gaze for another video"),
        ([(40.0, 40.0)], 0.1, "the last fixation ends at 0.10 s, the video at 0.40 s.*gaze for another video"),
        ([(40.0, 40.0)] * 10, 9.0, "90% of the fixations begin after the end.*gaze for another video"),
    ],
)
def test_gaze_for_another_video(
    folder: Path, capfd: pytest.CaptureFixture[str], places: list[viewers.Place], seconds: float, words: str
) -> None:
    viewers.make_gaze(folder / "clip.csv", places, seconds=seconds, spread_px=0.1)
    command.assert_one_line(evaluate(capfd, folder), 1, words)
    assert not (folder / "out" / "results.json").exists()


def test_a_clip_that_fails_leaves_the_others(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "far.mp4").symlink_to(folder / "clip.mp4")
    viewers.make_gaze(folder / "far.csv", [(900, 900)])
    (folder / "broken.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:2000])
    viewers.make_gaze(folder / "broken.csv", [(40, 40)])
    clips = [folder / f"{name}.mp4" for name in ("far", "broken", "clip")]
    outcome = command.run(capfd, "evaluate", *clips, "--report", folder / "out", *QUICK, "--crf", "30")
    assert outcome.status == 3
    stored = results_of(folder)
    assert [clip["name"] for clip in stored["clips"]] == ["clip"]
    assert {(one["clip"], one["what"]) for one in stored["failures"]} >= {("far", "weights"), ("broken", "prepare")}
    assert "failed: far weights: " in outcome.err and "Traceback" not in outcome.err
    assert len(stored["curves"]) == 2


def test_a_metric_that_fails_leaves_the_others(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STCODEC_FFMPEG", "/bin/false")
    outcome = evaluate(capfd, folder, "--crf", "30", "--metrics", "psnr,vmaf-neg,xpsnr")
    assert outcome.status == 3
    stored = results_of(folder)
    assert {one["what"] for one in stored["failures"]} == {"vmaf-neg", "xpsnr-whole"}
    assert {one["arm"] for one in stored["failures"]} == {"plain", "center"}
    assert stored["curves"][0]["results"]["psnr-whole"][0] > 20
    assert "vmaf-neg" not in stored["curves"][0]["results"]
    monkeypatch.delenv("STCODEC_FFMPEG")
    assert evaluate(capfd, folder, "--crf", "30", "--metrics", "psnr,vmaf-neg,xpsnr", "-y").status == 0
    assert results_of(folder)["curves"][0]["results"]["vmaf-neg"][0] > 1


def test_one_point_gives_a_table_and_no_bd_rate(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = evaluate(capfd, folder, "--crf", "30")
    assert outcome.status == 0
    rows = [row.split() for row in outcome.out.splitlines()]
    assert rows[0][:2] == ["crf", "kbit/s"]
    assert [row[:4] for row in rows[1:]] == [["clip", "libx264", arm, "30"] for arm in ("plain", "center")]
    assert "a curve needs 4 points or more, there are 1 CRFs" in outcome.err
    stored = results_of(folder)
    assert {one["bd_rate_percent"] for one in stored["savings"]} == {None}
    assert all("1 points: 4 are needed" in one["refused"] for one in stored["savings"])


def test_curves_without_overlap_give_no_bd_rate(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Offsets of +20 QP move the guided curve below the plain one."""
    outcome = evaluate(capfd, folder, "--crf", "16:22:2", "--anchor", "20", "--step-qp", "0")
    assert outcome.status == 0
    stored = results_of(folder)
    assert {one["bd_rate_percent"] for one in stored["savings"]} == {None}
    (whole,) = (one for one in stored["savings"] if one["metric"] == "psnr-whole")
    assert "overlap by 0%" in whole["refused"] and whole["overlap"] == 0
    assert re.search(r"^no BD-rate: ([^\n:]+, )?clip libx264 center psnr-whole[,:]", outcome.err, re.MULTILINE)
    assert "%" not in outcome.out


def test_too_short_for_gaze(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = "its last frame is at 0.200 s, and the first 0.3 s are not scored: use more frames"
    command.assert_one_line(evaluate(capfd, folder, "--frames", "6"), 1, words)


def test_weights_of_another_source_need_no_gaze(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "clip.csv").unlink()
    assert evaluate(capfd, folder, "--crf", "30", "--arms", "human", "--weights", "center").status == 2
    outcome = evaluate(capfd, folder, "--crf", "30", "--weights", "0.5*center+0.5*motion", "--arms", "motion")
    assert outcome.status == 0
    stored = results_of(folder)
    assert stored["clips"][0]["weights"] == "0.5*center+0.5*motion" and all(stored["clips"][0]["scored"])
    assert [one["arm"] for one in stored["curves"] if one["self_weighted"]] == ["center", "motion"]
    assert outcome.out.count("(self-weighted)") == 2


def test_texts_of_options() -> None:
    assert parse_crfs("22:38:4") == (22, 26, 30, 34, 38)
    assert parse_crfs("22,26.5") == (22, 26.5)
    assert parse_crfs("20:20.3:0.1") == pytest.approx((20, 20.1, 20.2, 20.3))
    assert [(arm.name, arm.source) for arm in parse_arms(["center", "a=map:x=y.mkv", "map:x=y.mkv", "human"])] == [
        ("plain", "none"),
        ("center", "center"),
        ("a", "map:x=y.mkv"),
        ("map:x=y.mkv", "map:x=y.mkv"),
        ("human", "human"),
    ]
    for text in ("", "22:38:4:1", "38:22:4", "22:38:-4", "nan", "1:inf:1"):
        with pytest.raises(OptionsError, match="crf"):
            parse_crfs(text)
