"""`stcodec batch --ladder`: renditions whose key frames agree, as HLS and DASH that players can read."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import av
import command
import media
import numpy as np
import pytest
from batches import jobs, make_folder, readers_of, start, wait_until
from command import run
from hypothesis import given, strategies as some

from stcodec.batch.ladder import LadderRendition
from stcodec.batch.ladder_choice import (
    GOOD_ENOUGH_DB,
    MOST_RENDITIONS,
    SPACING,
    TOO_BAD_DB,
    LadderTrial,
    choose_renditions,
    hull,
)
from stcodec.errors import VerifyError
from stcodec.media.package import key_times, write_package

Capture = pytest.CaptureFixture[str]
SIZE, FRAMES = (160, 96), 125
LONG = 300
"""Frames of a video whose encodes go on until a second process is up."""
DASH = "{urn:mpeg:dash:schema:mpd:2011}"


@pytest.fixture(scope="module")
def source(videos: Path) -> Path:
    """Five seconds with two tracks of sound, in a folder of its own."""
    (videos / "ladder").mkdir()
    media.make_rich_video(videos / "ladder" / "a video.mp4", seconds=FRAMES / 25, size=SIZE)
    return videos / "ladder"


@pytest.mark.parametrize(("encoder", "attention"), [("libx264", "motion"), ("libx265", "none")])
def test_a_ladder(capfd: Capture, tmp_path: Path, source: Path, encoder: str, attention: str) -> None:
    output = tmp_path / "out"
    ladder = ("--ladder", "1080p@5M,96p@120k,64p@40k", "--encoder", encoder, "--preset", "veryfast")
    arguments = ("batch", source, output, *ladder)
    done = run(capfd, *arguments, "--attention", attention, "--jobs", "1")
    assert done.status == 0, done
    package = output / "a video"
    assert {path.name for path in output.iterdir()} == {"a video", ".stcodec-batch"}
    master = (package / "master.m3u8").read_text()
    assert re.findall(r"RESOLUTION=(\d+x\d+)", master) == ["160x96", "106x64"]  # 1080p would be an enlargement
    originals = [frame[::1] for frame in media.frames_of(source / "a video.mp4")]
    sizes = []
    for number in (0, 1):
        playlist = package / f"media_{number}.m3u8"
        with av.open(str(playlist)) as container:
            frames = list(container.decode(video=0))
        sizes.append(sum(path.stat().st_size for path in package.glob(f"chunk-stream{number}-*")))
        assert len(frames) == FRAMES
        seconds = [frame.time for frame in frames]
        assert np.allclose(np.diff(seconds), 1 / 25, atol=0.002)
        assert [round(frame.time - seconds[0], 2) for frame in frames if frame.key_frame] == [0.0, 4.0]
        assert [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", playlist.read_text())] == pytest.approx([4, 1])
        if number == 0:
            quality = [media.psnr(one, media.luma_of(two)) for one, two in zip(originals, frames, strict=True)]
            assert np.mean(quality) > 30
    assert 1.5 < sizes[0] / sizes[1] < 5
    shown = ElementTree.parse(package / "manifest.mpd").getroot()
    found = {(one.get("width"), one.get("height")) for one in shown.iter(f"{DASH}Representation") if one.get("width")}
    assert found == {("160", "96"), ("106", "64")}
    assert len(list(shown.iter(f"{DASH}AdaptationSet"))) == 2
    said = media.run_ffmpeg("-i", package / "manifest.mpd", "-map", "0:v:1", "-map", "0:a", "-f", "null", "-")
    assert re.findall(r"frame= *(\d+)", said)[-1] == str(FRAMES)
    with av.open(str(package / "media_2.m3u8")) as container:
        sound = sum(frame.samples for frame in container.decode(audio=0))
    assert sound / 48_000 == pytest.approx(FRAMES / 25, abs=0.1)
    job = jobs(output)["a video"]
    assert (job["state"], job["frames"], job["maps_were_kept"]) == ("done", FRAMES, 0)
    assert "only the first audio track" in job["notes"]
    maps = list((output / ".stcodec-batch" / "maps").iterdir()) if attention != "none" else []
    assert len(maps) == (attention != "none")  # one look for both renditions
    before = command.snapshot(package)
    assert run(capfd, *arguments, "--attention", attention, "-q").status == 0
    assert command.snapshot(package) == before
    if encoder == "libx264":
        next(package.glob("chunk-stream0-*")).unlink()
        done = run(capfd, *arguments, "--attention", attention)
        assert done.status == 3 and "the finished file was changed since it was made" in done.out
        assert run(capfd, *arguments, "--attention", attention, "-y", "-q").status == 0
        assert command.snapshot(package).keys() == before.keys()


def test_renditions_are_made_side_by_side_and_kept_when_a_run_is_killed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    video = media.make_video(tmp_path / "in" / "a.mp4", size=(320, 180), frames=LONG)
    arguments = (
        "in",
        "out",
        "--attention",
        "motion",
        "--preset",
        "slower",
        "--ladder",
        "180p@300k,90p@80k",
        "--jobs",
        "2",
    )
    parts, maps = (tmp_path / "out" / ".stcodec-batch" / name for name in ("parts", "maps"))
    with start(tmp_path, *arguments) as process:
        wait_until(process, lambda: list(maps.glob("*.mkv")))
        wait_until(process, lambda: len(readers_of(video)) == 2)
        wait_until(process, lambda: list(parts.glob("*.mp4")))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
    (made,) = parts.glob("*.mp4")  # the small one; the other was not through
    made.write_bytes(made.read_bytes() + b"\0\0\0\x08free")  # to know it again
    before = next(maps.iterdir()).stat().st_mtime_ns
    with start(tmp_path, *arguments) as process:
        sizes = set[int]()
        while process.poll() is None:
            with suppress(FileNotFoundError):
                sizes.add(made.stat().st_size)
            time.sleep(0.01)
        assert process.returncode == 0
    assert len(sizes) == 1 and next(maps.iterdir()).stat().st_mtime_ns == before and not list(parts.glob("*"))
    for number in (0, 1):
        with av.open(str(tmp_path / "out" / "a" / f"media_{number}.m3u8")) as container:
            assert sum(1 for _ in container.decode(video=0)) == LONG


def test_a_ladder_that_suits_the_video(capfd: Capture, tmp_path: Path, ride: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(ride, tmp_path / "in" / "a.mp4")
    output = tmp_path / "out"
    arguments = ("batch", tmp_path / "in", output, "--ladder", "auto", "--attention", "center", "--preset", "ultrafast")
    assert run(capfd, *arguments, "--jobs", "2", "-q").status == 0
    (curve,) = (output / ".stcodec-batch" / "curves").iterdir()
    trials = [LadderTrial(**one) for one in json.loads(curve.read_text())]
    assert {one.lines for one in trials} == {272, 216, 144} and len(trials) == 9
    by_size = [sorted((one.kbps, one.quality_db) for one in trials if one.lines == lines) for lines in (272, 216, 144)]
    for tried in by_size:
        assert tried == sorted(tried, key=lambda one: one[1])
    assert by_size[0][-1][1] > by_size[1][-1][1] > by_size[2][-1][1] > 20
    renditions = choose_renditions(trials, ride.stat().st_size * 8 / 1000 / (media.RIDE_FRAMES / 25))
    assert f"ladder: {', '.join(one.name for one in renditions)}" in jobs(output)["a"]["notes"]
    master = (output / "a" / "master.m3u8").read_text()
    assert re.findall(r"RESOLUTION=\d+x(\d+)", master) == [str(one.lines) for one in renditions] and len(renditions) > 1
    before = curve.stat().st_mtime_ns
    shutil.rmtree(output / "a")
    assert run(capfd, *arguments, "-q").status == 0
    again = (output / "a" / "master.m3u8").read_text()
    assert curve.stat().st_mtime_ns == before and re.findall(r"RESOLUTION=\d+x(\d+)", again) == [
        str(r.lines) for r in renditions
    ]


def test_a_ladder_of_a_video_of_a_few_frames(capfd: Capture, tmp_path: Path) -> None:
    make_folder(tmp_path / "in", "a.mp4")
    arguments = ("batch", tmp_path / "in", tmp_path / "out", "--ladder", "auto", "--attention", "center", "--jobs", "1")
    done = run(capfd, *arguments, "--preset", "veryfast")
    assert done.status == 0, done
    assert len(media.frames_of(tmp_path / "out" / "a" / "media_0.m3u8")) == 8


TRIALS = some.lists(
    some.builds(LadderTrial, some.sampled_from((1080, 720, 360)), some.floats(20, 20_000), some.floats(10, 60)),
    min_size=3,
    max_size=9,
    unique_by=lambda one: one.kbps,
)


@given(TRIALS, some.floats(50, 30_000))
def test_renditions_fall_evenly(trials: list[LadderTrial], most_kbps: float) -> None:
    outline = hull(trials)
    assert outline[-1].quality_db == max(one.quality_db for one in trials)
    renditions = choose_renditions(trials, most_kbps)
    assert 1 <= len(renditions) <= MOST_RENDITIONS
    assert renditions[0].kbps <= max(64, 1.06 * min(most_kbps, outline[-1].kbps))
    assert all(one.lines >= other.lines for one, other in pairwise(renditions))
    assert all(one.kbps / other.kbps == pytest.approx(SPACING, rel=0.12) for one, other in pairwise(renditions))


def test_the_size_of_each_rendition_is_the_best_at_its_bitrate() -> None:
    lines_of = {1080: (500, 30, 4.0), 720: (250, 31, 2.5), 360: (60, 28, 2.0)}  # from a bitrate on, so many dB an octave
    trials = [
        LadderTrial(lines, kbps * 4**step, quality + 2 * slope * step)
        for lines, (kbps, quality, slope) in lines_of.items()
        for step in range(3)
    ]

    def quality_db(lines: int, kbps: float) -> float:
        start, quality, slope = lines_of[lines]
        return quality + slope * math.log2(kbps / start)

    renditions = choose_renditions(trials, 50_000)
    assert [rendition.lines for rendition in renditions] == [1080, 1080, 720, 360, 360, 360]
    for rendition in renditions[:5]:
        assert rendition.lines == max(lines_of, key=lambda lines: quality_db(lines, rendition.kbps))
    assert abs(quality_db(1080, renditions[0].kbps) - GOOD_ENOUGH_DB) < 2 and renditions[0].kbps < 8000
    assert choose_renditions(trials, 1000)[0] == LadderRendition(360, 1000)
    assert len(choose_renditions([LadderTrial(360, 60, TOO_BAD_DB), LadderTrial(360, 200, TOO_BAD_DB + 2)], 60)) == 1


def test_key_frames_that_disagree_are_refused(tmp_path: Path, videos: Path) -> None:
    one = media.make_video(tmp_path / "one.mp4", frames=20, size=(64, 48), options={"preset": "ultrafast", "g": "5"})
    other = media.make_video(tmp_path / "other.mp4", frames=20, size=(64, 48), options={"preset": "ultrafast", "g": "10"})
    assert key_times(one) == [0, 200, 400, 600]
    with pytest.raises(VerifyError, match="key frames of the renditions do not agree"):
        write_package([one, other], one, tmp_path, 4.0)


def test_files_of_any_name_are_packaged(tmp_path: Path, videos: Path) -> None:
    name = os.fsdecode(b"-i $(id) 'a';[0:v] %d \\ \xff.mp4")
    video = media.make_video(videos / "plain.mp4", frames=20, size=(64, 48), options={"preset": "ultrafast", "g": "5"})
    video.rename(tmp_path / name)
    folder = tmp_path / "package"
    folder.mkdir()
    assert write_package([tmp_path / name], tmp_path / name, folder, 0.4) == []
    assert {"master.m3u8", "manifest.mpd", "media_0.m3u8"} <= {one.name for one in folder.iterdir()}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--ladder", "1080"), "--ladder '1080': write auto, or LINESp@RATE"),
        (("--ladder", "96p@1M,96p@1000k"), "a rendition is given twice"),
        (("--ladder", "97p@1M"), "97p@1000k: allowed are even numbers of lines from 64 to 8192"),
        (("--ladder", "96p@1k"), "96p@1k: allowed are rates from 10k"),
        (("--ladder", "auto", "--attention", "none"), "auto goes by the quality where viewers look"),
        (("--ladder", "auto", "--match-crf", "20"), "leave --match-crf and --target out"),
        (("--ladder", "96p@1M", "--crf", "20"), "leave --crf, --bitrate and --keyint out"),
        (("--ladder", "96p@1M", "--encoder", "libvpx-vp9"), "libvpx-vp9 was given"),
    ],
)
def test_refused(capfd: Capture, tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    command.assert_refused(capfd, tmp_path, 2, words, "batch", tmp_path, tmp_path / "out", *flags)
