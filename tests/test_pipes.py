"""`-` as the name of the input, of the output, of both."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import islice
from pathlib import Path

import av
import command
import media
import pytest

import stcodec

PROGRAM = [sys.executable, "-m", "stcodec", "encode"]
QUICK = ["--attention", "center", "--preset", "ultrafast"]


def through(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, check=False, timeout=120)


def frames_of(content: bytes) -> tuple[str, int]:
    with av.open(io.BytesIO(content), "r") as container:
        return container.format.name, sum(1 for _ in container.decode(video=0))


def test_from_a_pipe_to_a_pipe(video: Path) -> None:
    done = through("-", "-", *QUICK, stdin=video.read_bytes())
    assert done.returncode == 0, done.stderr
    name, frames = frames_of(done.stdout)
    assert "matroska" in name and frames == len(media.frames_of(video))
    assert b"read to its end first" in done.stderr


def test_mp4_in_a_pipe(video: Path) -> None:
    done = through(video, "-", "--container", "mp4", *QUICK)
    name, frames = frames_of(done.stdout)
    assert "mp4" in name and frames == len(media.frames_of(video))
    boxes = boxes_of(done.stdout)
    assert boxes[:2] == ["ftyp", "moov"] and boxes.count("moof") == boxes.count("mdat") >= 1


def boxes_of(content: bytes) -> list[str]:
    """The names of the boxes of an MP4, in order."""
    names, place = [], 0
    while place < len(content):
        names.append(content[place + 4 : place + 8].decode())
        place += int.from_bytes(content[place : place + 4], "big")
    return names


def test_a_reader_can_begin_before_all_has_come(video: Path) -> None:
    done = through(video, "-", "--container", "mp4", "--keyint", "5", *QUICK)
    half = done.stdout[: len(done.stdout) * 2 // 3]
    with av.open(io.BytesIO(half), "r") as container:
        shown = list(islice(container.decode(video=0), 5))
    assert [frame.time for frame in shown] == pytest.approx([index / 25 for index in range(5)])


def test_fragments_hold_everything_but_the_cover(rich_mkv: Path, tmp_path: Path) -> None:
    report = stcodec.encode(rich_mkv, tmp_path / "out.mp4", attention="none", preset="ultrafast", fragmented=True)
    kinds = [one["kind"] for one in media.streams_of(tmp_path / "out.mp4")]
    assert (kinds.count("video"), kinds.count("audio"), kinds.count("subtitle")) == (1, 2, 2)
    assert media.chapters_of(tmp_path / "out.mp4") == list(media.CHAPTERS)
    assert media.audio_packets(tmp_path / "out.mp4") == media.audio_packets(rich_mkv)
    assert any("no place for cover art" in one for one in report.messages)


def test_from_a_pipe_to_a_file(video: Path, tmp_path: Path) -> None:
    done = through("-", tmp_path / "out.mp4", "-q", *QUICK, stdin=video.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(media.frames_of(tmp_path / "out.mp4")) == len(media.frames_of(video))


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "words"),
    [
        (["-", "out.mp4"], b"", 1, b"nothing came"),
        (["-", "out.mp4"], b"no video at all", 1, b"not a media file"),
        (["IN", "-", "--json"], b"", 2, b"--report"),
        (["IN", "out.mp4", "--container", "mkv"], b"", 2, b"goes with -"),
    ],
)
def test_bad_pipes(video: Path, tmp_path: Path, arguments: list[str], stdin: bytes, status: int, words: bytes) -> None:
    named = [str(video) if one == "IN" else str(tmp_path / one) if one.startswith("out") else one for one in arguments]
    done = through(*named, stdin=stdin)
    assert done.returncode == status and done.stdout == b""
    assert words in done.stderr and b"Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away(video: Path) -> None:
    """As in `stcodec encode IN - | head -c 1`: one line, no traceback."""
    with subprocess.Popen([*PROGRAM, str(video), "-", "-q", *QUICK], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.close()
        said = run.stderr.read()
    assert run.returncode == 1 and b"Traceback" not in said and said.count(b"\n") == 1


def test_a_terminal_is_no_pipe(video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = command.run(capfd, "encode", "-", tmp_path / "out.mp4")
    assert done.status in (1, 2) and "stdin" in done.err
