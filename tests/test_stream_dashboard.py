"""The dashboard of a stream as people see it, in a real browser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from browser import Page, open_browser
from selenium.webdriver.common.action_chains import ActionChains
from streaming import HD, HLS, RTMP, SMALL, SNAPSHOT, FakeStream, picture

from stcodec.stream.observe.listen import WebOptions
from stcodec.stream.observe.snapshot import Pressure
from stcodec.stream.observe.web import WebServer

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


@pytest.fixture
def server(stream: FakeStream) -> Iterator[WebServer]:
    server = WebServer(WebOptions("127.0.0.1:0", dashboard=True))
    server.start(stream)
    yield server
    server.close()


@pytest.fixture
def opened(page: Page, stream: FakeStream, server: WebServer) -> Page:
    for seconds in range(90):
        small = dataclasses.replace(SMALL, kbps=500.0 + seconds)
        server.show(dataclasses.replace(SNAPSHOT, running_seconds=float(seconds), renditions=(HD, small)))
    page.visit(server.url)
    page.wait(lambda: drawn(page) == "0" and page.count("#targets td") > 0, "picture and figures are there")
    return page


def drawn(page: Page) -> str | None:
    """The time of the picture on the canvas."""
    found: str | None = page.run("document.querySelector('#picture').dataset.seconds ?? null")
    return found


def middle(page: Page) -> list[int]:
    """The colour in the middle of the picture, where attention is."""
    return list(
        page.run("[...document.querySelector('#picture').getContext('2d').getImageData(160, 90, 1, 1).data.slice(0, 3)]")
    )


def press(page: Page, *keys: str) -> None:
    ActionChains(page.driver).send_keys(*keys).perform()


def test_it_shows_how_the_stream_does(opened: Page, stream: FakeStream) -> None:
    assert opened.text("#health") == "healthy"
    assert "84 ms" in opened.text("#figures")
    assert "gets about 38 % of a key frame’s bits, 1.9 times its part of the area" in opened.text("#bits")
    assert "6.9 steps finer" in opened.text("#bits")
    assert opened.texts("#targets td")[:3] == ["live/master.m3u8", "hls", "open"]
    assert opened.run("document.querySelector('#chart-latency .plot .line.a').getAttribute('d').split('L').length") >= 90
    stream.change(
        pressure=Pressure.FEWER_MAPS,
        targets=(dataclasses.replace(RTMP, name=HOSTILE, condition="retrying", message=HOSTILE), HLS),
    )
    opened.wait(lambda: opened.count("#pressure .on") == 2, "pressure is shown")
    assert opened.text("#health") == f"not healthy: target {HOSTILE} is retrying: {HOSTILE}"
    assert opened.texts("#targets td")[0] == HOSTILE
    messages, asked = opened.drain()
    assert messages == []
    assert {url.split("?")[0].rsplit("/", 1)[-1] for url in asked if url.startswith("http")} <= {
        "",
        "state.json",
        "preview.json",
    }


def test_the_map_lies_over_the_picture_as_strong_as_wanted(opened: Page, stream: FakeStream) -> None:
    with_map = middle(opened)
    assert max(with_map) - min(with_map) > 60  # the ramp is gray
    press(opened, "-", "-")
    opened.wait(lambda: middle(opened) != with_map, "the map is weaker")
    weaker = middle(opened)
    press(opened, "m")
    opened.wait(lambda: max(middle(opened)) - min(middle(opened)) < 12, "the map is gone")
    assert max(weaker) - min(weaker) > 12
    press(opened, "m", "f")
    opened.wait(lambda: opened.text("#freeze") == "Freeze" and "Frozen" in opened.text("#moment"), "it is frozen")
    stream.shown = picture(5.0, with_map=False)
    press(opened, "f")
    opened.wait(lambda: drawn(opened) == "5", "the next picture comes")
    assert "without attention there is no map" in opened.text("#moment")
    assert opened.run("document.querySelector('#map-on').disabled")


def test_without_attention_nothing_is_compared(opened: Page, stream: FakeStream) -> None:
    plain = dataclasses.replace(HD, mean_qp_attended=None, mean_qp_elsewhere=None, bits_attended=None, offsets_slope=None)
    stream.change(map_condition="none", map_age_seconds=None, renditions=(plain,))
    opened.wait(lambda: opened.text("#bits") == "Without attention all places are the same.", "it is said")
    assert opened.drain()[0] == []


def test_each_rendition_has_its_figures(opened: Page) -> None:
    assert "out 2483 kbit/s" in opened.text("#chart-rate figcaption")
    opened.choose("#which", "360p")
    assert "out 589 kbit/s" in opened.text("#chart-rate figcaption")
    assert "3.5 steps finer" in opened.text("#bits")


def test_it_says_when_the_stream_is_gone(opened: Page, server: WebServer) -> None:
    server.close()
    opened.wait(lambda: opened.text("#health") == "no answer from the stream", "the loss is shown")


@pytest.mark.parametrize("width", [390, 1600])
def test_nothing_sticks_out(page: Page, server: WebServer, stream: FakeStream, width: int) -> None:
    long = dataclasses.replace(HLS, name="rtmp://" + "a" * 200, message="b" * 300)
    stream.change(targets=(long, RTMP), source="srt://" + "c" * 150)
    page.visit(server.url, width)
    page.wait(lambda: drawn(page) == "0" and page.count("#targets td") > 0, "picture and figures are there")
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.drain()[0] == []
