"""The examples run, and do what they say."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import stcodec
from stcodec.media.decode import VideoReader

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def test_a_loop_of_ones_own_encodes_as_encode_does(video: Path, tmp_path: Path) -> None:
    ours, own = tmp_path / "ours.mp4", tmp_path / "own.mp4"
    load("own_loop.py")["main"](video, own)
    stcodec.encode(video, ours, attention="motion", encoder="libx264", crf=23, smoothing_seconds=0)
    packets = []
    for path in (ours, own):
        with VideoReader(path) as reader:
            packets.append([frame.to_ndarray().tobytes() for frame in reader.frames()])
    assert len(packets[0]) == 30
    assert packets[0] == packets[1]


def test_a_source_of_ones_own(video: Path, tmp_path: Path) -> None:
    words = [sys.executable, str(EXAMPLES / "own_source.py"), str(video), str(tmp_path / "out.mp4")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+ -> \d+ bytes, attention function:colourful\n", done.stdout)


@pytest.mark.long
def test_a_batch_on_ray(video: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "video.mp4").symlink_to(video)
    summary = load("batch_on_ray.py")["main"](tmp_path / "in", tmp_path / "out")
    assert (summary.done, summary.failed) == (1, 0)
    assert (tmp_path / "out" / "video.mp4").stat().st_size > 0


def test_the_reference_runs(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.mp4").symlink_to(video)
    monkeypatch.chdir(tmp_path)
    page = (EXAMPLES.parent / "docs" / "python.md").read_text(encoding="utf-8")
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)), {"__name__": "reference"})
    written = {path.name for path in tmp_path.iterdir()} - {"in.mp4"}
    assert written == {"out.mp4", "matched.mp4", "maps.mkv", "bright.mp4", "even.mp4", "own.mp4"}
