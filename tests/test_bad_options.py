"""Options that can't work: refused in one line, before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from command import assert_refused

import stcodec
from stcodec.errors import OptionsError

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with a video in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(video, "in.mp4")
    return tmp_path


USAGE = [
    ("transcode", "invalid choice: 'transcode'"),
    ("encode", "the following arguments are required: IN; `stcodec encode --help` shows"),
    ("encode in.mp4 out.mp4 more.mp4", "unrecognized arguments: more.mp4"),
    ("encode in.mp4 out.mp4 --cr 20", "unrecognized arguments: --cr 20: the nearest to it is --crf"),
    ("encode in.mp4 out.mp4 --polcy=strong", "unrecognized arguments: --polcy=strong: the nearest to it is --policy"),
    ("encode in.mp4 out.mp4 --crf", "argument --crf: expected one argument"),
    ("encode in.mp4 out.mp4 --crf good", "argument --crf: invalid float value: 'good'"),
    ("encode in.mp4 out.mp4 --keyint 2.5", "argument --keyint: invalid int value"),
    ("encode in.mp4 out.mp4 --crf 20 --bitrate 1M", "argument --bitrate: not allowed with argument --crf"),
    ("encode in.mp4 out.mp4 --bitrate 2x", "'2x' is no bitrate: write 2500k, 2.5M or 2500000"),
    ("encode in.mp4 out.mp4 --bitrate k", "'k' is no bitrate"),
    ("encode in.mp4 out.mp4 --anchor median", "'median': allowed are attended, half, mean or a number"),
    ("maps in.mp4 out.mkv --crf 20", "unrecognized arguments: --crf 20"),
]

VALUES = [
    ("--crf 52", "crf is 52: libx264 takes 0 to 51"),
    ("--crf -1", "crf is -1: libx264 takes 0 to 51"),
    ("--crf nan", "crf is nan: libx264 takes 0 to 51"),
    ("--crf inf", "crf is inf: libx264 takes"),
    ("--crf 64 --encoder libvpx-vp9", "crf is 64: libvpx-vp9 takes 0 to 63"),
    ("--bitrate 0", "bitrate is 0 kbit/s: allowed is 1 to"),
    ("--bitrate=-5k", "bitrate is -5 kbit/s: allowed is 1 to"),
    ("--bitrate nan", "bitrate is nan kbit/s: allowed is 1 to"),
    ("--container mkv", "--container mkv: goes with - only; the ending of out.mp4 chooses the container"),
    ("--fps 0", "--fps '0': allowed is 25, 23.976 or 30000/1001"),
    ("--fps 0/1", "--fps '0/1': allowed is"),
    ("--fps 0.00", "--fps '0.00': allowed is"),
    ("--two-pass", "two passes need a bitrate to aim at"),
    ("--two-pass --crf 20", "two passes need a bitrate to aim at"),
    ("--two-pass --bitrate 1M --encoder libvpx-vp9", "no second pass: leave --two-pass out"),
    ("--keyint 0", "keyint is 0: allowed is 1 to"),
    ("--levels 1", "levels is 1: allowed is 2 to 256"),
    ("--levels 300", "levels is 300: allowed is 2 to 256"),
    ("--levels 23 --encoder libvpx-vp9", "libvpx-vp9 takes at most 8 offset levels, 23 given: pass --levels 8"),
    ("--strength nan", "strength is nan: allowed is 0 to 2"),
    ("--strength 2.1", "strength is 2.1: allowed is 0 to 2"),
    ("--floor 0", "floor is 0: allowed is 0.001 to 1"),
    ("--min-delta-qp 1", "min_delta_qp is 1: allowed is -51 to 0"),
    ("--max-delta-qp -1", "max_delta_qp is -1: allowed is 0 to 51"),
    ("--anchor nan", "anchor is nan: allowed is -25 to 25"),
    ("--smoothing -1", "smoothing_seconds is -1: allowed is 0 to 10"),
    ("--smoothing nan", "smoothing_seconds is nan: allowed is 0 to 10"),
    ("--step-qp inf", "step_qp is inf: allowed is 0 to 12"),
]

ENCODERS = [
    ("--encoder libx266", "unknown encoder 'libx266': allowed are libx264, libx265, libvpx-vp9"),
    ("--encoder x265", "did you mean libx265"),
    ("--encoder libaom-av1", "libaom-av1 can't be given QP offsets"),
    ("--encoder libkvazaar", "libkvazaar is not driven by this version: .* Use libx265"),
    ("--encoder h264_nvenc", "h264_nvenc can't be given QP offsets: .* Use libx264"),
    ("--preset quick", "preset 'quick' is unknown to libx264: allowed are ultrafast, superfast"),
    ("--preset medium --encoder libvpx-vp9", "preset 'medium' is unknown to libvpx-vp9: allowed are 5, 6, 7, 8"),
    ("--pix-fmt yuv411p", "libx264 can't encode 'yuv411p': allowed are yuv420p"),
    ("--pix-fmt nonsense", "libx264 can't encode 'nonsense': allowed are yuv420p"),
    ("--opt tune", "--opt 'tune': write key=value"),
    ("--opt =video", "--opt '=video': write key=value"),
    ("--opt crf=20", "--opt crf=... is set by --crf: use that"),
    ("--opt pixel_format=gray", "--opt pixel_format=... is set by --pix-fmt: use that"),
    ("--opt video_size=64x64", "the size and the clock are the source's"),
    ("--opt time_base=1/10", "the size and the clock are the source's"),
    ("--opt x264-params=bframes=2:pass=1", "pass and stats are set by --two-pass"),
    ("--opt no-such-option=1", "libx264: unknown option no-such-option=1; `ffmpeg -h encoder=libx264` lists"),
    ("--opt b_strategy=99", "libx264 can't be opened with .*b_strategy.* out of range"),
    ("--opt tune=nonsense --encoder libx265", "libx265 can't be opened with .*nonsense"),
    ("--opt x264-params=no-such=1", "libx264: .*no-such"),
    ("--opt x265-params=no-such=1 --encoder libx265", "libx265: .*no-such"),
    ("--opt deadline=good --encoder libvpx-vp9", "libvpx-vp9 with deadline=good drops the QP offsets silently"),
    ("--opt qp=20", "libx264 with qp=20 drops the QP offsets silently"),
    ("--opt x265-params=aq-mode=0 --encoder libx265", "libx265 with aq-mode=0 drops the QP offsets silently"),
]


@pytest.mark.parametrize(("line", "words"), USAGE)
def test_usage(capfd: Capture, folder: Path, line: str, words: str) -> None:
    assert_refused(capfd, folder, 2, words, *line.split())


def test_usage_in_one_line_whatever_was_written(capfd: Capture, folder: Path) -> None:
    assert_refused(capfd, folder, 2, r"unrecognized arguments: two\\nlines", "encode", "a.mp4", "b.mp4", "two\nlines")


@pytest.mark.parametrize(("line", "words"), [*VALUES, *ENCODERS])
def test_value(capfd: Capture, folder: Path, line: str, words: str) -> None:
    output = "out.mkv" if "vp9" in line else "out.mp4"
    assert_refused(capfd, folder, 2, words, "encode", "in.mp4", output, "--attention", "center", *line.split())


@pytest.mark.parametrize("seconds", ["-1", "nan", "11"])
def test_smoothing_of_maps(capfd: Capture, folder: Path, seconds: str) -> None:
    words = rf"smoothing_seconds is {seconds}: allowed is 0 to 10"
    assert_refused(capfd, folder, 2, words, "maps", "in.mp4", "out.mkv", "--smoothing", seconds)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"crv": 20}, "unknown option crv"),
        ({"crf": 20, "Preset": "slow", "threads": 2}, "unknown option Preset, threads"),
        ({"crf": 20, "bitrate_kbps": 500}, "crf 20 and bitrate 500 kbit/s exclude each other"),
        ({"anchor": "median"}, "anchor is 'median': allowed are attended, half, mean"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"encoder": "libx266"}, "unknown encoder"),
        ({"attention": ""}, "'' is no source of attention"),
    ],
)
def test_python_fields(folder: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionsError, match=words):
        stcodec.encode("in.mp4", "out.mp4", **fields)
    assert [one.name for one in folder.iterdir()] == ["in.mp4"]


def test_python_options_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="step_qp is 99"):
        stcodec.OffsetPolicy(step_qp=99)
