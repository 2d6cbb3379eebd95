"""Without attention the result is, byte for byte, what PyAV and ffmpeg give without stcodec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media
import pytest
from av.codec.context import ThreadType
from coding import main_packets, video_hashes
from media import run_ffmpeg

import stcodec

CHOICES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("libx264", {}, {}),
    ("libx264", {"crf": 30, "preset": "veryfast", "keyint": 12}, {"crf": "30", "preset": "veryfast", "g": "12"}),
    ("libx264", {"bitrate_kbps": 300, "extra": {"tune": "film"}}, {"b": "300000", "tune": "film"}),
    ("libx264", {"pix_fmt": "yuv420p10le"}, {"pix_fmt": "yuv420p10le"}),
    ("libx264", {"preset": "ultrafast", "extra": {"aq-mode": "0"}}, {"preset": "ultrafast", "aq-mode": "0"}),
    ("libx265", {"preset": "veryfast"}, {"preset": "veryfast"}),
    ("libx265", {"preset": "superfast", "crf": 30, "extra": {"x265-params": "aq-mode=0"}},
     {"preset": "superfast", "crf": "30", "x265-params": "aq-mode=0"}),
    ("libvpx-vp9", {"preset": "7"}, {"cpu-used": "7", "crf": "32"}),
    ("libvpx-vp9", {"preset": "7", "crf": 40, "extra": {"deadline": "realtime"}},
     {"cpu-used": "7", "crf": "40", "deadline": "realtime"}),
    ("libsvtav1", {"preset": "11"}, {"preset": "11"}),
    ("libsvtav1", {"preset": "10", "crf": 50, "keyint": 12, "pix_fmt": "yuv420p10le"},
     {"preset": "10", "crf": "50", "g": "12", "pix_fmt": "yuv420p10le"}),
    ("libsvtav1", {"preset": "12", "bitrate_kbps": 200, "extra": {"svtav1-params": "lp=1:enable-variance-boost=1"}},
     {"preset": "12", "b": "200000", "svtav1-params": "lp=1:enable-variance-boost=1"}),
    ("libsvtav1", {"preset": "12", "extra": {"qp": "40", "svtav1-params": "film-grain=8:tune=0"}},
     {"preset": "12", "qp": "40", "svtav1-params": "film-grain=8:tune=0"}),
]  # fmt: skip
QUIET = {"libx265": "log-level=error"}
"""Without it x265 writes to the terminal; it does not change the bitstream."""


@pytest.fixture(scope="module")
def video(videos: Path) -> Path:
    """384x216, 30 frames, a cut at frame 15.

    Rows of 8 macroblocks, or twice as many: with any other number x264 (core 165, mbtree, AVX-512) reads memory that
    nobody wrote, and the same call gives other bits each time.
    """
    return media.make_video(videos / "rows_of_24.mp4", size=(384, 216), cuts=[15])


def encode_without_stcodec(source: Path, target: Path, encoder: str, options: Mapping[str, str]) -> Path:
    """What anyone would write with PyAV to encode a video again."""
    chosen = dict(options)
    if encoder in QUIET:
        chosen["x265-params"] = ":".join(filter(None, [QUIET[encoder], options.get("x265-params", "")]))
    bit_rate, gop, pix_fmt = chosen.pop("b", None), chosen.pop("g", None), chosen.pop("pix_fmt", None)
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        video = container.streams.video[0]
        assert video.average_rate is not None and video.time_base is not None
        stream = output.add_stream(encoder, rate=video.average_rate)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = video.width, video.height, pix_fmt or video.pix_fmt
        context.framerate, context.time_base = video.average_rate, video.time_base
        context.thread_type = ThreadType.AUTO if encoder == "libvpx-vp9" else ThreadType.FRAME
        context.color_range, context.color_primaries = video.color_range, video.color_primaries
        context.color_trc, context.colorspace = video.color_trc, video.colorspace
        if video.sample_aspect_ratio:
            context.sample_aspect_ratio = video.sample_aspect_ratio
        if bit_rate:
            context.bit_rate = int(bit_rate)
        if gop:
            context.gop_size = int(gop)
        context.options = chosen
        for frame in container.decode(video):
            frame.pict_type = 0
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target


@pytest.mark.parametrize(("encoder", "fields", "options"), CHOICES, ids=str)
def test_no_attention_is_pyav_alone(
    video: Path, tmp_path: Path, encoder: str, fields: dict[str, Any], options: dict[str, str]
) -> None:
    report = stcodec.encode(video, tmp_path / "ours.mkv", encoder=encoder, attention="none", **fields)
    theirs = encode_without_stcodec(video, tmp_path / "theirs.mkv", encoder, options)
    assert report.messages == ()
    assert len(video_hashes(theirs)) == 30
    assert video_hashes(tmp_path / "ours.mkv") == video_hashes(theirs)
    times = [[(p.pts, p.dts, p.is_keyframe) for p in main_packets(path)] for path in (tmp_path / "ours.mkv", theirs)]
    assert times[0] == times[1]
    with av.open(str(tmp_path / "ours.mkv")) as one, av.open(str(theirs)) as other:
        assert one.streams.video[0].codec_context.extradata == other.streams.video[0].codec_context.extradata


def test_videos_of_a_variable_frame_rate_too(tmp_path: Path) -> None:
    ticks = [1400, 1433, 1450, 1500, 1533, 2300, 2333, 2366, 2399, 2450]
    source = media.make_video(tmp_path / "vfr.mkv", size=(384, 216), ticks=ticks, time_base=Fraction(1, 1000))
    stcodec.encode(source, tmp_path / "ours.mkv", attention="none", preset="veryfast")
    theirs = encode_without_stcodec(source, tmp_path / "theirs.mkv", "libx264", {"preset": "veryfast"})
    assert video_hashes(tmp_path / "ours.mkv") == video_hashes(theirs)
    assert media.video_pts(theirs) == [Fraction(tick, 1000) for tick in ticks]


def x264_version(data: bytes) -> str:
    """The version in the SEI with which x264 begins a stream."""
    found = re.search(rb"x264 - core (\d+ r?\w*)", data)
    assert found
    return found[1].decode()


def payload(data: bytes) -> bytes:
    """A stream without its first SEI, where x264 writes its settings (the number of threads among them)."""
    return re.sub(rb"x264 - core .*?\x00", b"", data, count=1, flags=re.DOTALL)


@pytest.mark.parametrize("options", [["-preset", "medium"], ["-preset", "veryfast", "-crf", "30", "-g", "12"]], ids=str)
def test_no_attention_is_the_ffmpeg_command_line(video: Path, tmp_path: Path, options: list[str]) -> None:
    threads = ["-threads", "4"]
    run_ffmpeg("-i", video, "-c:v", "libx264", *options, *threads, tmp_path / "theirs.mkv")
    names = {"-preset": "preset", "-crf": "crf", "-g": "keyint"}
    fields: dict[str, Any] = {names[key]: value for key, value in zip(options[::2], options[1::2], strict=True)}
    fields |= {key: int(fields[key]) for key in ("crf", "keyint") if key in fields}
    stcodec.encode(video, tmp_path / "ours.mkv", attention="none", extra={"threads": "4"}, **fields)
    ours, theirs = ([bytes(p) for p in main_packets(tmp_path / f"{name}.mkv")] for name in ("ours", "theirs"))
    if x264_version(ours[0]) != x264_version(theirs[0]):
        assert sum(map(len, ours)) == pytest.approx(sum(map(len, theirs)), rel=0.02)
        pytest.skip(f"PyAV has x264 {x264_version(ours[0])}, the binary {x264_version(theirs[0])}: bits may differ")
    assert [payload(ours[0]), *ours[1:]] == [payload(theirs[0]), *theirs[1:]]


@pytest.mark.parametrize("preset", ["medium", "veryfast"])
def test_strength_zero_is_the_plain_encode(video: Path, tmp_path: Path, preset: str) -> None:
    report = stcodec.encode(video, tmp_path / "zero.mkv", attention="center", strength=0, preset=preset)
    stcodec.encode(video, tmp_path / "none.mkv", attention="none", preset=preset)
    assert report.offsets_applied.verdict == "flat"
    assert (report.mean_delta_qp or 0.0, report.spread_delta_qp or 0.0) == pytest.approx((0, 0), abs=1e-6)
    assert video_hashes(tmp_path / "zero.mkv") == video_hashes(tmp_path / "none.mkv")


def test_attention_is_not_the_plain_encode(video: Path, tmp_path: Path) -> None:
    """The control of all tests above: offsets do change the bits."""
    stcodec.encode(video, tmp_path / "center.mkv", attention="center")
    stcodec.encode(video, tmp_path / "none.mkv", attention="none")
    assert video_hashes(tmp_path / "center.mkv")[0] != video_hashes(tmp_path / "none.mkv")[0]


@pytest.mark.parametrize("attention", ["none", "motion"])
def test_the_same_command_gives_the_same_file(video: Path, tmp_path: Path, attention: str) -> None:
    for name in ("one.mkv", "other.mkv"):
        stcodec.encode(video, tmp_path / name, attention=attention, preset="veryfast")
    assert video_hashes(tmp_path / "one.mkv") == video_hashes(tmp_path / "other.mkv")


def test_frames_are_encoded_as_they_are(tmp_path: Path) -> None:
    """Lossless in, lossless out: nothing on the way converts, scales or drops a pixel."""
    video = media.make_video(tmp_path / "video.mkv", codec="ffv1", options={}, frames=6, fps=Fraction(25))
    stcodec.encode(video, tmp_path / "same.mkv", attention="none", crf=0, preset="ultrafast")
    for ours, theirs in zip(media.frames_of(tmp_path / "same.mkv"), media.frames_of(video), strict=True):
        assert (ours == theirs).all()
