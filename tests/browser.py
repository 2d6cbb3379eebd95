"""A real browser for tests of pages: Debian's chromium, without a window, driven by selenium."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, where chromium has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Page:
    """The one page that the browser has open."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, width: int = 1280) -> None:
        self.visit(path.as_uri(), width)

    def visit(self, url: str, width: int = 1280) -> None:
        self.resize(width)
        self.driver.get("about:blank")  # what was open may ask a server that is gone by now, and complain of it later
        self.drain()
        self.driver.get(url)

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript expression."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def text(self, selector: str) -> str:
        return self.texts(selector)[0]

    def texts(self, selector: str) -> list[str]:
        """What each of these elements shows, with plain spaces; text in SVG has no innerText."""
        nodes = "[...document.querySelectorAll(arguments[0])]"
        return list(
            self.run(f"{nodes}.map((node) => (node.innerText ?? node.textContent).replaceAll('\\u00a0', ' '))", selector)
        )

    def count(self, selector: str) -> int:
        return int(self.run("document.querySelectorAll(arguments[0]).length", selector))

    def visible(self, selector: str) -> bool:
        return bool(self.run("document.querySelector(arguments[0]).checkVisibility()", selector))

    def click(self, selector: str) -> None:
        self.run("document.querySelector(arguments[0]).click()", selector)

    def choose(self, selector: str, text: str) -> None:
        """Choose an entry of a drop-down list by its text."""
        script = """((list, text) => {
            list.selectedIndex = [...list.options].findIndex((option) => option.text === text);
            if (list.selectedIndex < 0) throw new Error("there is no entry " + text);
            list.dispatchEvent(new Event("change"));
        })(document.querySelector(arguments[0]), arguments[1])"""
        self.run(script, selector, text)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Until it holds; a page draws when its parts have been given their sizes."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"never happened: {what}"
            time.sleep(0.02)

    def drain(self) -> tuple[list[str], list[str]]:
        """Console messages, and addresses asked for, since the last call."""
        get_log = cast(Callable[[str], list[dict[str, str]]], self.driver.get_log)
        messages = [entry["message"] for entry in get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in get_log("performance")]
        asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        return messages, asked


@contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """A browser with a profile of its own; the test is skipped where none is installed."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("no browser: chromium and chromium-driver (Debian's packages) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(programs[1])))
    try:
        yield Page(driver)
    finally:
        driver.quit()
