"""Times of inputs whose clock wraps, steps back or jumps, and frames that are shown for long: what a player would show."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path

import av
import boxes
import media
import pytest
from command import run

import stcodec
from stcodec import MatchOptions
from stcodec.media.decode import VideoReader
from stcodec.media.packets import shown_times
from stcodec.media.seek import frames_from

FRAMES = 50
"""Of a recording: 2 s at 25 frames a second."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of sound and B-frames as MPEG-TS that begin at several times of the clock, with and without sound."""
    folder = tmp_path_factory.mktemp("recordings")
    lines = "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i sine=d=2:r=48000 -c:v libx264 -bf 2 -g 25 -preset veryfast"
    media.run_ffmpeg(*lines.split(), "-c:a", "aac", folder / "base.mp4")
    for name, options in {
        "a": "",
        "silent": "-an",
        "near": "-an -output_ts_offset 1.9",
        "hour": "-output_ts_offset 3600",
        "wrap": "-output_ts_offset 95442.7 -muxdelay 0",
    }.items():
        media.run_ffmpeg("-i", folder / "base.mp4", "-c", "copy", *options.split(), folder / f"{name}.ts")
    return folder


def joined(folder: Path, name: str, *parts: str) -> Path:
    path = folder / name
    path.write_bytes(b"".join((folder / part).read_bytes() for part in parts))
    return path


def shown(path: Path) -> tuple[list[float], list[float]]:
    """The times at which frames and sound are shown, by PyAV without any of our repairs."""
    with av.open(str(path)) as container:
        frames = [frame.time for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = [float(packet.pts * packet.time_base) for packet in container.demux(audio=0) if packet.pts is not None]
    return frames, sound


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["wrap.ts"], ""),
        (["a.ts", "a.ts"], "goes back once"),
        (["a.ts", "a.ts", "a.ts"], "goes back 2 times"),
        (["a.ts", "hour.ts"], "jumps ahead by 35"),
        (["hour.ts", "a.ts"], "goes back once"),
        (["a.ts", "wrap.ts"], "goes back"),
    ],
)
def test_joined_recordings_are_one(recordings: Path, tmp_path: Path, parts: list[str], said: str, suffix: str) -> None:
    source = joined(recordings, "joined.ts", *parts)
    report = stcodec.encode(source, tmp_path / f"out.{suffix}", attention="none", preset="ultrafast")
    frames, sound = shown(tmp_path / f"out.{suffix}")
    assert len(frames) == FRAMES * len(parts) and frames[0] >= 0
    steps = [b - a for a, b in pairwise(frames)]
    assert min(steps) > 0.03 and max(steps) < 0.06
    assert sound[-1] - sound[0] == pytest.approx(2 * len(parts), abs=0.06)
    assert abs(sound[0] - frames[0]) < 0.05 and abs(sound[-1] - frames[-1]) < 0.06, "sound and picture stay together"
    assert said in " ".join(report.messages)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_clock_that_runs_for_an_hour_does_not_delay_the_beginning(recordings: Path, tmp_path: Path, suffix: str) -> None:
    """Nor does the start that is asked for count from where the clock began."""
    stcodec.encode(recordings / "hour.ts", tmp_path / f"out.{suffix}", attention="none", preset="ultrafast")
    frames, sound = shown(tmp_path / f"out.{suffix}")
    assert len(frames) == FRAMES and 0 <= frames[0] < 0.05 and abs(sound[0]) < 0.05
    options = stcodec.EncodeOptions(attention="none", preset="ultrafast")
    report = stcodec.encode(
        recordings / "hour.ts", tmp_path / f"cut.{suffix}", start_seconds=0.5, end_seconds=1.5, options=options
    )
    frames, sound = shown(tmp_path / f"cut.{suffix}")
    assert report.frames == len(frames) == 25 and 0 <= frames[0] < 0.05 and abs(sound[0] - frames[0]) < 0.05


def test_parts_that_overlap_by_less_than_a_frame(recordings: Path, tmp_path: Path) -> None:
    source = joined(recordings, "overlap.ts", "silent.ts", "near.ts")
    stcodec.encode(source, tmp_path / "out.mp4", attention="none", preset="ultrafast")
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) == 2 * FRAMES and times[-1] - times[0] == pytest.approx(4 - 0.04, abs=1e-3)


@pytest.mark.parametrize("parts", [["a.ts"], ["wrap.ts"], ["a.ts", "a.ts"], ["a.ts", "hour.ts"], ["silent.ts", "near.ts"]])
def test_a_second_read_gives_the_same_times(recordings: Path, parts: list[str]) -> None:
    source = joined(recordings, "again.ts", *parts)
    with VideoReader(source) as reader:
        times = [frame.time for frame in reader.frames()]
    for index in (0, 1, 24, 25, 49, len(times) // 2, len(times) - 1):
        with closing(frames_from(source, times[index])) as frames:
            assert [frame.time for frame in frames] == times[index:]


@pytest.mark.parametrize("parts", [["a.ts", "a.ts"], ["a.ts", "hour.ts"]])
def test_maps_of_joined_recordings_guide_them(
    recordings: Path, tmp_path: Path, parts: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Their container can't say how long they last: neither of the two is taken for another video's."""
    source, maps, out = joined(recordings, "maps.ts", *parts), tmp_path / "maps.mkv", tmp_path / "out.mkv"
    assert run(capfd, "maps", source, maps, "--attention", "motion").status == 0
    with av.open(str(maps)) as container:
        assert container.duration == pytest.approx(4e6, abs=1e5)
    done = run(capfd, "encode", source, out, "--attention", f"map:{maps}", "--preset", "ultrafast")
    assert done.status == 0, done.err
    assert "applied" in run(capfd, "verify", out, "--map", maps).out
    done = run(capfd, "encode", recordings / "a.ts", tmp_path / "no.mkv", "--attention", f"map:{maps}")
    assert (done.status, (tmp_path / "no.mkv").exists()) == (1, False)
    assert "belong to another video" in done.err


@pytest.mark.parametrize("target", ["14", "24"])
def test_a_search_reads_the_same_frames(recordings: Path, tmp_path: Path, target: str) -> None:
    source = joined(recordings, "search.ts", "silent.ts", "silent.ts")
    report = stcodec.match(
        source, tmp_path / "out.mp4", MatchOptions(crf=float(target)), attention="center", preset="ultrafast"
    )
    assert report.frames == 2 * FRAMES


def test_the_last_frame_stands_as_long_as_it_did(tmp_path: Path) -> None:
    source = tmp_path / "in.gif"
    still = "-f lavfi -i testsrc2=s=160x96:r=10:d=1 -final_delay 500"
    media.run_ffmpeg(*still.split(), source)
    for suffix in ("mp4", "mov", "mkv"):
        out = tmp_path / f"out.{suffix}"
        report = stcodec.encode(source, out, attention="center", preset="medium")
        with av.open(str(out)) as container:
            assert container.duration == pytest.approx(5.9e6, abs=2e3)
        assert report.checks is not None and report.checks.duration_file_seconds == pytest.approx(5.9, abs=2e-3)
    report = stcodec.encode(source, tmp_path / "out.ts", attention="none", preset="ultrafast")
    assert "should stand for 5.00 s" in " ".join(report.messages)


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9"])
def test_slides_stand_as_long_as_they_did(tmp_path: Path, encoder: str) -> None:
    video = tmp_path / "slides.mkv"
    line = "-f lavfi -i testsrc2=s=160x96:r=1:d=3 -vf setpts='if(eq(N,0),0,if(eq(N,1),3,7))/TB' -fps_mode vfr"
    media.run_ffmpeg(*line.split(), "-c:v", "libx264", "-preset", "ultrafast", video)
    with VideoReader(video) as reader:
        wanted = [frame.time for frame in reader.frames()]
    out = tmp_path / ("out.webm" if encoder == "libvpx-vp9" else "out.mp4")
    stcodec.encode(video, out, encoder=encoder, attention="none")
    with av.open(str(out)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx(wanted, abs=2e-3)
    with av.open(str(video)) as before, av.open(str(out)) as after:
        assert after.duration == pytest.approx(before.duration, abs=5e4)


def test_a_recording_that_pauses_is_kept_and_said(recordings: Path, tmp_path: Path) -> None:
    media.run_ffmpeg("-i", recordings / "base.mp4", "-c", "copy", "-output_ts_offset", "8", recordings / "late.ts")
    source = joined(recordings, "pause.ts", "a.ts", "late.ts")
    report = stcodec.encode(source, tmp_path / "out.mkv", attention="none", preset="ultrafast")
    frames, _ = shown(tmp_path / "out.mkv")
    assert len(frames) == 2 * FRAMES and max(b - a for a, b in pairwise(frames)) > 5
    assert "jumps ahead by 5.9 s" in " ".join(report.messages)


def test_a_beginning_without_times_is_counted_back(recordings: Path, tmp_path: Path) -> None:
    """Matroska before 0: the first frames have no time, and the sound says where they belong."""
    source = tmp_path / "before.mkv"
    early = "-c copy -output_ts_offset -1.5 -avoid_negative_ts disabled"
    media.run_ffmpeg("-i", recordings / "base.mp4", *early.split(), source)
    stcodec.encode(source, tmp_path / "out.mkv", attention="none", preset="ultrafast")
    frames, sound = shown(tmp_path / "out.mkv")
    assert len(frames) == FRAMES and frames[0] >= 0
    assert abs(sound[0] - frames[0]) < 0.05 and abs(sound[-1] - frames[-1]) < 0.06
    with VideoReader(source) as reader:
        times = [frame.time for frame in reader.frames()]
    for index in (30, 45):
        with closing(frames_from(source, times[index])) as again:
            assert [frame.time for frame in again] == times[index:]


def test_a_part_that_is_not_read_is_said(recordings: Path, tmp_path: Path) -> None:
    media.run_ffmpeg("-i", recordings / "base.mp4", "-c:v", "flv1", "-b:v", "2M", "-c:a", "copy", tmp_path / "one.flv")
    twice = tmp_path / "twice.flv"
    twice.write_bytes(2 * (tmp_path / "one.flv").read_bytes())
    report = stcodec.encode(twice, tmp_path / "out.mkv", attention="none", preset="ultrafast")
    assert report.frames == 2 * FRAMES or "are left out" in " ".join(report.messages)
    report = stcodec.encode(tmp_path / "one.flv", tmp_path / "one.mkv", attention="none", preset="ultrafast")
    assert "left out" not in " ".join(report.messages)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize(
    "edits",
    [
        [(0.6, 1.2)],
        [(0.6, 0.0), (0.6, 1.2)],
        [(0.6, 0.4), (0.6, 0.4)],
        [(0.2, None), (0.4, 0.0), (0.6, None), (0.4, 0.4)],
    ],
)
def test_an_edited_video_is_what_its_edit_list_shows(
    recordings: Path, tmp_path: Path, edits: list[tuple[float, float | None]], suffix: str
) -> None:
    """Trimmed, cut together, the same twice, with a pause: the picture, and the sound with it."""
    source = boxes.edit(recordings / "base.mp4", tmp_path / "source.mp4", edits)
    with av.open(str(source)) as container:
        wanted = [frame.time for frame in container.decode(video=0)]
    report = stcodec.encode(source, tmp_path / f"out.{suffix}", attention="none", preset="ultrafast")
    frames, sound = shown(tmp_path / f"out.{suffix}")
    assert len(wanted) > 10 and [one - frames[0] for one in frames] == pytest.approx(
        [one - wanted[0] for one in wanted], abs=2e-3
    )
    assert abs(sound[0] - frames[0]) < 0.05 and abs(sound[-1] - frames[-1]) < 0.06, "sound and picture stay together"
    assert media.psnr_y(tmp_path / f"out.{suffix}", source) > 30
    assert not [message for message in report.messages if "clock" in message]
    with VideoReader(source) as reader:
        times = [frame.time for frame in reader.frames()]
    with closing(frames_from(source, times[-4])) as again:
        assert [frame.time for frame in again] == times[-4:]


def test_frames_that_an_edit_list_hides_are_not_counted(recordings: Path, tmp_path: Path) -> None:
    """What `check_frames` counts is what a player shows."""
    hidden = tmp_path / "hidden.mp4"
    media.run_ffmpeg("-ss", "0.5", "-i", recordings / "base.mp4", "-c", "copy", hidden)
    with av.open(str(hidden)) as container:
        packets = sum(1 for packet in container.demux(video=0) if packet.size)
    with av.open(str(hidden)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert packets > frames == len(shown_times(hidden).pts)
