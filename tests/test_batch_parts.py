"""Long videos in parts that begin with shots: what comes out is one video without a seam, however many encoders made it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import command
import media
import numpy as np
import pytest
from batches import jobs, start

from stcodec.errors import VerifyError
from stcodec.options import EncodeOptions, OffsetPolicy, RunOptions
from stcodec.pipeline.check import check_file
from stcodec.pipeline.encode import encode, prepare
from stcodec.pipeline.parts import Part, can_be_cut, check_joins, encode_part, find_parts, join_parts

Capture = pytest.CaptureFixture[str]
SIZE = (320, 180)
FRAMES = 80
"""The pictures jump at the 82nd."""
CUTS = (24, 52)


def vfr_video(path: Path) -> Path:
    """Three shots that begin with long frames and end with short ones: decoding times counted from each start overlap."""
    since = [place - max(start for start in (0, *CUTS) if start <= place) for place in range(FRAMES)]
    seconds = 1.4 + np.cumsum([0.06 if place < 8 else 0.012 for place in since])
    ticks = [round(90_000 * float(second)) for second in seconds]
    return media.make_video(path, size=SIZE, ticks=ticks, time_base=Fraction(1, 90_000), cuts=CUTS, fps=Fraction(30))


def open_gop_video(path: Path) -> Path:
    params = "open-gop=1:keyint=13:min-keyint=13:scenecut=0:bframes=3:b-adapt=0"
    options = {"preset": "veryfast", "x264-params": params}
    return media.make_video(path, size=SIZE, frames=FRAMES, options=options, cuts=CUTS)


def rich_video(path: Path) -> Path:
    return media.make_rich_video(path, seconds=FRAMES / 25, size=SIZE, cuts=CUTS)


def key_times(path: Path) -> set[Fraction]:
    with av.open(str(path)) as container:
        return {Fraction(frame.time).limit_denominator(1000) for frame in container.decode(video=0) if frame.key_frame}


@pytest.mark.parametrize(
    ("make", "name", "encoder", "attention"),
    [
        (rich_video, "a.mp4", "libx264", "center"),
        (vfr_video, "a.mkv", "libx265", "none"),
        (vfr_video, "a.mp4", "libx264", "none"),
        (open_gop_video, "a.ts", "libx264", "none"),
    ],
)
def test_parts_join_without_a_seam(
    tmp_path: Path, make: Callable[[Path], Path], name: str, encoder: str, attention: str
) -> None:
    source = make(tmp_path / (name if name != "a.ts" else "a.mp4"))
    policy = OffsetPolicy(floor=0.6, anchor="attended")
    options = EncodeOptions(encoder=encoder, preset="veryfast", crf=26, attention=attention, policy=policy)
    whole, joined = tmp_path / f"whole_{name}", tmp_path / f"joined_{name}"
    encode(source, whole, options=options)
    job = prepare(source, joined, options, RunOptions())
    with job.reader:
        parts = find_parts(job, 0.5)
        assert [part.frames for part in parts] == [24, 28, 28]
        paths = [tmp_path / f"{number}.npz" for number in range(len(parts))]
        for part, path in zip(reversed(parts), reversed(paths), strict=True):  # in any order
            encode_part(job, part, path)
        tally = join_parts(job, paths, joined)
        applied, checks = check_file(job.plan, job.reader, joined, tally, RunOptions())
    assert checks is not None and checks.timestamps_kept
    check_joins(joined, parts, checks.shift_seconds)
    assert applied.verdict in (("applied",) if attention == "center" else ("not-measured",))
    assert media.video_pts(joined) == media.video_pts(whole)
    ours, theirs, originals = (media.frames_of(path) for path in (joined, whole, source))
    assert len(ours) == len(theirs) == len(originals) == FRAMES
    quality = [[media.psnr(one, other) for one, other in zip(originals, frames, strict=True)] for frames in (ours, theirs)]
    assert np.mean(quality[0]) > np.mean(quality[1]) - 0.5 and min(quality[0]) > min(quality[1]) - 1.5
    assert 0.9 < joined.stat().st_size / whole.stat().st_size < 1.1
    times = media.video_pts(joined)
    assert {times[place].limit_denominator(1000) for place in (0, *CUTS)} <= key_times(joined)
    with av.open(str(joined)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    decoded = [packet.dts for packet in packets if packet.dts is not None]  # Matroska leaves the first to be guessed
    assert decoded == sorted(set(decoded)) and len(decoded) >= FRAMES - 4
    said = media.run_ffmpeg("-v", "error", "-i", joined, "-map", "0:v:0", "-f", "null", "-")
    # The null muxer wants a constant rate; the decoder must have nothing to say.
    assert [line for line in said.splitlines() if "[null @" not in line and "repeated" not in line] == []
    streams = [media.streams_of(path) for path in (joined, whole)]
    assert [(one["kind"], one["codec"], one["frames"]) for one in streams[0]] == [
        (one["kind"], one["codec"], one["frames"]) for one in streams[1]
    ]
    if make is rich_video:
        assert [media.audio_packets(joined, index) for index in (0, 1)] == [
            media.audio_packets(source, index) for index in (0, 1)
        ]
        assert media.chapters_of(joined) == media.chapters_of(whole)


def test_a_join_in_the_wrong_place_is_noticed(tmp_path: Path) -> None:
    video = vfr_video(tmp_path / "a.mkv")
    times = media.video_pts(video)
    with pytest.raises(VerifyError, match=r"damaged where parts were joined, at \d\.\d+ s"):
        check_joins(video, [Part(0, 0.0, 10), Part(0, float(times[10]), 80)], 0.0)  # no key frame there


def test_what_can_not_be_cut() -> None:
    assert can_be_cut(EncodeOptions(crf=20)) and can_be_cut(EncodeOptions(encoder="libx265"))
    for options in (
        EncodeOptions(bitrate_kbps=500),
        EncodeOptions(bitrate_kbps=500, two_pass=True),
        EncodeOptions(encoder="libvpx-vp9"),
        EncodeOptions(extra={"maxrate": "1M"}),
        EncodeOptions(extra={"x264-params": "vbv-bufsize=1000"}),
    ):
        assert not can_be_cut(options)


def test_one_long_video_uses_all_workers_and_goes_on_part_by_part(capfd: Capture, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    media.make_video(tmp_path / "in" / "a.mp4", size=SIZE, frames=FRAMES, cuts=CUTS)
    arguments = ("in", "out", "--attention", "motion", "--part-seconds", "0.9", "--jobs", "2")
    parts = tmp_path / "out" / ".stcodec-batch" / "parts"
    with start(tmp_path, *arguments) as process:
        while not parts.is_dir() or not list(parts.iterdir()):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
    made = command.snapshot(parts)
    (maps,) = (parts.parent / "maps").iterdir()
    before = maps.stat().st_mtime_ns
    seen: dict[str, int] = {}
    with start(tmp_path, *arguments) as process:
        while process.poll() is None:
            with suppress(FileNotFoundError):
                seen |= {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
            time.sleep(0.02)
        assert process.returncode == 0
    assert made and {name: changed for name, (changed, _) in made.items()}.items() <= seen.items() and len(seen) == 3
    assert not parts.exists() and maps.stat().st_mtime_ns == before
    job = jobs(tmp_path / "out")["a.mp4"]
    assert (job["state"], job["frames"]) == ("done", FRAMES) and job["quality_db"] > 30
    output = tmp_path / "out" / "a.mp4"
    assert len(media.frames_of(output)) == FRAMES and media.video_pts(output) == media.video_pts(tmp_path / "in" / "a.mp4")
    assert {Fraction(place, 25) for place in (0, *CUTS)} <= key_times(output)
