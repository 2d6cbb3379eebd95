"""What others wrote (names, tags, messages) controls no terminal and forges no line, whoever prints it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from pathlib import Path

import media
import numpy as np
import pytest
import test_onnx
from command import ENVIRONMENT, assert_one_line, program, run, run_apart
from hypothesis import example, given, strategies as st
from onnx import helper
from test_hostile_files import OPENERS, opened

from stcodec.cli.streams import for_drawing, forgiving_streams

HOSTILE = "m\x1b[31m\x9b2J\u202e\x07\rx\nFORGED\n"


def assert_harmless(text: str) -> None:
    assert all(one.isprintable() or one in "\t\n" for one in text), text
    assert not any(line.startswith("FORGED") for line in text.splitlines()), text


@given(st.text(), st.sampled_from(["utf-8", "latin-1", "ascii"]))
@example(HOSTILE + "\udcff", "ascii")
def test_whatever_is_printed_is_printable(text: str, encoding: str) -> None:
    content = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(content, encoding, newline="\n")) as stream, forgiving_streams():
        print(text, end="")
    shown = content.getvalue().decode(encoding)
    assert all(one.isprintable() or one in "\t\n" for one in shown)
    if all(one in "\t\n" or " " <= one <= "~" for one in text):
        assert shown == text
    stream.detach()


def test_who_draws_may_move_the_cursor() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as stream, forgiving_streams():
        import sys

        for_drawing(sys.stderr).write("\x1b[K")
    assert stream.getvalue() == "\x1b[K"


@pytest.fixture(scope="module")
def tagged(videos: Path) -> Path:
    """A small video whose every text is hostile: of the file, its tracks, its chapter and its attachment."""
    media.make_video(videos / "small.mkv", size=(96, 64), frames=8)
    chapters = videos / "chapters.txt"
    title = HOSTILE.replace("\n", "\\\n")
    chapters.write_text(f";FFMETADATA1\ntitle={title}\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=100\ntitle={title}\n")
    words = ("-i", videos / "small.mkv", "-i", chapters, "-map", "0", "-c", "copy", "-map_metadata", "1")
    tags = ("-metadata:s:v", f"title={HOSTILE}", "-metadata:s:v", "language=\x1b[31m", "-metadata", f"comment={HOSTILE}")
    attachment = ("-attach", chapters, "-metadata:s:t", "mimetype=text/plain", "-metadata:s:t", f"filename={HOSTILE}")
    media.run_ffmpeg(*words, *tags, *attachment, videos / "tagged.mkv")
    return videos / "tagged.mkv"


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("way", OPENERS)
def test_no_command_prints_what_a_file_holds_as_it_is(
    capfd: pytest.CaptureFixture[str], tagged: Path, tmp_path: Path, way: str, is_whole: bool
) -> None:
    file = tmp_path / f"{HOSTILE}.mkv"
    file.write_bytes(tagged.read_bytes() if is_whole else HOSTILE.encode())
    done = opened(capfd, way, file, tagged, tmp_path / HOSTILE)
    assert_harmless(done.out + done.err)
    assert is_whole or done.status in (1, 2, 3)


@pytest.mark.parametrize("words", [("batch", "FOLDER", "OUT", "--dry-run"), ("doctor", "FILE"), ("maps", "FILE", "FILE")])
def test_command_lines_are_not_printed_as_they_are(
    capfd: pytest.CaptureFixture[str], tagged: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{HOSTILE}.mkv").write_bytes(tagged.read_bytes())
    places = {"FOLDER": str(tmp_path / "in"), "OUT": str(tmp_path / "out")}
    done = run(capfd, *(places.get(word, word.replace("FILE", HOSTILE)) for word in words))
    assert "\\x1b[31m" in done.out + done.err
    assert_harmless(done.out + done.err)


def test_a_terminal_that_lacks_the_letters_ends_no_command(tagged: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "zażółć 時.mkv").write_bytes(tagged.read_bytes())
    (tmp_path / "in" / os.fsdecode(b"bytes \xff.mkv")).write_bytes(tagged.read_bytes())
    done = subprocess.run(
        program("batch", "in", "out", "--dry-run"),
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"za\\u017c\xf3\\u0142\\u0107 \\u6642.mkv" in done.stdout and b"bytes \\udcff.mkv" in done.stdout


def test_a_model_that_fails_is_heard_through_us_only(tagged: Path, tmp_path: Path) -> None:
    """ONNX Runtime's own log would show the names that stand in the model, as they are."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0),
        helper.make_node("Reshape", ["m", "shape"], ["y"], name=HOSTILE),
    ]
    test_onnx.save_model(tmp_path / "m.onnx", nodes, constants={"shape": np.array([7, 11, 13], np.int64)})
    done = run_apart("encode", tagged, tmp_path / "out.mkv", "--attention", f"onnx:{tmp_path / 'm.onnx'}", "-q")
    assert_one_line(done, 1, "m.onnx")
    assert_harmless(done.err)
