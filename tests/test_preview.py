"""`stcodec preview`: its figures, and its page in a real browser, from a file and without a network."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from browser import open_browser
from command import assert_refused, run

HOSTILE = "<img src=x onerror=alert(1)>.mp4"


def test_a_preview_says_and_shows_what_would_happen(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    source, look = tmp_path / HOSTILE, tmp_path / "look.html"
    source.write_bytes(video.read_bytes())
    flags = ("--attention", "center", "--policy", "strong", "--preset", "ultrafast", "--crf", "30")
    done = run(capfd, "preview", source, "--page", look, "--json", *flags)
    assert done.status == 0, done.err
    said = json.loads(done.out.splitlines()[-1])
    assert said["event"] == "preview"
    assert shlex.split(said["command"]) == ["stcodec", "encode", str(source), *flags]
    instants = said["instants"]
    assert [one["seconds"] for one in instants] == pytest.approx([0.3, 0.9], abs=0.05)  # 1.2 s: room for two
    for one in instants:
        assert abs(one["same_bits"] / one["guided"] - 1) < abs(one["plain"] / one["guided"] - 1)
    # What it says of the whole is about what the whole then is.
    assert run(capfd, *shlex.split(said["command"])[1:], tmp_path / "out.mkv", "-q").status == 0
    assert said["expected_bytes"] == pytest.approx((tmp_path / "out.mkv").stat().st_size, rel=0.5)

    with open_browser(tmp_path / "browser") as page:
        page.open(look)
        page.wait(lambda: page.count("section") == len(instants), "the instants are there")
        assert page.text("h1") == str(source)
        assert page.text("code") == said["command"]
        page.wait(lambda: page.run("[...document.images].every((one) => one.complete)"), "the pictures are loaded")
        assert page.count("img") == 6 * len(instants)
        assert page.run("[...document.images].every((one) => one.naturalWidth >= 320)")
        assert f"With attention, {instants[0]['guided']:.0f} kbit/s" in page.text("section")
        messages, asked = page.drain()
        assert messages == []
        assert [one for one in asked if not one.startswith(("file:", "data:", "about:"))] == []


def test_nothing_is_overwritten(capfd: pytest.CaptureFixture[str], video: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("precious")
    assert_refused(capfd, tmp_path, 1, "exists already", "preview", video, "--page", tmp_path / "page.html")
    assert_refused(
        capfd, tmp_path, 2, "nothing to be seen", "preview", video, "--page", tmp_path / "p.html", "--attention", "none"
    )
    assert_refused(capfd, tmp_path, 1, "no such file", "preview", tmp_path / "no.mp4", "--page", tmp_path / "p.html")
