"""The command line where all goes well: what it prints where, what it writes, how it is asked."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import command
import media
import pytest
from command import ENVIRONMENT, program, run, run_apart
from PIL import Image

import stcodec
from stcodec.cli.command import parsers
from stcodec.options import DEFAULT_ATTENTION
from stcodec.pipeline.maps import MapsReport
from stcodec.progress import Progress
from stcodec.report import Checks, EncodeReport, OffsetsApplied

Capture = pytest.CaptureFixture[str]
HEAVY = {"av", "cv2", "numpy", "onnxruntime", "rich", "skimage", "torch"}


def lines_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def names(kind: type) -> set[str]:
    return {one.name for one in dataclasses.fields(kind)}


# --- in a process of its own ----------------------------------------------------------------------------------------


def test_encode_apart(video: Path, tmp_path: Path) -> None:
    done = run_apart("encode", video, "out.mp4", folder=tmp_path)
    assert (done.status, done.out) == (0, "")
    assert re.search(r"^out\.mp4: 30 frames, [\d.]+ kB \(-[\d.]+% of the source's ", done.err)
    assert f"offsets: {DEFAULT_ATTENTION}, mean" in done.err
    assert list(command.snapshot(tmp_path)) == ["out.mp4"]
    assert media.video_pts(tmp_path / "out.mp4") == media.video_pts(video)


def test_maps_apart(video: Path, tmp_path: Path) -> None:
    done = run_apart("maps", video, "maps.mkv", folder=tmp_path)
    assert (done.status, done.out) == (0, "")
    assert re.fullmatch(r"\d+ maps of 30 frames in 2 shots, expected NSS \d\.\d: maps\.mkv\n", done.err)
    first = media.frames_of(tmp_path / "maps.mkv")[0]
    assert first.max() > first.min()


def test_help_is_quick_and_light() -> None:
    script = "import sys, stcodec.cli\ntry: stcodec.cli.main(['encode', '--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "stcodec" in loaded
    assert not loaded & HEAVY
    least = _cpu_seconds([sys.executable, "-c", "import argparse, json, dataclasses"])
    assert _cpu_seconds(program("--help")) < 3 * least + 0.2


def _cpu_seconds(words: list[str]) -> float:
    """The best of some runs, in CPU time: what else the machine does can only add to it."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, capture_output=True, check=True, env=ENVIRONMENT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def test_import_is_light() -> None:
    script = "import sys, stcodec\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert not {name.split(".")[0] for name in done.stdout.split()} & HEAVY


# --- asking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("--help",), *((name, "--help") for name in parsers()[1])], ids=" ".join)
def test_help(capfd: Capture, words: tuple[str, ...]) -> None:
    done = run(capfd, *words)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"usage: stcodec {' '.join(words[:-1])}".rstrip())
    assert "%(" not in done.out


def test_version(capfd: Capture) -> None:
    assert run(capfd, "--version") == command.Outcome(0, f"stcodec {stcodec.__version__}\n", "")


# --- encode ---------------------------------------------------------------------------------------------------------


def test_json_lines(capfd: Capture, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    done = run(capfd, "encode", video, out, "--json", "--attention", "center", "--crf", "30", "--policy", "strong")
    assert (done.status, done.err) == (0, "")
    *progress, report = lines_of(done.out)
    assert progress
    for line in progress:
        assert line.pop("event") == "progress"
        assert set(line) == names(Progress)
        assert line["stage"] in ("encode", "verify")
    said = list(dict.fromkeys((line["stage"], line["what"]) for line in progress if line["what"]))
    assert said == [
        ("encode", "making the first maps"),
        ("encode", "the encoder's last frames"),
        ("verify", "reading the file's frames and times"),
        ("verify", "encoding samples without offsets to compare"),
    ], "what takes long has no name"
    assert report.pop("event") == "report"
    assert report.pop("schema") == 1
    assert set(report) == names(EncodeReport)
    assert report["output_bytes"] == out.stat().st_size
    assert (report["frames"], report["options"]["crf"], report["attention"]) == (30, 30, "center")
    assert report["checks"]["frames_in_file"] == 30
    assert report["offsets_applied"]["verdict"] == "applied"


def test_every_field_is_documented() -> None:
    contract = (Path(__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    known = set(re.findall(r"[`\"](\w+)[`\"]", contract))
    for kind in (Progress, EncodeReport, OffsetsApplied, Checks, MapsReport):
        assert names(kind) <= known, kind


def test_report_file(capfd: Capture, video: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run(capfd, "encode", video, tmp_path / "out.mp4", "--report", report, "--attention", "none", "--json")
    assert done.status == 0
    written = json.loads(report.read_text(encoding="utf-8"))
    *_, printed = lines_of(done.out)
    assert {"event": "report", **written} == printed
    assert written["offsets_applied"]["verdict"] == "not-measured"
    assert report.stat().st_mode & 0o777 == (tmp_path / "out.mp4").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_dry_run_writes_nothing(capfd: Capture, video: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    arguments = ("encode", video, tmp_path / "out.mp4", "--dry-run", "--report", tmp_path / "report.json")
    done = run(capfd, *arguments, "--preset", "ultrafast", "--two-pass", "--bitrate", "1M", *flags)
    assert (done.status, done.err) == (0, "")
    assert command.snapshot(tmp_path) == {}
    if flags:
        (plan,) = lines_of(done.out)
        assert (plan["event"], plan["frames"], plan["block_px"]) == ("plan", 30, 16)
        assert plan["encoder_options"]["preset"] == "ultrafast"
        assert (plan["bitrate_kbps"], plan["two_pass"]) == (1000, True)
        assert any("adaptive quantisation" in message for message in plan["messages"])
    else:
        assert "video: h264 320x180 yuv420p\n" in done.out
        assert "bitrate_kbps: 1000.0\ntwo_pass: True\nencoder_options: preset=ultrafast " in done.out


def test_dry_run_refuses_what_encode_refuses(capfd: Capture, video: Path, tmp_path: Path) -> None:
    arguments = ("encode", video, tmp_path / "out.mp4", "--dry-run")
    command.assert_refused(capfd, tmp_path, 2, "unknown option no-such=1", *arguments, "--opt", "no-such=1")
    command.assert_refused(capfd, tmp_path, 1, "no such file", *arguments, "--attention", "map:missing.mkv")


def test_maps_that_single_nothing_out_are_told(capfd: Capture, video: Path, tmp_path: Path) -> None:
    Image.new("L", (160, 90), 255).save(tmp_path / "white.png")
    attention = f"map:{tmp_path / 'white.png'}"
    done = run(capfd, "encode", video, tmp_path / "out.mp4", "--attention", attention, "--report", tmp_path / "report.json")
    assert f"\noffsets: all 0: the maps of {attention} single nothing out\n" in done.err
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (report["mean_delta_qp"], report["spread_delta_qp"]) == (0, 0)


def test_quiet(capfd: Capture, video: Path, tmp_path: Path) -> None:
    nothing = command.Outcome(0, "", "")
    assert run(capfd, "encode", video, tmp_path / "out.mp4", "-q", "--attention", "none") == nothing
    assert run(capfd, "maps", video, tmp_path / "maps.mkv", "--quiet", "--attention", "center") == nothing
    assert set(command.snapshot(tmp_path)) == {"out.mp4", "maps.mkv"}


def test_options_reach_the_encoder(capfd: Capture, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    words = ("--preset", "veryfast", "--keyint", "10", "--pix-fmt", "yuv444p", "--opt", "tune=film", "--opt", "bf=0")
    policy = ("--strength", "0.4", "--min-delta-qp", "-3", "--max-delta-qp", "4", "--anchor", "-1.5", "--floor", "0.3")
    done = run(capfd, "encode", video, out, "--bitrate", "0.2M", "--json", *words, *policy, "--smoothing", "0")
    assert (done.status, done.err) == (0, "")
    options = lines_of(done.out)[-1]["options"]
    assert options["bitrate_kbps"] == 200
    assert options["extra"] == {"tune": "film", "bf": "0"}
    assert options["policy"]["anchor"] == -1.5
    assert options["policy"]["min_delta_qp"] == -3
    (stream,) = media.streams_of(out)
    assert stream["pix_fmt"] == "yuv444p"
    with av.open(str(out)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [index for index, packet in enumerate(packets) if packet.is_keyframe][:2] == [0, 10]
    assert all(packet.pts == packet.dts for packet in packets)


def test_no_verify(capfd: Capture, video: Path, tmp_path: Path) -> None:
    done = run(capfd, "encode", video, tmp_path / "out.mp4", "--no-verify", "--json", "--attention", "center")
    report = lines_of(done.out)[-1]
    assert (done.status, report["checks"]) == (0, None)
    assert report["offsets_applied"]["why"] == "verification was turned off"


# --- maps and doctor ------------------------------------------------------------------------------------------------


def test_maps_json(capfd: Capture, video: Path, tmp_path: Path) -> None:
    done = run(capfd, "maps", video, tmp_path / "maps.mkv", "--json", "--attention", "0.5*center+0.5*motion")
    assert (done.status, done.err) == (0, "")
    report = lines_of(done.out)[-1]
    assert report["event"] == "report"
    assert report["maps"] == len(media.frames_of(tmp_path / "maps.mkv"))
    assert (report["frames"], report["shots"]) == (30, 2)


def test_written_maps_guide_an_encode(capfd: Capture, video: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps.mkv"
    assert run(capfd, "maps", video, maps, "-q", "--attention", "motion").status == 0
    done = run(capfd, "encode", video, tmp_path / "out.mp4", "--json", "--attention", f"map:{maps}")
    assert lines_of(done.out)[-1]["offsets_applied"]["verdict"] == "applied"


def test_doctor_json(capfd: Capture) -> None:
    done = run(capfd, "doctor", "--json")
    assert (done.status, done.err) == (0, "")
    (found,) = lines_of(done.out)
    assert found["encoders"]["libx264"].startswith("ok: h264")
    closed = found["encoders that ffmpeg gives no way to"]
    for name in ("libaom-av1", "librav1e"):
        assert closed[name].endswith("tried here: the same bits with and without)")
    assert "center" in found["attention"]


def test_doctor_fails_where_an_encoder_is_missing(capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stcodec.pipeline.doctor.is_available", lambda name: name != "libx265")
    done = run(capfd, "doctor")
    assert done.status == 1
    assert re.search(r"^  libx265 +missing from this build of PyAV$", done.out, re.MULTILINE)
    for encoder in ("libx264", "libvpx-vp9", "libsvtav1"):
        assert re.search(rf"^  {encoder} +ok: ", done.out, re.MULTILINE)


# --- on a terminal, in a pipe ---------------------------------------------------------------------------------------


def test_progress_bar_on_a_terminal(bunny: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = program("encode", bunny, tmp_path / "out.mp4", "--attention", "center", "--preset", "veryfast")
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        drawn = _read_all(ours)
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    bars = [part for part in re.split(r"[\r\n]+", plain) if part.startswith("encode ")]
    heading = r"\d+% \d+:\d\d left \d+\.\d fps, [\d.]+ [kM]B, heading for [\d.]+ [kM]B \([+-]\d+%\)"
    assert any(re.search(heading, bar) for bar in bars)
    assert any(re.search(r"% 0:\d\d left ", bar) for bar in bars), "no ETA"
    assert re.search(r"\x1b\[2K\S*out\.mp4: 132 frames", drawn), "the bar stays behind"


def _read_all(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode("utf-8", "replace")


def test_reader_of_stdout_may_leave(video: Path, tmp_path: Path) -> None:
    words = program("encode", video, tmp_path / "out.mp4", "--attention", "none", "--json")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert len(media.frames_of(tmp_path / "out.mp4")) == len(media.frames_of(video))


def test_full_disk_behind_stdout(video: Path, tmp_path: Path) -> None:
    """The encode is not lost, but whoever reads the JSON has to know that some of it is."""
    words = program("encode", video, tmp_path / "out.mp4", "--attention", "none", "--json")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 1
    assert re.fullmatch(r"stcodec: stdout can't be written \(No space left on device\)[^\n]*\n", done.stderr)
    assert len(media.frames_of(tmp_path / "out.mp4")) == len(media.frames_of(video))


@pytest.mark.parametrize(
    ("flags", "closed"),
    [
        *(("--json", one) for one in (">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full")),
        ("", "2>/dev/full"),
        ("--two-pass --bitrate 300k", "<&- >&- 2>&-"),
    ],
)
def test_closed_streams_cost_no_encode(video: Path, tmp_path: Path, closed: str, flags: str) -> None:
    """Nor does a library write into the output what it says on stderr."""
    words = shlex.join(program("encode", video, "out.mp4", "--attention", "none"))
    done = subprocess.run(
        f"{words} {flags} {closed}", shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(media.frames_of(tmp_path / "out.mp4")) == len(media.frames_of(video))
