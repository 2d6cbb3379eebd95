"""`stcodec compare`: files of other encoders, paired by time, and files that can't be compared."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import command
import media
import numpy as np
import pytest
import viewers

import stcodec.evaluate as ev
from stcodec.errors import MediaError
from stcodec.evaluate.results import Evaluation

SIZE = (160, 96)
FRAMES = 12
PSNR = ev.CompareOptions(metrics=("psnr",), jobs=1)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return media.make_video(tmp_path_factory.mktemp("compare") / "reference.mp4", size=SIZE, frames=FRAMES)


@pytest.fixture(scope="module")
def files(reference: Path) -> dict[str, Path]:
    """The reference as other programs' files."""
    folder = reference.parent
    made = {name: folder / name for name in ("coarse.mp4", "fine.webm", "late.mkv", "deep.mkv", "dropped.mkv", "twice.mp4")}
    quick = ["-c:v", "libx264", "-preset", "ultrafast"]
    media.run_ffmpeg("-i", reference, *quick, "-crf", "36", made["coarse.mp4"])
    vp9 = ["-c:v", "libvpx-vp9", "-crf", "20", "-b:v", "0", "-deadline", "realtime", "-cpu-used", "8"]
    media.run_ffmpeg("-i", reference, *vp9, made["fine.webm"])
    media.run_ffmpeg("-i", made["coarse.mp4"], "-c", "copy", "-output_ts_offset", "1.72", made["late.mkv"])
    media.run_ffmpeg("-i", reference, *quick, "-crf", "20", "-pix_fmt", "yuv420p10le", made["deep.mkv"])
    media.run_ffmpeg("-i", reference, "-vf", "select=not(eq(n\\,7))", "-fps_mode", "vfr", *quick, made["dropped.mkv"])
    media.run_ffmpeg("-i", reference, "-vf", "fps=50", *quick, made["twice.mp4"])
    return made


def psnr_of(results: Evaluation, name: str, metric: str = "psnr-whole") -> float:
    value = next(one for one in results.curves if one.arm == name).points[0].scores[metric]
    assert value is not None
    return value


def test_files_of_any_encoder(reference: Path, files: dict[str, Path]) -> None:
    results = ev.compare(reference, [files["coarse.mp4"], files["fine.webm"]], options=PSNR)
    assert [arm.name for arm in results.arms] == ["coarse.mp4", "fine.webm"]
    assert results.failures == () and results.headline_metric == "psnr-whole"
    for name in ("coarse.mp4", "fine.webm"):
        pairs = zip(media.frames_of(reference), media.frames_of(files[name]), strict=True)
        error = np.mean([(one.astype(float) - other.astype(float)) ** 2 for one, other in pairs])
        assert psnr_of(results, name) == pytest.approx(10 * math.log10(255**2 / error), abs=1e-6)
        point = next(one for one in results.curves if one.arm == name).points[0]
        assert point.kbps == pytest.approx(point.video_bytes * 8 / 1000 / (FRAMES / 25), rel=0.01)
        assert point.video_bytes < files[name].stat().st_size
    assert "x264" in results.arms[0].description and "vp9" in results.arms[1].description


def test_an_offset_in_start_time_does_not_shift_the_pairs(reference: Path, files: dict[str, Path]) -> None:
    results = ev.compare(reference, [files["coarse.mp4"], files["late.mkv"]], options=PSNR)
    assert psnr_of(results, "late.mkv") == psnr_of(results, "coarse.mp4")


def test_a_first_frame_whose_time_was_rounded_the_other_way(reference: Path, files: dict[str, Path], tmp_path: Path) -> None:
    """Counted from the first frames, the sixth would be nearer to its neighbour's than to its own time."""
    rounded = tmp_path / "rounded.mkv"
    shift = "setts=ts='TS+if(eq(N,0),0.012,if(eq(N,5),-0.012,0))/TB'"
    media.run_ffmpeg("-i", files["coarse.mp4"], "-c", "copy", "-bsf:v", shift, rounded)
    results = ev.compare(reference, [files["coarse.mp4"], rounded], options=PSNR)
    assert psnr_of(results, "rounded.mkv") == psnr_of(results, "coarse.mp4")


def test_variable_rate(vfr_mp4: Path, tmp_path: Path) -> None:
    """Times that an encoder rounded to its own clock."""
    out = tmp_path / "out.mkv"
    coding = ["-fps_mode", "passthrough", "-enc_time_base", "1:500", "-c:v", "libx264", "-preset", "ultrafast"]
    media.run_ffmpeg("-i", vfr_mp4, *coding, out)
    results = ev.compare(vfr_mp4, [out], options=PSNR)
    assert psnr_of(results, "out.mkv") == pytest.approx(media.psnr_y(vfr_mp4, out), abs=1)


def test_more_bits_a_sample(reference: Path, files: dict[str, Path]) -> None:
    """8 bits against 10, whose peak is 1023."""
    results = ev.compare(reference, [files["deep.mkv"]], options=PSNR)
    pairs = zip(media.frames_of(reference), media.frames_of(files["deep.mkv"]), strict=True)
    error = np.mean([(4.0 * one.astype(float) - other.astype(float)) ** 2 for one, other in pairs])
    assert psnr_of(results, "deep.mkv") == pytest.approx(10 * math.log10(1023**2 / error), abs=1e-6)


def test_the_same_file_has_no_error(reference: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = ev.compare(reference, [reference], options=ev.CompareOptions(metrics=("psnr", "ssim", "vmaf"), jobs=1))
    point = results.curves[0].points[0]
    assert point.scores["psnr-whole"] is None  # infinite
    assert point.scores["ssim-whole"] == pytest.approx(1)
    assert (point.scores["vmaf-whole"] or 0) > 95
    assert results.failures == ()


def test_gaze_weights_the_scores(reference: Path, files: dict[str, Path], tmp_path: Path) -> None:
    """What was coded well in one place scores well where that place is looked at."""
    folder = reference.parent
    here = viewers.make_gaze(tmp_path / "here.csv", [(30, 40)])
    there = viewers.make_gaze(tmp_path / "there.csv", [(130, 40)])
    blurred = tmp_path / "blurred.mkv"
    right = "[0]crop=80:96:80:0,boxblur=4[b];[0][b]overlay=80:0"
    media.run_ffmpeg("-i", reference, "-filter_complex", right, "-c:v", "libx264", "-qp", "0", blurred)
    scores = {}
    for gaze in (here, there):
        options = ev.CompareOptions(gaze=gaze, metrics=("psnr",), jobs=1)
        results = ev.compare(folder / "reference.mp4", [blurred], options=options)
        assert results.clips[0].weights == "gaze"
        assert sum(results.clips[0].scored) == FRAMES - 8
        scores[gaze.stem] = psnr_of(results, "blurred.mkv", "psnr-attended")
    assert scores["here"] > scores["there"] + 20
    mask = ev.CompareOptions(weights="center", metrics=("psnr",), jobs=1)
    assert "center" in ev.compare(reference, [blurred], options=mask).notes[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dropped.mkv", r"has no frame at 0\.280 s \(1 of the reference's 12 are missing\)"),
        ("twice.mp4", r"has 12 frames that the reference has not.*(24 frames against 12)"),
    ],
)
def test_missing_and_extra_frames(reference: Path, files: dict[str, Path], name: str, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        ev.compare(reference, [files[name]], options=PSNR)


def test_other_rates(reference: Path, files: dict[str, Path], tmp_path: Path) -> None:
    slow = media.make_video(tmp_path / "slow.mp4", size=SIZE, frames=FRAMES, fps=Fraction(10))
    with pytest.raises(MediaError, match="has 10 frames a second, the reference 25"):
        ev.compare(reference, [slow], options=PSNR)
    with pytest.raises(MediaError, match="has 25 frames a second, the reference 50"):
        ev.compare(files["twice.mp4"], [reference], options=PSNR)


def test_shorter_and_longer(reference: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mkv"
    media.run_ffmpeg("-i", reference, "-c", "copy", "-frames:v", "9", short)
    with pytest.raises(MediaError, match=r"no frame at 0\.360, 0\.400, 0\.440 s \(3 of the reference's 12"):
        ev.compare(reference, [short], options=PSNR)
    with pytest.raises(MediaError, match=r"3 frames that the reference has not, the first at 0\.360 s"):
        ev.compare(short, [reference], options=PSNR)


def test_other_sizes_turns_and_ranges(reference: Path, tmp_path: Path) -> None:
    small = media.make_video(tmp_path / "small.mp4", size=(96, 64), frames=FRAMES)
    with pytest.raises(MediaError, match=r"has frames of 96x64 px, the reference of 160x96"):
        ev.compare(reference, [small], options=PSNR)
    turned = media.make_rotated_video(tmp_path / "turned.mp4", 90, size=SIZE, frames=FRAMES)
    with pytest.raises(MediaError, match="is turned by 90 degrees for display, the reference by 0"):
        ev.compare(reference, [turned], options=PSNR)
    full = tmp_path / "full.mp4"
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuvj420p"]
    media.run_ffmpeg("-i", reference, *coding, full)
    with pytest.raises(MediaError, match="has full range luma, the reference limited range"):
        ev.compare(reference, [full], options=PSNR)


def test_the_command(reference: Path, files: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("compare", reference, files["coarse.mp4"], files["late.mkv"], "--metrics", "psnr,xpsnr", "--jobs", "1")
    outcome = command.run(capfd, *arguments, "--report", tmp_path / "report")
    assert outcome.status == 0
    rows = [row.split() for row in outcome.out.splitlines()]
    assert rows[0] == ["kbit/s", "PSNR", "XPSNR"]
    assert [row[0] for row in rows[1:]] == ["coarse.mp4", "late.mkv"]
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"results.json", "results.csv", "report.html"}
    stored = json.loads((tmp_path / "report" / "results.json").read_text())
    assert stored["kind"] == "compare" and len(stored["curves"][0]["series"]["psnr-whole"][0]) == FRAMES
    outcome = command.run(capfd, *arguments, "--json")
    last = json.loads(outcome.out.splitlines()[-1])
    assert last["event"] == "results" and f"{last['curves'][0]['results']['psnr-whole'][0]:.2f}" == rows[1][2]


def test_one_of_several_files_fails(reference: Path, files: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("compare", reference, files["coarse.mp4"], files["dropped.mkv"], "--metrics", "psnr", "--jobs", "2")
    outcome = command.run(capfd, *arguments)
    assert outcome.status == 3
    assert "coarse.mp4" in outcome.out and "dropped.mkv" not in outcome.out
    assert "has no frame at 0.280 s" in outcome.err and "Traceback" not in outcome.err


def test_what_can_not_be_compared(reference: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    one, refused = ("compare", reference), command.assert_refused
    refused(capfd, tmp_path, 1, "no such file", *one, tmp_path / "missing.mp4")
    refused(capfd, tmp_path, 1, "not a media file that can be opened", *one, text)
    refused(
        capfd, tmp_path, 2, "psnr-attended needs to know where people look", *one, reference, "--metrics", "psnr-attended"
    )
    refused(capfd, tmp_path, 2, "'psrn' is no metric: choose from psnr, ssim", *one, reference, "--metrics", "psrn")
    refused(capfd, tmp_path, 2, "jobs is 0", *one, reference, "--jobs", "0")
    refused(capfd, tmp_path, 2, "is no source of attention", *one, reference, "--weights", "nonsense")
    refused(capfd, tmp_path, 1, "notes.txt: is a file; give a folder", *one, reference, "--report", text)
    refused(capfd, tmp_path, 2, "not allowed with", *one, reference, "--weights", "center", "--gaze", text)
    gaze = viewers.make_gaze(tmp_path / "far.csv", [(1700, 900)])
    refused(capfd, tmp_path, 1, "is it gaze for another video", *one, reference, "--gaze", gaze)
