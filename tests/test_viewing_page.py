"""The viewers' page of a pair test in a real browser: what it shows, how it is answered by keyboard, what it saves."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import command
import media
import numpy as np
import pytest
from browser import Page, open_browser
from numpy.typing import NDArray
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from stcodec.evaluate import CompareOptions
from stcodec.media.decode import VideoReader
from stcodec.viewing import PairTestOptions, make_test
from stcodec.viewing.key import read_key

SIZE = (320, 180)
FRAMES = 90
NAMES = ("</script><img src=x onerror=alert(1)>.mp4", "b.mkv", "c.mkv")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A reference with a cut in it, and three encodes that differ clearly: good, bad, worse."""
    folder = tmp_path_factory.mktemp("viewing")
    reference = media.make_video(folder / "reference.mp4", size=SIZE, frames=FRAMES, cuts=(30,))
    made = [folder / name.replace("/", "_") for name in NAMES]
    for path, crf in zip(made, ("18", "34", "44"), strict=True):
        media.run_ffmpeg("-i", reference, "-c:v", "libx264", "-preset", "veryfast", "-g", "250", "-crf", crf, path)
    return [reference, *made]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


def made_test(files: list[Path], folder: Path, **options: Any) -> Path:
    scored = CompareOptions(metrics=("psnr", "ssim"), jobs=1)
    made, _ = make_test(files[0], files[1:], folder, options=PairTestOptions(seconds=1, **options), scored_by=scored)
    return made.folder


@pytest.fixture(scope="module")
def beside(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_test(files[:3], tmp_path_factory.mktemp("tests") / "beside", pairs=3, show="side-by-side")


class Viewer:
    """Somebody at the page, who has nothing but keys."""

    def __init__(self, page: Page, folder: Path, saved: Path, number: int, width: int = 1280) -> None:
        self.page, self.saved, self.number = page, saved, number
        saved.mkdir(exist_ok=True)
        behaviour = {"behavior": "allow", "downloadPath": str(saved)}
        page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        page.open(folder / "for-viewers" / "test.html", width)
        self.data = page.run("JSON.parse(document.getElementById('data').textContent)")
        self.plan = self.data["plans"][number - 1]

    def stage(self) -> str:
        return str(self.page.run("document.body.dataset.stage"))

    def press(self, *keys: str) -> None:
        ActionChains(self.page.driver).send_keys(*keys).perform()

    def wait_for(self, stage: str) -> None:
        self.page.wait(lambda: self.stage() == stage, f"stage {stage}", 60)

    def begin(self) -> None:
        self.press(str(self.number), Keys.ENTER)
        self.wait_for("ready")

    def watch(self) -> None:
        self.press(" ")
        self.wait_for("vote")

    def finish(self) -> dict[str, Any]:
        self.wait_for("done")
        self.page.wait(lambda: len(list(self.saved.glob("*.json"))) == 1, "answers are saved")
        (path,) = self.saved.glob("*.json")
        assert path.name == self.page.text("#saved-name")
        return dict(json.loads(path.read_text(encoding="utf-8")))


def test_answers_by_keyboard_are_read_back(
    page: Page, beside: Path, files: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two viewers; the first sees everything and prefers the first file, the other always says "left"."""
    key = read_key(beside / "key.json")
    sharp = Viewer(page, beside, tmp_path / "sharp", number=1)
    assert sharp.plan != sharp.data["plans"][1]
    sharp.begin()
    for trial, first, second in sharp.plan:
        sharp.watch()
        better = key.files[first][1] <= key.files[second][1]
        sharp.press(Keys.ARROW_LEFT if better else "2")
        del trial
    saved = sharp.finish()
    messages, asked = page.drain()
    assert [one for one in messages if "favicon" not in one] == []
    assert all(url.startswith(beside.as_uri()) or url.startswith("blob:") for url in asked), asked
    assert saved["complete"] and len(saved["answers"]) == len(sharp.plan) == 1 + 3 + 1 + 1
    assert all(one["one_to_one"] and one["plays"] == 1 and one["frames"] >= 2 * 24 for one in saved["answers"])
    lazy = Viewer(page, beside, tmp_path / "lazy", number=2)
    lazy.begin()
    for _ in lazy.plan:
        lazy.watch()
        lazy.press("1")
    lazy.finish()

    found = [*(tmp_path / "sharp").glob("*.json"), *(tmp_path / "lazy").glob("*.json")]
    done = command.run(capfd, "compare", "--ab-results", *found, "--key", beside / "key.json", "--json")
    assert done.status == 0, done.err
    (line,) = [json.loads(text) for text in done.out.splitlines()]
    (pair,) = line["pairs"]
    lefts = sum(key.files[second][1] < key.files[first][1] for trial, first, second in lazy.plan if _is_pair(key, trial))
    assert pair["candidates"] == [path.name for path in files[1:3]]
    assert (pair["wins"], pair["answers"]) == (lefts, 6)  # the sharp one never took the second
    by_number = {viewer["number"]: viewer for viewer in line["viewers"]}
    assert by_number[1]["repeats_agreed"] == by_number[1]["repeats"] == 1
    assert by_number[2]["repeats_agreed"] == 0 and by_number[2]["first_share"] == 1
    assert line["same_answers"] == 2


def _is_pair(key: Any, trial: str) -> bool:
    return bool(key.trials[trial].kind == "pair")


def test_the_page_gives_nothing_away(beside: Path, files: list[Path]) -> None:
    text = (beside / "for-viewers" / "test.html").read_text(encoding="utf-8")
    assert not any(path.name in text for path in files)
    assert '"repeat"' not in text and "img src" not in text
    key = read_key(beside / "key.json")
    sizes: dict[int, set[int]] = {}
    for path in (beside / "for-viewers" / "clips").iterdir():
        excerpt, _ = key.files[path.stem]
        sizes.setdefault(excerpt, set()).add(path.stat().st_size)
        assert path.stat().st_mtime == 0
        assert b"stcodec" not in path.read_bytes()
    assert len(sizes) == 3 and all(len(one) == 1 for one in sizes.values())


def test_pictures_are_at_their_places_pixel_for_pixel(page: Page, beside: Path, tmp_path: Path) -> None:
    viewer = Viewer(page, beside, tmp_path / "saved", number=3, width=1281)
    viewer.begin()
    viewer.press(" ")
    viewer.wait_for("playing")
    rectangles = "[...document.querySelectorAll('video')].map((video) => video.getBoundingClientRect())"
    boxes = page.run(f"{rectangles}.map((box) => [box.x, box.y, box.width, box.height])")
    assert [box[2:] for box in boxes] == [list(SIZE), list(SIZE)]
    assert all(value == int(value) for box in boxes for value in box)
    assert boxes[1][0] - boxes[0][0] == SIZE[0] + 32 and boxes[0][1] == boxes[1][1]
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(128, 128, 128)"
    viewer.wait_for("vote")


@pytest.mark.parametrize(("ratio", "width", "is_exact"), [(2, 700, True), (1.5, 500, True), (1, 500, False)])
def test_fine_and_small_screens(page: Page, beside: Path, tmp_path: Path, ratio: float, width: int, is_exact: bool) -> None:
    viewer = Viewer(page, beside, tmp_path / "saved", number=1)
    size = {"width": width, "height": 500, "screenWidth": width, "screenHeight": 500, "deviceScaleFactor": ratio}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, "mobile": False})
    page.wait(lambda: bool(page.run("innerWidth === arguments[0]", width)), "the screen is another")
    page.wait(lambda: ("Use a larger screen" in page.text("#screen-note")) is not is_exact, "the page says so")
    viewer.begin()
    viewer.press(" ")
    viewer.wait_for("playing")
    shown = page.run("document.querySelector('video').getBoundingClientRect().width") * ratio
    assert (abs(shown - SIZE[0]) < 0.1) is is_exact and shown <= SIZE[0] + 0.1
    viewer.wait_for("vote")


def test_one_after_the_other_and_once_more(page: Page, files: list[Path], tmp_path: Path) -> None:
    folder = made_test(files, tmp_path / "turns", pairs=1)
    viewer = Viewer(page, folder, tmp_path / "saved", number=1)
    assert len(viewer.plan) == 1 + 3 + 1 + 1  # practice, each two of three, a repeat, a pair of the same
    viewer.press(Keys.ENTER)
    assert viewer.stage() == "welcome" and "number" in page.text("#screen-note")
    viewer.begin()
    assert page.text("#count") == "Practice"
    viewer.press("1")
    assert viewer.stage() == "ready"  # there is nothing to be judged yet
    viewer.press(" ")
    viewer.wait_for("title")
    assert page.text("#title-number") == "1"
    viewer.wait_for("playing")
    script = "[...document.querySelectorAll('video')].map((video) => getComputedStyle(video).visibility)"
    assert page.run(script) == ["visible", "hidden"]
    page.wait(lambda: viewer.stage() == "title" and page.text("#title-number") == "2", "the second comes")
    viewer.wait_for("playing")
    assert page.run(script) == ["hidden", "visible"]
    viewer.wait_for("vote")
    viewer.press("r")
    viewer.wait_for("title")
    viewer.wait_for("vote")
    viewer.press("2")
    viewer.wait_for("ready")
    assert page.text("#count") == "Pair 1 of 5"


def test_a_missing_file_is_said(page: Page, files: list[Path], tmp_path: Path) -> None:
    folder = made_test(files[:3], tmp_path / "broken", pairs=1, show="side-by-side")
    for path in (folder / "for-viewers" / "clips").iterdir():
        path.unlink()
    viewer = Viewer(page, folder, tmp_path / "saved", number=1)
    viewer.begin()
    viewer.press(" ")
    viewer.wait_for("failed")
    assert "is not there" in page.text("#failed-why")


# --- what chromium shows of an excerpt --------------------------------------------------------------------------------

_FRAMES_SCRIPT = """
const [address, times, done] = [arguments[0], arguments[1], arguments[2]];
(async () => {
  const video = document.createElement("video");
  video.muted = true;
  video.src = URL.createObjectURL(await (await fetch(address)).blob());
  await new Promise((resolve, reject) => { video.oncanplaythrough = resolve; video.onerror = reject; });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const found = [];
  for (const time of times) {
    const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const sought = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
    video.currentTime = time;
    await sought;
    // A frame that was there before is not presented again.
    await Promise.race([shown, new Promise((resolve) => setTimeout(resolve, 250))]);
    context.drawImage(video, 0, 0);
    const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let text = "";
    for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
    found.push(btoa(text));
  }
  return found;
})().then(done, (error) => done(String(error)));
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def test_chromium_shows_the_very_frames(page: Page, beside: Path, files: list[Path]) -> None:
    """Each frame of an excerpt, as the browser paints it, is the one of the compared file, and none beside it."""
    key = read_key(beside / "key.json")
    facts = key.facts["excerpts"]
    handler = partial(Quiet, directory=str(beside / "for-viewers"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        page.visit(f"http://127.0.0.1:{server.server_port}/clips/")
        for name, (excerpt, candidate) in key.files.items():
            wanted = _colours(files[1 + candidate], facts[excerpt]["first_frame"], facts[excerpt]["frames"])
            times = [(place + 0.5) / 25 for place in range(len(wanted))]
            found = page.driver.execute_async_script(_FRAMES_SCRIPT, f"{name}.mp4", times)
            assert isinstance(found, list), found
            for place, text in enumerate(found):
                shown = np.frombuffer(base64.b64decode(text), np.uint8).reshape(SIZE[1], SIZE[0], 4)[:, :, :3]
                first = max(0, place - 3)
                errors = [float(((shown.astype(float) - one) ** 2).mean()) for one in wanted[first : place + 4]]
                assert first + int(np.argmin(errors)) == place
                assert min(errors) < 4  # 42 dB: colours are converted by two programs
    finally:
        server.shutdown()
        server.server_close()


def _colours(path: Path, first: int, frames: int) -> list[NDArray[np.uint8]]:
    with VideoReader(path) as reader:
        return [
            np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            for frame in islice(reader.frames(), first, first + frames)
        ]
