"""What the command line does with libsvtav1 where nothing is said about attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import media
import pytest
from coding import main_packets
from command import run

from stcodec.encoders.av1_headers import frame_quantisers

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def short(videos: Path) -> Path:
    return media.make_video(videos / "short.mp4", size=(320, 192), frames=10)


def plan_of(capfd: Capture, source: Path, target: Path, *words: str) -> tuple[dict[str, Any], str]:
    done = run(capfd, "encode", source, target, "--encoder", "libsvtav1", "--dry-run", "--json", *words)
    assert done.status == 0
    return json.loads(done.out), done.err


def test_each_shot_gets_a_crf(capfd: Capture, short: Path, tmp_path: Path) -> None:
    for words, target in (((), "crf=35"), (("--crf", "41"), "crf=41"), (("--match-crf", "30"), "crf=30")):
        plan, said = plan_of(capfd, short, tmp_path / "out.mp4", *words)
        assert (plan["match"]["target"], plan["match"]["control"]) == (target, "shots")
        assert (plan["attention"], plan["block_px"]) == ("neural", None)
        assert "gets no map unless --attention names one" in said and target in said
    plan, said = plan_of(capfd, short, tmp_path / "out.mp4", "--target", "attended-psnr=40")
    assert plan["match"]["target"] == "attended-psnr=40" and plan["block_px"] is None


@pytest.mark.parametrize(
    "words", [("--attention", "center"), ("--policy", "gentle"), ("--floor", "0.8"), ("--anchor", "mean")]
)
def test_a_map_is_there_for_the_asking_and_says_what_it_costs(
    capfd: Capture, short: Path, tmp_path: Path, words: tuple[str, str]
) -> None:
    plan, said = plan_of(capfd, short, tmp_path / "out.mp4", *words)
    assert "match" not in plan and plan["block_px"] == 64 and said == ""
    assert "cost 1.1 % at equal VMAF" in " ".join(plan["messages"])


def test_a_bitrate_is_the_plain_encode(capfd: Capture, short: Path, tmp_path: Path) -> None:
    plan, said = plan_of(capfd, short, tmp_path / "out.mp4", "--bitrate", "200k")
    assert plan["attention"] == "none" and "match" not in plan and "this is the plain encode" in said


def test_quiet_is_quiet_and_other_encoders_are_guided(capfd: Capture, short: Path, tmp_path: Path) -> None:
    done = run(capfd, "encode", short, tmp_path / "out.mp4", "--encoder", "libsvtav1", "--preset", "12", "-q")
    assert (done.status, done.out, done.err) == (0, "", "")
    plain = run(
        capfd,
        "encode",
        short,
        tmp_path / "plain.mp4",
        "--encoder",
        "libsvtav1",
        "--preset",
        "12",
        "--crf",
        "35",
        "--attention",
        "none",
        "-q",
    )
    assert plain.status == 0
    assert [bytes(one) for one in main_packets(tmp_path / "out.mp4")] == [
        bytes(one) for one in main_packets(tmp_path / "plain.mp4")
    ]
    done = run(capfd, "encode", short, tmp_path / "x.mp4", "--dry-run", "--json")
    assert json.loads(done.out)["block_px"] == 16 and done.err == ""


def test_batch_and_fixed_ladders(capfd: Capture, short: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_bytes(short.read_bytes())
    coding = ["--encoder", "libsvtav1", "--preset", "12"]
    done = run(capfd, "batch", tmp_path / "in", tmp_path / "out", *coding, "--dry-run")
    assert done.status == 0 and "crf=35" in done.err
    done = run(capfd, "batch", tmp_path / "in", tmp_path / "ladder", *coding, "--ladder", "96p@60k")
    assert done.status == 0 and "this is the plain encode" in done.err
    frames = list(frame_quantisers(tmp_path / "ladder" / "a" / "media_0.m3u8"))
    assert len(frames) >= 10 and all(one.qindex_offsets is None for one in frames)


def test_a_stream_is_the_plain_encode(capfd: Capture, short: Path, tmp_path: Path) -> None:
    coding = ["--encoder", "libsvtav1", "--preset", "12", "--bitrate", "200k", "--no-pace"]
    done = run(capfd, "stream", short, tmp_path / "out.mkv", *coding)
    assert done.status == 0 and "this is the plain encode" in done.err, done
    assert all(one.qindex_offsets is None for one in frame_quantisers(tmp_path / "out.mkv"))
    done = run(capfd, "stream", short, tmp_path / "x.mkv", *coding, "--anchor", "half")
    assert done.status == 2 and "drops the QP offsets silently" in done.err


@pytest.mark.parametrize("option", ["qp=40", "svtav1-params=crf=40", "svtav1-params=tune=0:rc=1:tbr=100"])
def test_options_that_a_search_would_not_heed_are_refused(capfd: Capture, short: Path, tmp_path: Path, option: str) -> None:
    words: list[str | Path] = [
        "encode",
        short,
        tmp_path / "out.mp4",
        "--encoder",
        "libsvtav1",
        "--preset",
        "12",
        "--opt",
        option,
    ]
    for more in ((), ("--crf", "30", "--attention", "none"), ("--match-crf", "30", "--attention", "center")):
        done = run(capfd, *words, *more)
        assert done.status == 2 and "a crf sets the quality already" in done.err, done
    assert run(capfd, *words, "--attention", "none").status == 0


def test_preview_names_the_map_in_its_command(capfd: Capture, short: Path, tmp_path: Path) -> None:
    done = run(
        capfd, "preview", short, "--page", tmp_path / "page.html", "--encoder", "libsvtav1", "--preset", "12", "--json"
    )
    assert done.status == 0
    command = json.loads(done.out.splitlines()[-1])["command"]
    assert "--attention neural" in command
    assert "this is a preview of what a map would do" in done.err
