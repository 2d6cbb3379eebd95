"""What a browser plays of finished files: frames shown, size, length and sound, as its viewers have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import media
import pytest
from browser import Page, open_browser

import stcodec

pytestmark = pytest.mark.long
PAGE = """<!doctype html><meta charset="utf-8"><video muted preload="auto" src="{name}"></video>
<script>
  const video = document.querySelector("video");
  let first = null;
  video.requestVideoFrameCallback((now, frame) => (first = frame.mediaTime));
  const seen = () => ({{
    error: video.error && video.error.message, ended: video.ended, duration: video.duration, first,
    size: [video.videoWidth, video.videoHeight], frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audio: video.webkitAudioDecodedByteCount,
  }});
</script>"""


@dataclass(frozen=True)
class Case:
    """A source, what is done with it, and what a player then shows."""

    make: Callable[[Path], Path]
    source: str
    output: str
    size: tuple[int, int]
    frames: int
    seconds: float
    has_audio: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def clip(**options: Any) -> Callable[[Path], Path]:
    return lambda path: media.make_video(path, size=(320, 180), frames=50, **options)


def rich(path: Path) -> Path:
    return media.make_rich_video(path, size=(320, 180))


def late_clock(path: Path) -> Path:
    """A recording that begins when its clock stands at an hour."""
    video = media.make_video(path.with_suffix(".mp4"), size=(320, 180), frames=50)
    media.run_ffmpeg("-i", video, "-c", "copy", "-output_ts_offset", "3600", path)
    return path


def turned(path: Path) -> Path:
    return media.make_rotated_video(path, size=(320, 180), frames=50)


CASES = {
    "H.264 and AAC": Case(rich, "a.mkv", "b.mp4", (320, 180), 50, 2, True),
    "QuickTime": Case(rich, "a.mp4", "b.mov", (320, 180), 50, 2, True),
    "fragments": Case(rich, "a.mkv", "b.mp4", (320, 180), 50, 2, True, {"fragmented": True, "subtitles": "none"}),
    "VP9 and Opus": Case(rich, "a.mkv", "b.webm", (320, 180), 50, 2, True, {"encoder": "libvpx-vp9", "audio": "opus"}),
    "AV1": Case(clip(), "a.mkv", "b.mp4", (320, 180), 50, 2, False, {"encoder": "libsvtav1", "attention": "none"}),
    "trimmed": Case(rich, "a.mkv", "b.mp4", (320, 180), 25, 1, True, {"start_seconds": 0.4, "end_seconds": 1.4}),
    "cropped": Case(clip(), "a.mkv", "b.mp4", (162, 98), 50, 2, False, {"filters": "crop=162:98:31:17"}),
    "turned": Case(turned, "a.mp4", "b.mp4", (180, 320), 50, 2),
    "clock at an hour": Case(late_clock, "a.ts", "b.mp4", (320, 180), 50, 2),
    "half the rate": Case(clip(), "a.mkv", "b.mp4", (320, 180), 25, 2, False, {"filters": "fps=12.5"}),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_browser_shows_all_of_it(page: Page, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    source = case.make(tmp_path / case.source)
    options = {"attention": "center", "crf": 30, **case.options}
    stcodec.encode(source, tmp_path / case.output, **options)
    (tmp_path / "page.html").write_text(PAGE.format(name=case.output))
    page.open(tmp_path / "page.html")
    page.run("void video.play()")
    page.wait(lambda: page.run("video.ended || video.error !== null"), "it ends", 60)
    seen = page.run("seen()")
    assert seen["error"] is None
    assert tuple(seen["size"]) == case.size
    assert seen["duration"] == pytest.approx(case.seconds, abs=0.09)
    assert seen["frames"] == pytest.approx(case.frames, abs=1)
    assert seen["first"] == pytest.approx(0, abs=0.05)
    assert (seen["audio"] > 0) == case.has_audio
