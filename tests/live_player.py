"""hls.js and dash.js in a real browser: what a viewer of a live stream sees."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from browser import Page
from counted import CELLS, Feed
from live_rigs import node_package

PAGE = Path(__file__).parent / "player.html"
_SCRIPTS = {"hls": ("hls.js", "dist/hls.min.js"), "dash": ("dashjs", "dist/modern/umd/dash.all.min.js")}
PlayerKind = Literal["hls", "dash"]


def player_folders(kind: PlayerKind) -> list[Path]:
    """What a server must give out for the page beside the stream; the test is skipped without the player."""
    package, script = _SCRIPTS[kind]
    return [PAGE.parent, (node_package(package) / script).parent]


@dataclass(frozen=True)
class Watched:
    """What a player did for a while."""

    presented: int
    """Frames shown."""
    dropped: int
    """Frames decoded too late to be shown, as the browser counts them."""
    stalls: int
    """Times it ran out of video after it had begun."""
    errors: list[str]
    numbers: list[int]
    """Read off every tenth frame."""
    latencies_seconds: list[float]
    """Of those frames, from when each was due at the source to when it was shown."""
    said_seconds: float | None
    """The latency as the player itself has it, at the end."""
    seconds: float
    """Played, of the stream's time."""


class Player:
    """A page that plays a stream."""

    def __init__(self, page: Page, server: str, kind: PlayerKind, playlist: str, stream: str | None = None) -> None:
        """server: of the page. stream: address of stcodec's own server; the player's settings are then its defaults."""
        self._page = page
        script = Path(_SCRIPTS[kind][1]).name
        asked = {"kind": kind, "url": f"{stream or server}/{playlist}", "script": f"{server}/{script}", "cells": CELLS}
        query = urlencode(asked | ({"served": 1} if stream else {}))
        page.visit(f"{server}/{PAGE.name}?{query}", 640)

    def wait_until_it_plays(self) -> None:
        """Until pictures move."""
        self._page.wait(lambda: int(self._page.run("window.seen.presented")) > 5, "it plays", 60)

    def errors(self) -> list[str]:
        return list(self._page.run("window.seen.errors"))

    def asked(self) -> list[str]:
        """The addresses that the page has asked for, the newest few hundred."""
        return list(self._page.run("performance.getEntriesByType('resource').map((one) => one.name)"))

    def watch(self, seconds: float, feed: Feed | None = None) -> Watched:
        """Watch for so long; latencies are known if the feed is."""
        before = self._counts()
        time.sleep(seconds)
        after = self._counts()
        frames = [one for one in after["frames"][len(before["frames"]) :] if one["number"] is not None]
        latencies = [] if feed is None else [one["at"] - feed.due(one["number"], one["at"]) for one in frames]
        return Watched(
            after["presented"] - before["presented"],
            after["dropped"] - before["dropped"],
            after["stalls"] - before["stalls"],
            self.errors(),
            [one["number"] for one in frames],
            latencies,
            after["latency"],
            after["at"] - before["at"],
        )

    def watch_until_latency(self, seconds: float, feed: Feed) -> Watched:
        """Watch until ten looks in a row were so near behind the source."""

        def is_near() -> bool:
            frames = [one for one in self._counts()["frames"][-10:] if one["number"] is not None]
            return len(frames) >= 8 and max(one["at"] - feed.due(one["number"], one["at"]) for one in frames) < seconds

        self._page.wait(is_near, f"it is within {seconds:g} s", 60)
        return self.watch(1.0, feed)

    def _counts(self) -> dict[str, Any]:
        script = """(() => ({...window.seen, latency: window.seen.latency(), at: document.querySelector("video").currentTime,
            dropped: document.querySelector("video").getVideoPlaybackQuality().droppedVideoFrames}))()"""
        found: dict[str, Any] = self._page.run(script)
        return found
