"""The page of `inspect` as a reader sees it, in a real browser, from a file and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Page, open_browser
from inspected import FLICKERS, make_inspected
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from stcodec.diagnose import InspectOptions, inspect

HOSTILE = "<img src=x onerror=alert(1)>.mp4"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on a video with a hostile name."""
    folder = tmp_path_factory.mktemp("inspected")
    video, maps = make_inspected(folder)
    video = video.rename(folder / HOSTILE)
    inspect(video, InspectOptions(attention=f"map:{maps}", report=folder / "page.html"))
    return folder / "page.html"


@pytest.fixture
def opened(page: Page, report: Path) -> Page:
    page.open(report)
    page.wait(lambda: frame_shown(page) != "", "the frame is drawn")
    return page


def frame_shown(page: Page) -> str:
    """The number of the still whose picture is on the canvas; "" while it is being decoded."""
    return str(page.run("document.querySelector('#canvases canvas').dataset.ready"))


def pixels(page: Page) -> Any:
    """What the frame's canvas shows."""
    return page.run("document.querySelector('#canvases canvas').toDataURL()")


def settle(page: Page, seconds: float) -> None:
    clock = f"0:{seconds:05.2f}"
    page.wait(lambda: page.text("#clock") == clock and frame_shown(page) != "", f"the frame at {clock} is drawn")


def rows(page: Page) -> list[str]:
    return page.texts("#findings-list button")


def press(page: Page, *keys: str) -> None:
    ActionChains(page.driver).send_keys(*keys).perform()


def test_clicking_a_finding_shows_its_frame_and_what_to_try(opened: Page) -> None:
    found = rows(opened)
    flicker, lag = (next(i for i, text in enumerate(found) if name in text) for name in ("Flicker", "Lag"))
    opened.click(f"#findings-list button[data-finding='{flicker}']")
    opened.wait(lambda: FLICKERS[0] <= float(opened.text("#clock")[2:]) < FLICKERS[1], "the clock is at the flicker")
    opened.wait(lambda: frame_shown(opened) != "", "its frame is drawn")
    before = pixels(opened)
    assert "smooth the maps more" in opened.text("#advice")
    opened.click(f"#findings-list button[data-finding='{lag}']")
    settle(opened, 2.2)
    assert pixels(opened) != before
    assert "for 0.40 s after a cut" in opened.text("#moment")
    assert opened.run("document.querySelector('[data-finding][aria-current=true]').dataset.finding") == str(lag)


def test_the_timeline_marks_findings_and_can_be_clicked(opened: Page) -> None:
    assert opened.count("[data-lane=flicker] .span") == 1
    assert opened.count("[data-lane=drift] .span") == 0
    assert opened.count("[data-lane=flicker] .cut") == 1
    opened.run("document.querySelector('[data-lane=lag] .span').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    settle(opened, 2.2)
    opened.click("#strip button:last-child")
    settle(opened, 2.8)


def test_all_works_by_keyboard(opened: Page) -> None:
    opened.click("#strip button")
    settle(opened, 0.0)
    opened.run("document.activeElement.blur()")
    press(opened, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    settle(opened, 0.2)
    press(opened, "p")
    settle(opened, 2.2)  # the last finding
    press(opened, "n")
    opened.wait(lambda: "Flicker" in opened.text("#moment"), "the first finding comes after the last")
    press(opened, " ")
    opened.wait(lambda: float(opened.text("#clock")[2:]) >= 1.6, "it plays")
    press(opened, " ")
    assert opened.run("document.querySelector('#play').getAttribute('aria-label')") == "Play"
    opened.run("document.querySelector('[data-lane=lag] .span').focus()")
    press(opened, Keys.ENTER)
    settle(opened, 2.2)


def test_styles_and_layers_change_the_picture(opened: Page) -> None:
    settle(opened, float(opened.text("#clock")[2:]))
    seen = {pixels(opened)}
    for style in ("contours", "frame only", "map over the frame"):
        opened.choose("#style", style)
        seen.add(pixels(opened))
    opened.choose("#layer", "QP offsets (default policy)")
    seen.add(pixels(opened))
    assert "10 QP" in opened.text("#legend")
    assert len(seen) == 4
    opened.choose("#style", "side by side")
    assert opened.count("#canvases canvas") == 2


def test_the_network_from_the_inside(page: Page, video: Path, tmp_path: Path) -> None:
    inspect(video, InspectOptions(attention="neural:device=cpu", report=tmp_path / "page.html", moments=1))
    page.open(tmp_path / "page.html", 1000)
    page.wait(lambda: frame_shown(page) != "", "the frame is drawn")
    page.click("#strip button:nth-child(3)")  # a token needs something before it to look at
    page.wait(lambda: frame_shown(page) == "2", "its frame is drawn")
    all_places, plain = page.run("document.querySelector('.bars').getAttribute('aria-label')"), pixels(page)
    page.click("[aria-label='next place']")
    assert "place 1 of" in page.text("#window h3")
    assert pixels(page) != plain  # the place, and lines to what it looked at
    told = set()
    for _ in range(int(page.text("#window h3").rpartition(" of ")[2].split()[0])):
        told.add(page.run("document.querySelector('.bars').getAttribute('aria-label')"))
        page.click("[aria-label='next place']")
    assert len(told | {all_places}) > 2, "places look at different instants"
    assert page.count(".bars .now") == 1
    assert page.texts("#branch-maps figcaption")[0] == "Attention map"
    shares = [int(text.split(", ")[1].split()[0]) for text in page.texts("#branch-maps figcaption")[1:]]
    assert sum(shares) in (99, 100, 101)
    variants = page.texts("#variants-list figcaption")
    assert variants[:3] == ["window 0.4 s", "window 1.2 s", "window 2.4 s"]
    assert {"spatial branch alone", "temporal branch alone"} < set(variants)
    drawn = page.run("[...document.querySelectorAll('#variants-list canvas')].map((one) => one.toDataURL())")
    assert len(set(drawn)) >= 5  # the five balances; in a shot so short windows hardly differ
    assert page.drain()[0] == []


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out_and_nothing_fails(page: Page, report: Path, width: int) -> None:
    page.open(report, width)
    page.wait(lambda: frame_shown(page) != "", "the frame is drawn")
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    messages, asked = page.drain()
    assert messages == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert HOSTILE in page.text("h1")
    assert not page.visible("#branches")  # maps from a file have no branches
