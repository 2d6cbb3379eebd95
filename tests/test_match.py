"""A search finds the file that is as good where viewers look: measured on the files, without the code that searched."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import matching
import media
import numpy as np
import pytest
from command import run
from matching import CUT, FRAMES, decibels, frame_errors

import stcodec
from stcodec.matching import quality, search, shots
from stcodec.matching.quality import METRICS
from stcodec.matching.scan import scan
from stcodec.matching.trial_encodes import TrialEncodes
from stcodec.metrics.fidelity import pool
from stcodec.options import POLICIES, EncodeOptions, RunOptions
from stcodec.pipeline.encode import prepare
from stcodec.progress import Meter, Progress

ALL, FIRST, SECOND = slice(None), slice(0, CUT), slice(CUT, FRAMES)
STRONG: dict[str, Any] = {"policy": replace(POLICIES["strong"], anchor="attended")}
"""Offsets so large that what they do is seen on a short video."""
SETTINGS: dict[str, Any] = {"preset": "veryfast", "extra": {"threads": "1"}, **STRONG}
"""On one thread an encode gives the same bits every time."""
CRF = 30.0


@pytest.fixture(scope="module")
def video(videos: Path) -> Path:
    return matching.make_two_shots(videos / "two_shots.mkv")


@pytest.fixture(scope="module")
def picture(videos: Path) -> Path:
    return matching.make_map(videos / "left.png")


@pytest.fixture(scope="module")
def plain(video: Path, videos: Path) -> Path:
    stcodec.encode(video, videos / "plain.mp4", crf=CRF, attention="none", **SETTINGS)
    return videos / "plain.mp4"


@pytest.fixture(scope="module")
def matched(video: Path, picture: Path, videos: Path) -> tuple[Path, stcodec.EncodeReport]:
    out = videos / "matched.mp4"
    return out, stcodec.match(video, out, stcodec.MatchOptions(crf=CRF), attention=f"map:{picture}", **SETTINGS)


def found(report: stcodec.EncodeReport) -> stcodec.MatchReport:
    assert report.match is not None
    return report.match


def test_each_shot_is_as_good_as_the_plain_encode(
    video: Path, picture: Path, plain: Path, matched: tuple[Path, stcodec.EncodeReport]
) -> None:
    out, report = matched
    weight = matching.weights(picture)
    ours, theirs = frame_errors(video, out, weight), frame_errors(video, plain, weight)
    match = found(report)
    for part, tolerance in ((ALL, 0.1), (FIRST, 0.25), (SECOND, 0.25)):
        assert abs(decibels(ours[part]) - decibels(theirs[part])) <= tolerance
    assert match.reached == pytest.approx(decibels(ours), abs=1e-3)
    assert match.wanted == pytest.approx(decibels(theirs), abs=1e-3)
    assert match.within_tolerance
    for shot, part in zip(match.shots, (FIRST, SECOND), strict=True):
        assert shot.difference == pytest.approx(decibels(ours[part]) - decibels(theirs[part]), abs=1e-3)
    worst = [pool([decibels([one]) for one in errors]).percentile_5 for errors in (ours, theirs)]
    assert match.percentile_5 == pytest.approx(worst[0], abs=1e-3)
    assert match.percentile_5_difference == pytest.approx(worst[0] - worst[1], abs=2e-3)


def test_it_was_the_search_that_did_it(
    video: Path, picture: Path, plain: Path, matched: tuple[Path, stcodec.EncodeReport], tmp_path: Path
) -> None:
    """Without it the shots are off, and each by another amount."""
    one, two = found(matched[1]).shots
    assert abs(one.shift_qp - two.shift_qp) > 0.5
    stcodec.encode(video, tmp_path / "guided.mp4", crf=CRF, attention=f"map:{picture}", **SETTINGS)
    weight = matching.weights(picture)
    ours, theirs = frame_errors(video, tmp_path / "guided.mp4", weight), frame_errors(video, plain, weight)
    assert abs(decibels(ours) - decibels(theirs)) > 0.5


def test_cost_and_sizes(plain: Path, matched: tuple[Path, stcodec.EncodeReport]) -> None:
    _, report = matched
    match = found(report)
    packets = media.streams_of(plain)[0]["frames"]
    assert packets == FRAMES == match.frames_compared
    assert all(1 <= shot.encodes <= 4 for shot in match.shots)
    assert match.encodes <= 1 + sum(shot.encodes for shot in match.shots)
    assert match.cost_in_encodes == match.encoded_frames / FRAMES <= 5
    assert match.plain_bytes is not None
    # The encoder's headers lie outside of the packets in mp4.
    assert match.plain_bytes == pytest.approx(plain.stat().st_size, rel=0.2)
    assert match.saving_percent == pytest.approx(100 * (1 - report.video_bytes / match.plain_bytes))
    assert report.video_bytes < match.plain_bytes
    assert (match.target, match.metric, match.control, match.base_crf) == ("crf=30", "attended-psnr", "shots", CRF)


def test_value_of_attended_psnr(video: Path, picture: Path, tmp_path: Path) -> None:
    """A value far from the encoder's own quality: another base crf is found, and both shots get there."""
    out = tmp_path / "out.mkv"
    goal = stcodec.MatchOptions(value=38.0, metric="attended-psnr")
    match = found(stcodec.match(video, out, goal, attention=f"map:{picture}", **SETTINGS))
    errors = frame_errors(video, out, matching.weights(picture))
    assert abs(decibels(errors) - 38) <= 0.1
    assert max(abs(decibels(errors[FIRST]) - 38), abs(decibels(errors[SECOND]) - 38)) <= 0.2
    assert match.wanted == 38
    assert match.base_crf != 23
    assert match.plain_bytes is match.percentile_5_difference is None


def test_value_of_vmaf(video: Path, picture: Path, tmp_path: Path) -> None:
    """As ffmpeg's own filter measures it. So few blocks jump from one QP to the next together, by a point of VMAF."""
    out, log = tmp_path / "out.mkv", tmp_path / "vmaf.json"
    goal = stcodec.MatchOptions(value=85.0, metric="vmaf")
    match = found(stcodec.match(video, out, goal, attention=f"map:{picture}", **SETTINGS))
    paired = "settb=1/1000,setpts=PTS-STARTPTS"
    graph = f"[0:v]{paired}[a];[1:v]{paired}[b];[a][b]libvmaf=log_fmt=json:log_path={log}"
    media.run_ffmpeg("-i", out, "-i", video, "-lavfi", graph, "-f", "null", "-")
    measured = json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]
    assert match.reached == pytest.approx(measured, abs=1e-3)
    assert abs(measured - 85) <= 1.0
    assert match.within_tolerance == (abs(measured - 85) <= 0.3)


@pytest.mark.parametrize("metric", ["attended-vmaf", "attended-ssim", "foveated-psnr"])
def test_match_by_other_metrics(video: Path, picture: Path, tmp_path: Path, metric: str) -> None:
    goal = stcodec.MatchOptions(crf=CRF, metric=metric)
    match = found(stcodec.match(video, tmp_path / "out.mkv", goal, attention=f"map:{picture}", **SETTINGS))
    assert match.within_tolerance
    assert abs(match.difference) <= METRICS[metric].tolerance
    assert match.shots[0].shift_qp != match.shots[1].shift_qp


@pytest.mark.parametrize("display_height", [360, 640])
def test_foveated_errors_count_as_an_eye_sees_them(display_height: int) -> None:
    """All look at one cell on the left: an error counts by how sharply an eye three heights away sees its place."""
    width, height, columns, rows = 640, 360, 32, 18
    density = np.zeros((rows, columns), np.float32)
    density[9, 4] = 1
    y, x = np.mgrid[:rows, :columns] * height / rows
    apart = np.hypot(y - y[9, 4], x - x[9, 4])
    viewing = 3 * display_height
    cutoff = 2.3 * np.log(64) / (0.106 * (np.degrees(np.arctan(apart / viewing)) + 2.3))
    seen = np.minimum(1, cutoff / (np.pi * viewing / 360)) ** 2
    picture = quality.PictureFormat(width, height, "yuv420p", Fraction(25), display_height)
    reference = np.zeros((height, width), np.uint8)
    shares = []
    for half in (slice(0, width // 2), slice(width // 2, width)):
        distorted = reference.copy()
        distorted[:, half] = 51
        with METRICS["foveated-psnr"].scorer(picture) as scorer:
            scorer.push((reference,) * 3, (distorted,) * 3, density)
            shares.append(float(scorer.finish()[0]) / 0.04)
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert shares[1] == pytest.approx(seen[:, columns // 2 :].sum() / seen.sum(), abs=0.01)
    assert shares[1] < 0.4


def test_one_crf_where_frames_cannot_be_shifted(video: Path, picture: Path, tmp_path: Path) -> None:
    out, plain = tmp_path / "out.webm", tmp_path / "plain.webm"
    vp9: dict[str, Any] = {"encoder": "libvpx-vp9", "preset": "5", **STRONG}
    goal = stcodec.MatchOptions(crf=40)
    match = found(stcodec.match(video, out, goal, attention=f"map:{picture}", **vp9))
    stcodec.encode(video, plain, crf=40, attention="none", **vp9)
    weight = matching.weights(picture)
    difference = decibels(frame_errors(video, out, weight)) - decibels(frame_errors(video, plain, weight))
    assert match.control == "file"
    assert match.base_crf == round(match.base_crf) != 40
    assert {shot.shift_qp for shot in match.shots} == {0.0}
    assert match.difference == pytest.approx(difference, abs=0.05)
    assert abs(difference) <= 0.3  # a whole step of its crf is about 0.25 dB


def test_a_miss_is_corrected(
    monkeypatch: pytest.MonkeyPatch, video: Path, picture: Path, plain: Path, tmp_path: Path
) -> None:
    """What the samples led to is 2 QP off: the finished file shows it, and is encoded once more."""
    right = search.Search.best
    monkeypatch.setattr(search.Search, "best", lambda self: [qp + 2 for qp in right(self)])
    out = tmp_path / "out.mkv"
    match = found(stcodec.match(video, out, stcodec.MatchOptions(crf=CRF), attention=f"map:{picture}", **SETTINGS))
    assert match.misses[0] < -0.5
    weight = matching.weights(picture)
    assert abs(decibels(frame_errors(video, out, weight)) - decibels(frame_errors(video, plain, weight))) <= 0.1
    assert match.within_tolerance


def test_turned_video(videos: Path, picture: Path, rotated_mp4: Path, tmp_path: Path) -> None:
    """The map is of the frame as it is shown, errors are of the frame as it is coded."""
    tall = tmp_path / "tall.png"
    shown = np.full((24, 14), 20, np.uint8)
    shown[2:8, 2:12] = 255
    cv2.imwrite(str(tall), shown)
    out = tmp_path / "out.mp4"
    match = found(stcodec.match(rotated_mp4, out, stcodec.MatchOptions(crf=34), attention=f"map:{tall}", **SETTINGS))
    errors = frame_errors(rotated_mp4, out, matching.weights(tall, (320, 180), turns=1))
    assert match.reached == pytest.approx(decibels(errors), abs=1e-3)


def test_times_of_any_kind(monkeypatch: pytest.MonkeyPatch, vfr_mkv: Path, bframes_avi: Path, tmp_path: Path) -> None:
    """A first frame at 1.4 s and uneven steps; a container without times of its own; in samples."""
    monkeypatch.setattr(shots, "WHOLE_VIDEO_SECONDS", 0.0)
    monkeypatch.setattr(shots, "WHOLE_SHOT_SECONDS", 0.0)
    monkeypatch.setattr(shots, "HEAD_SECONDS", 0.4)
    weight = np.outer(*(np.ones(side) for side in (180, 320))) / (180 * 320)
    for source in (vfr_mkv, bframes_avi):
        out = tmp_path / f"{source.stem}.mkv"
        goal = stcodec.MatchOptions(crf=34, metric="psnr")
        match = found(stcodec.match(source, out, goal, attention="center", **SETTINGS))
        assert match.frames_compared == sum(shot.frames for shot in match.shots)
        assert match.shots[0].frames_tried < match.shots[0].frames
        assert match.reached == pytest.approx(decibels(frame_errors(source, out, weight)), abs=1e-3)


@pytest.fixture(scope="module")
def long_video(video: Path, videos: Path) -> Path:
    """Four shots of 5.4 s, alike by twos, at 5 frames a second: too long to be tried whole."""
    out = videos / "long_shots.mkv"
    slowed = "setpts=N/5/TB,fps=5,scale=128:72,trim=end_frame=108"
    media.run_ffmpeg(
        "-stream_loop", "1", "-i", video, "-vf", slowed, "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", out
    )
    return out


def test_a_long_video_is_tried_in_samples(video: Path, picture: Path, long_video: Path, tmp_path: Path) -> None:
    frames = len(media.frames_of(long_video))
    out, plain = tmp_path / "out.mkv", tmp_path / "plain.mkv"
    goal = stcodec.MatchOptions(crf=CRF, verify="full")
    match = found(stcodec.match(long_video, out, goal, attention=f"map:{picture}", **SETTINGS))
    stcodec.encode(long_video, plain, crf=CRF, attention="none", **SETTINGS)
    weight = matching.weights(picture, (128, 72))
    difference = decibels(frame_errors(long_video, out, weight)) - decibels(frame_errors(long_video, plain, weight))
    assert abs(difference) <= 0.1
    assert match.difference == pytest.approx(difference, abs=1e-3)
    assert len(match.shots) == 4
    assert sum(shot.frames_tried for shot in match.shots) < 0.7 * frames
    assert match.frames_compared == frames
    assert match.plain_bytes is not None


def test_parts_of_a_long_video_are_compared(
    monkeypatch: pytest.MonkeyPatch, picture: Path, long_video: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(shots, "LEAST_COMPARED_SECONDS", 6.0)
    goal = stcodec.MatchOptions(crf=CRF, tolerance=0.3)  # so few blocks jump from one QP to the next together
    match = found(stcodec.match(long_video, tmp_path / "out.mkv", goal, attention=f"map:{picture}", **SETTINGS))
    assert match.frames_compared < sum(shot.frames for shot in match.shots)
    assert match.plain_bytes is match.saving_percent is None
    compared = [shot for shot in match.shots if shot.difference is not None]
    assert 0 < len(compared) < len(match.shots)
    assert match.within_tolerance


def test_no_point_is_encoded_twice(video: Path, picture: Path, tmp_path: Path) -> None:
    options = EncodeOptions(crf=CRF, attention=f"map:{picture}", **SETTINGS)
    job = prepare(video, tmp_path / "out.mkv", options, RunOptions())
    with job.reader:
        meter = Meter(None, job.reader.info)
        seen = scan(job, tmp_path, meter)
        trials = TrialEncodes(job, seen, METRICS["attended-psnr"], meter)
        samples = shots.all_samples(seen.shots)
        first = trials.guided("search 1", job.plan, samples, dict.fromkeys(samples, 1.0))
        spent = replace(trials.cost)
        again = trials.guided("search 2", job.plan, samples, dict.fromkeys(samples, 1.0))
        assert trials.cost == spent
        assert all(np.array_equal(first[one].values, again[one].values) for one in samples)
        trials.guided("search 3", job.plan, samples, {samples[0]: 1.0, samples[1]: 2.0})
        assert trials.cost.encodes == spent.encodes + 1


def test_command_and_its_progress(capfd: pytest.CaptureFixture[str], video: Path, picture: Path, tmp_path: Path) -> None:
    words: list[str | Path] = ["encode", video, tmp_path / "a.mp4", "--attention", f"map:{picture}", "--preset", "veryfast"]
    done = run(capfd, *words, "--match-crf", "30", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 0
    assert lines[-1]["match"]["within_tolerance"] is True
    assert lines[-1]["match"]["shots"][1]["start_seconds"] == pytest.approx(CUT / 25, abs=1e-3)
    done = run(capfd, *words, "-y", "--target", "attended-psnr=34")
    assert "matched attended-psnr=34: attended-psnr 3" in done.err
    assert re.search(r"; farthest shot [+-]0\.\d+; 5th percentile of frames 3\d\.\d+ dB", done.err)
    assert "searched: 2 shots at crf" in done.err


def test_stages_are_told(monkeypatch: pytest.MonkeyPatch, video: Path, picture: Path, tmp_path: Path) -> None:
    monkeypatch.setattr("stcodec.progress._INTERVAL_SECONDS", 0.0)
    told: list[Progress] = []
    goal = stcodec.MatchOptions(crf=CRF)
    stcodec.match(video, tmp_path / "a.mkv", goal, attention=f"map:{picture}", progress=told.append, **SETTINGS)
    stages = list(dict.fromkeys(one.stage for one in told))
    assert stages[:3] == ["shots", "plain", "search 1"]
    assert stages[-3:] == ["encode", "verify", "compare"]
    assert all(one.total is None or one.done <= one.total for one in told)
    said = {(one.stage, one.what) for one in told}
    assert {
        ("plain", "the quality to reach"),
        ("search 1", "trial 1 of at most 6"),
        ("compare", "the file's quality"),
    } <= said


def test_plan_of_a_dry_run(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    done = run(capfd, "encode", video, tmp_path / "a.mp4", "--target", "attended-vmaf=93", "--dry-run", "--json")
    plan = json.loads(done.out)["match"]
    assert (plan["target"], plan["control"], plan["first_crf"]) == ("attended-vmaf=93", "shots", 23)
    assert (plan["tolerance"], plan["lowest_qp"], plan["highest_qp"]) == (0.3, -13, 22)
    assert list(tmp_path.iterdir()) == []


def test_find_shots_merges_what_is_short() -> None:
    times = [float(Fraction(number, 10)) for number in range(400)]
    found = shots.find_shots(times, [0, 5, 100, 104, 130, 395])
    assert [(shot.frames.first, shot.frames.end) for shot in found] == [(0, 100), (100, 130), (130, 400)]
    assert [len(shot.samples) for shot in found] == [2, 1, 4]
    for shot in found:
        assert shot.samples[0].first == shot.frames.first
        assert all(shot.frames.first <= one.first < one.end <= shot.frames.end for one in shot.samples)
        assert all(before.end <= after.first for before, after in zip(shot.samples, shot.samples[1:], strict=False))
