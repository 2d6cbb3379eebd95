"""`stcodec stream` end to end, on files: what comes out, and that it is what went in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import command
import live_source
import media
import numpy as np
import pytest
from live_rigs import wait_until

import stcodec
from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.errors import OptionsError
from stcodec.media.decode import VideoReader
from stcodec.stream.offsets import LiveOffsets
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.packet import TICK
from stcodec.stream.plans import live_plan
from stcodec.stream.stream import LiveStream, run_stream
from stcodec.types import VideoInfo

LADDER = (Rendition(180, 600.0), Rendition(90, 200.0))


@pytest.fixture(scope="module")
def flashing(videos: Path) -> Path:
    """Three seconds with AAC, that flash and audio."""
    return live_source.make_flashing_ts(videos / "flashing.ts", seconds=3)


@pytest.fixture(scope="module")
def mp2(videos: Path) -> Path:
    """The same with another kind of audio, at another rate."""
    return live_source.make_flashing_ts(videos / "mp2.ts", seconds=3, audio="mp2", rate_hz=44100)


def frame_times(path: Path, *, key: bool = False) -> list[Fraction]:
    with av.open(str(path)) as container:
        packets = [one for one in container.demux(video=0) if one.size and (one.is_keyframe or not key)]
        return sorted(one.pts * one.time_base for one in packets if one.pts is not None and one.time_base is not None)


def test_every_frame_and_sound_comes_out_in_its_time(flashing: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    ended = run_stream(StreamOptions(str(flashing), (str(out),), attention="center", is_paced=False))
    times = frame_times(out)
    assert len(times) == 75 == ended.renditions[0].frames
    assert {round(float(b - a), 6) for a, b in pairwise(times)} == {0.04}
    assert [float(one - times[0]) for one in frame_times(out, key=True)] == [0, 1, 2]
    flashes, tones = live_source.flashes_and_tones(out)
    assert np.diff(flashes) == pytest.approx([1, 1], abs=1e-3)
    assert tones == pytest.approx(flashes, abs=0.03)


def test_sound_of_another_kind_becomes_aac_and_stays_with_the_picture(mp2: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run_stream(StreamOptions(str(mp2), (str(out),), attention="none", is_paced=False))
    with av.open(str(out)) as container:
        assert [(one.codec_context.name, one.codec_context.sample_rate) for one in container.streams.audio] == [
            ("aac", 44100)
        ]
    flashes, tones = live_source.flashes_and_tones(out)
    assert len(flashes) == 3 and tones == pytest.approx(flashes, abs=0.03)


def test_offsets_reach_the_stream(demo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    options = StreamOptions(
        str(demo), (str(out),), renditions=(Rendition(360, 800.0),), attention="center", is_paced=False, audio="none",
        policy=stcodec.OffsetPolicy(floor=0.6, anchor="mean"),
    )  # fmt: skip
    ended = run_stream(options)
    video = VideoInfo(640, 360, TICK, Fraction(30), None, None, "yuv420p", 8, "h264")
    plan = live_plan(options, options.renditions[0], video, "veryfast")
    asked = LiveOffsets(plan, options.policy).at(0, None).delta_qp
    with VideoReader(out, export=EXPORT) as reader:
        read = [qp_blocks(frame, plan.grid) for frame in reader.frames()]
    found = np.mean([one for one in read[10:] if one is not None], axis=0)
    slope, _ = np.polyfit(asked.ravel(), found.ravel(), 1)
    assert slope == pytest.approx(1, abs=0.35)  # adaptive quantisation adds its own
    said = ended.renditions[0]
    assert said.mean_qp_attended is not None and said.mean_qp_elsewhere is not None
    assert said.mean_qp_attended < said.mean_qp_elsewhere - 2


def test_renditions_have_their_key_frames_together(demo: Path, tmp_path: Path) -> None:
    out = [tmp_path / f"{name}.ts" for name in ("large", "small")]
    targets = tuple(f"{lines}p={path}" for lines, path in zip((180, 90), out, strict=True))
    options = StreamOptions(
        str(demo), targets, renditions=LADDER, attention="motion", keyint_seconds=0.5, audio="none", is_paced=False
    )
    ended = run_stream(options)
    large, small = (frame_times(path, key=True) for path in out)
    assert large == small and len(large) == 13
    assert np.diff([float(one) for one in large]) == pytest.approx([0.5] * 12, abs=1e-6)
    assert [(one.name, one.frames) for one in ended.renditions] == [("180p", 186), ("90p", 186)]
    assert ended.maps > 3 and ended.map_condition in ("fresh", "held")


def test_a_file_comes_at_the_pace_of_its_time(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    ended = run_stream(StreamOptions(str(video), (str(out),), attention="center", loops=True, duration_seconds=2.0))
    assert ended.running_seconds >= 1.9
    times = frame_times(out)
    assert len(times) + ended.renditions[0].frames_dropped == 50
    assert all(b > a for a, b in pairwise(times))  # on through the end of the file
    assert ended.timestamp_jumps == 0


def test_the_rate_is_kept_and_the_buffer_never_runs_dry(bunny: Path, tmp_path: Path) -> None:
    """A video with cuts at a rate far too low for it, with the strongest map."""
    out = tmp_path / "out.ts"
    options = StreamOptions(
        str(bunny), (str(out),), renditions=(Rendition(360, 400.0),), attention="motion", is_paced=False, audio="none"
    )
    ended = run_stream(options).renditions[0]
    seconds = float(frame_times(out)[-1] - frame_times(out)[0])
    assert ended.buffer_underflows == 0
    assert out.stat().st_size * 8 / seconds / 1000 < 1.3 * 400  # MPEG-TS and the first buffer beside it


def test_interlaced_pictures_are_made_whole(interlaced_mkv: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    run_stream(StreamOptions(str(interlaced_mkv), (str(out),), attention="center", is_paced=False))
    with av.open(str(out)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) >= 28 and not any(one.interlaced_frame for one in frames)


def test_a_turned_video_is_set_upright(rotated_mp4: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    run_stream(StreamOptions(str(rotated_mp4), (str(out),), attention="center", is_paced=False))
    with av.open(str(out)) as container, av.open(str(rotated_mp4)) as source:
        got = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        sent = np.rot90(next(source.decode(video=0)).to_ndarray(format="rgb24").astype(int), -1)
    assert got.shape == sent.shape and float(np.abs(got - sent).mean()) < 8


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_does_in_json(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ts"
    done = command.run(
        capfd, "stream", video, out, "--attention", "center", "--no-pace", "--bitrate", "500k", "--json", "-q"
    )
    assert done.status == 0, done.err
    said = [json.loads(line) for line in done.out.splitlines()]
    assert said[-1]["event"] == "end" and said[-1]["frames_in"] == 30
    assert said[-1]["renditions"][0]["target_kbps"] == 500


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_files(demo: Path, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out.mp4"
    words: list[str | Path] = ["stream", demo, out, "--loop", "--rendition", "180p@400k", "--attention", "center"]
    running = subprocess.Popen(
        command.program(*words, "--json", "-q"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        wait_until(lambda: '"frames": 0' not in running.stdout.readline(), "a frame")  # type: ignore[union-attr]
        running.send_signal(number)
        told, said = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 130
    assert json.loads(told.splitlines()[-1])["event"] == "end"
    assert said == "stcodec: interrupted; files and playlists were ended\n"
    with av.open(str(out)) as container:
        assert container.duration is not None and container.duration > 0  # the index is there
        assert sum(1 for _ in container.decode(video=0)) > 10


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nowhere.mp4", "out.ts"], 1, "nowhere.mp4: no such file"),
        (["gopher://host/x", "out.ts"], 1, "gopher://host/x: can't be streamed from"),
        (["tcp://127.0.0.1:1", "out.ts"], 1, "can't be opened .*refused"),
        (["VIDEO", "rtmp://127.0.0.1:1/app/secret"], 1, r"rtmp://127.0.0.1:1/app/\*\*\*: can't be reached .*refused"),
        (["VIDEO", "folder/out.ts"], 1, "folder/out.ts: the folder folder does not exist"),
        (["VIDEO"], 2, "nowhere to stream to"),
        (["VIDEO", "out.mkv", "--encoder", "libsvtav1", "--attention", "center"], 2, "drops the QP offsets silently"),
        (["VIDEO", "out.ts", "--encoder", "libvpx-vp9"], 2, "mpegts can't carry vp9"),
        (["VIDEO", "out.ts", "--preset", "quick"], 2, "preset 'quick' is unknown"),
        (["VIDEO", "out.ts", "--rendition", "720p@1M"], 2, "720p is larger than the source"),
        (["VIDEO", "out.ts", "--rendition", "90p@1M", "--bufsize", "1M"], 2, "every --rendition has its own rate"),
        (["VIDEO", "out.ts", "--maxrate", "1M"], 2, "maxrate is 1000 kbit/s: it must be at least the bitrate"),
        (["VIDEO", "out.ts", "--attention", "gaze:eyes.csv"], 2, "recording of one video"),
        (["VIDEO", "out.ts", "--opt", "aq-mode=0"], 2, "drops the QP offsets silently"),
        (["VIDEO", "out.ts", "--max-latency", "soon"], 2, "'soon' is no time"),
        (["VIDEO", "out.ts", "--metrics", "0.0.0.0:0"], 2, "can be reached from other machines"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_can_not_work_is_said_in_one_line_before_anything_starts(
    capfd: pytest.CaptureFixture[str],
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [os.fspath(video) if one == "VIDEO" else one for one in words]
    command.assert_refused(capfd, tmp_path, status, said, "stream", *given)


def test_a_source_without_a_picture_is_refused(capfd: pytest.CaptureFixture[str], audio_only: Path, tmp_path: Path) -> None:
    command.assert_refused(capfd, tmp_path, 1, "has no video", "stream", audio_only, tmp_path / "out.ts")


def test_media_of_the_rig_is_what_it_says(flashing: Path) -> None:
    flashes, tones = live_source.flashes_and_tones(flashing)
    assert np.asarray(flashes) % 1 == pytest.approx([live_source.FLASH_SECONDS] * 3, abs=1e-3)
    assert tones == pytest.approx(flashes, abs=0.03)
    assert media.QUICK


def test_the_bitrate_changes_without_a_new_encoder(tmp_path: Path) -> None:
    noise = tmp_path / "noise.mkv"
    media.run_ffmpeg("-f", "lavfi", "-i", "color=gray:size=320x180:rate=25,noise=alls=60:allf=t,trim=end_frame=75", noise)

    def size(name: str, change: Callable[[LiveStream], None], **fields: Any) -> int:
        target = tmp_path / name
        options = StreamOptions(str(noise), (str(target),), (Rendition(180, 900.0),), attention="none", is_paced=False)
        run_stream(replace(options, **fields), on_start=change)
        assert len(frame_times(target)) == 75
        return target.stat().st_size

    def lower(stream: LiveStream) -> None:
        stream.set_bitrate(300, "180p")

    assert size("lower.ts", lower) < 0.6 * size("plain.ts", lambda stream: None)

    def too_much(stream: LiveStream) -> None:
        with pytest.raises(OptionsError, match="180p's bitrate is 1000 kbit/s: allowed is 10 to 900"):
            stream.set_bitrate(1000)
        with pytest.raises(OptionsError, match="allowed are 180p"):
            stream.set_bitrate(300, "90p")

    size("same.ts", too_much)

    def another(stream: LiveStream) -> None:
        with pytest.raises(OptionsError, match="can't change its bitrate while it runs; libx264 can"):
            stream.set_bitrate(300)

    size("hevc.ts", another, encoder="libx265")
