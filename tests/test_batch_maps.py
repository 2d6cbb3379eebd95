"""`stcodec batch`: maps are made once for a source, quality is sampled by them, and the page shows what became of it."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import media
import numpy as np
import pytest
from batches import QUICK, jobs, make_folder
from command import run

Capture = pytest.CaptureFixture[str]


def test_maps_are_made_once_and_guide_alike(capfd: Capture, tmp_path: Path) -> None:
    media.make_video(tmp_path / "in.mp4", size=(96, 64), frames=12)
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "copy.mp4"):
        shutil.copy(tmp_path / "in.mp4", tmp_path / "in" / name)
    arguments = ("batch", tmp_path / "in", tmp_path / "out", "--attention", "motion", "--preset", "ultrafast", "--jobs", "1")
    output = tmp_path / "out" / "a.mp4"
    made, kept = [], []
    for crf in ("30", "40", "30"):
        assert run(capfd, *arguments, "--crf", crf, "-y", "-q").status == 0
        made.append(output.read_bytes())
        kept.append([job["maps_were_kept"] for job in jobs(tmp_path / "out").values()])
    assert sorted(kept[0]) == [0, 1] and kept[1:] == [[1, 1], [1, 1]]  # the copy shares them from the beginning
    assert made[0] == made[2] != made[1]
    (maps,) = (tmp_path / "out" / ".stcodec-batch" / "maps").iterdir()
    assert run(capfd, "encode", tmp_path / "in.mp4", output, "--attention", f"map:{maps}", "--smoothing", "0", "-y", "-q",
               "--preset", "ultrafast", "--crf", "30").status == 0  # fmt: skip
    assert len(output.read_bytes()) == len(made[0])


def test_sampled_quality(capfd: Capture, tmp_path: Path) -> None:
    make_folder(tmp_path / "in", "a.mkv")
    media.make_rotated_video(tmp_path / "in" / "turned.mp4", size=(64, 48), frames=8)
    assert run(capfd, "batch", tmp_path / "in", tmp_path / "out", *QUICK, "--crf", "40", "-q").status == 0
    for name, job in jobs(tmp_path / "out").items():
        pairs = zip(media.frames_of(tmp_path / "in" / name), media.frames_of(tmp_path / "out" / name), strict=True)
        error = np.mean([np.mean((one.astype(float) - other) ** 2) for one, other in pairs])
        assert job["quality_db"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)
    done = run(capfd, "batch", "status", tmp_path / "out", "--json")
    qualities = [job["quality_db"] for job in jobs(tmp_path / "out").values()]
    summary = json.loads(done.out)
    assert summary["mean_quality_db"] == pytest.approx(np.mean(qualities)) and summary["least_quality_db"] == min(qualities)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_shows_hostile_names_as_text(capfd: Capture, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>&amp;.mp4".replace("/", "")
    make_folder(tmp_path / "in", hostile)
    (tmp_path / "in" / "<b>bad.mp4").write_bytes(b"no video")
    page = tmp_path / "page.html"
    arguments = ("batch", tmp_path / "in", tmp_path / "out", *QUICK, "--report", page)
    quiet = run(capfd, *arguments, "-q")
    assert (quiet.status, quiet.out) == (3, "")
    assert quiet.err.count("\n") == 1 and quiet.err.startswith(f"failed: {tmp_path}/in/<b>bad.mp4: ")
    shown = Page(page.read_text(encoding="utf-8"))
    assert not {"script", "b", "img", "link"} & set(shown.tags)
    assert hostile in shown.texts and any("<b>bad.mp4" in text for text in shown.texts)
    assert "default-src 'none'" in page.read_text(encoding="utf-8").replace("&#x27;", "'")
    done = run(capfd, *arguments)
    assert done.status == 1 and "page.html: exists already; -y replaces it" in done.err
