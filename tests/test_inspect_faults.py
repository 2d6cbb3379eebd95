"""Each fault of attention where it is planted in synthetic maps, and none where it isn't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from stcodec.attention.center import center_density
from stcodec.diagnose.content import Content
from stcodec.diagnose.faults import FAULTS, Finding, find_faults
from stcodec.diagnose.measures import carried, density_of, moved_percent
from stcodec.diagnose.peaks import peaks
from stcodec.diagnose.ranked import worst_moments
from stcodec.diagnose.series import MapWatch
from stcodec.types import BoolArray, FloatArray

SHAPE = (36, 64)
RATE = 6.0
NOWHERE: BoolArray = np.zeros(SHAPE, np.bool_)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)


def blob(x: float, y: float, sigma: float = 0.06, base: float = 0.02) -> FloatArray:
    """A hill at a place in frame widths, 1 high, over an even ground."""
    distance = ((X + 0.5) / SHAPE[1] - x) ** 2 + ((Y + 0.5) / SHAPE[1] - y) ** 2
    return np.asarray(base + (1 - base) * np.exp(-distance / (2 * sigma**2)), np.float32)


def disc(x: float, y: float, radius: float = 0.1) -> BoolArray:
    return np.asarray(((X + 0.5) / SHAPE[1] - x) ** 2 + ((Y + 0.5) / SHAPE[1] - y) ** 2 <= radius**2)


def content(
    speed: float = 0.0, moves: BoolArray = NOWHERE, flickers: BoolArray = NOWHERE, jump: float = 0.0, pan: float = 0.0
) -> Content:
    """What the video does: `moves` goes to the right at a speed, over a camera that pans."""
    velocity = np.zeros((*SHAPE, 2), np.float32)
    velocity[..., 0] = pan
    velocity[moves, 0] += speed
    return Content(velocity, abs(pan), moves, moves, flickers, jump)


@dataclass
class Scene:
    """Some seconds: a map and what the video does at each instant; where shots begin."""

    maps: Callable[[float], FloatArray]
    video: Callable[[float], Content] = lambda _: content()
    cuts: tuple[float, ...] = ()

    def findings(self, seconds: float = 4.0) -> list[Finding]:
        watch = MapWatch(SHAPE)
        kept = []
        for index in range(round(seconds * RATE)):
            now = index / RATE
            starts = index == 0 or any(abs(now - cut) < 1e-6 for cut in self.cuts)
            kept.append(watch.see(now, starts, self.maps(now), self.video(now)))
        return find_faults(watch.series, kept.__getitem__)

    def names(self) -> set[str]:
        return {one.fault for one in self.findings()}


def at_side(_: float) -> FloatArray:
    return blob(0.3, 0.2)


def wandering(now: float) -> FloatArray:
    return blob(0.2 + 0.1 * now, 0.25, base=0)


def alternating(now: float) -> FloatArray:
    return blob(0.3, 0.2) if round(now * RATE) % 2 else blob(0.42, 0.2)


def flickering(now: float) -> Content:
    del now
    return content(flickers=disc(0.3, 0.2))


def panning(now: float) -> Content:
    return content(pan=0.2 if 1.5 <= now < 2.5 else 0.0)


def lit_by_pan(now: float) -> FloatArray:
    return np.asarray(np.minimum(blob(0.3, 0.2) + (0.3 if 1.5 <= now < 2.5 else 0), 1), np.float32)


def jumping(at: float) -> Callable[[float], FloatArray]:
    """A map that goes to the other side at a time."""
    return lambda now: blob(0.25, 0.2) if now < at - 1e-6 else blob(0.75, 0.3)


def sudden(at: float) -> Callable[[float], Content]:
    return lambda now: content(moves=disc(0.75, 0.3), jump=4.0 if abs(now - at) < 1e-6 else 0.0)


def lively(now: float) -> Content:
    return content(0.1, disc(0.2 + 0.1 * now, 0.3))


PLANTED = {
    "drift": Scene(wandering),
    "flicker": Scene(alternating, lambda _: content(flickers=NOWHERE, moves=disc(0.35, 0.2, 0.2))),
    "diffusion": Scene(lambda now: blob(0.3 + 0.01 * now, 0.2, base=0.6)),
    "background": Scene(at_side, flickering),
    "camera": Scene(lit_by_pan, panning),
    "lag": Scene(jumping(2.0), cuts=(1.5,)),
    "dead": Scene(at_side, lively),
    "centre": Scene(lambda now: center_density(*SHAPE) / center_density(*SHAPE).max()),
}
ABSENT = {
    "drift": [
        Scene(at_side),
        Scene(wandering, lambda now: content(0.1, disc(0.2 + 0.1 * now, 0.25, 0.2))),  # it follows what moves
        Scene(wandering, lambda _: content(pan=0.1)),  # the camera moves
        Scene(jumping(2.0), cuts=(2.0,)),
    ],
    "flicker": [
        Scene(wandering),
        Scene(lambda now: blob(0.1 + 0.2 * now, 0.25), lambda now: content(0.2, disc(0.1 + 0.2 * now, 0.25, 0.3))),
        Scene(jumping(2.0)),  # a step is no flicker
        Scene(alternating, cuts=tuple(index / RATE for index in range(1, 24, 2))),
    ],
    "diffusion": [Scene(at_side), Scene(lambda _: blob(0.3, 0.2, 0.12))],
    "background": [
        Scene(at_side, lambda _: content(flickers=disc(0.7, 0.3))),  # it flickers elsewhere
        Scene(at_side, lambda _: content(flickers=~NOWHERE)),  # grain over all of the frame
        Scene(at_side),
    ],
    "camera": [Scene(at_side, panning), Scene(lit_by_pan), Scene(wandering, lambda _: content(pan=0.2))],
    "lag": [
        Scene(jumping(1.5), cuts=(1.5,)),
        Scene(at_side, cuts=(1.5,)),  # nothing to be late with
        Scene(lambda now: blob(0.3 if now < 2 else 0.31, 0.2), cuts=(1.5,)),  # hardly anything
        Scene(jumping(1.5), sudden(1.5)),
        Scene(jumping(2.0)),  # nothing happened
    ],
    "dead": [Scene(at_side), Scene(wandering, lively)],
    "centre": [Scene(at_side), Scene(lambda _: blob(0.5, 0.28)), Scene(lambda _: blob(0.4, 0.25, 0.14))],
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str) -> None:
    assert fault in PLANTED[fault].names()


@pytest.mark.parametrize("fault", ABSENT)
def test_no_fault_is_found_where_none_is(fault: str) -> None:
    for number, scene in enumerate(ABSENT[fault]):
        assert fault not in scene.names(), f"scene {number}"


def only(fault: str, scene: Scene) -> Finding:
    found = [one for one in scene.findings() if one.fault == fault]
    assert len(found) == 1
    return found[0]


def test_findings_say_when_and_how_much() -> None:
    drift = only("drift", PLANTED["drift"])
    assert drift.value == pytest.approx(10, abs=1.5)  # a tenth of the frame's width a second
    assert drift.end_seconds > 3.5
    camera = only("camera", PLANTED["camera"])
    assert (camera.start_seconds, camera.end_seconds) == pytest.approx((1.5, 2.5 - 1 / RATE))
    lag = only("lag", PLANTED["lag"])
    assert (lag.start_seconds, lag.value) == pytest.approx((1.5, 0.5))
    background = only("background", PLANTED["background"])
    assert 50 < background.value < 90


def test_lag_after_a_sudden_change_within_a_shot() -> None:
    lag = only("lag", Scene(jumping(2.5), sudden(1.5)))
    assert (lag.start_seconds, lag.value) == pytest.approx((1.5, 1.0))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_maps_are_dead_even_if_the_video_stands_still(value: float) -> None:
    dead = only("dead", Scene(lambda _: np.full(SHAPE, value, np.float32)))
    assert "flat" in dead.text
    assert dead.value == pytest.approx(4 - 1 / RATE)


def test_a_map_of_another_size_is_measured_alike() -> None:
    large = Scene(lambda now: np.kron(wandering(now), np.ones((3, 3), np.float32)), PLANTED["drift"].video)
    assert only("drift", large).value == pytest.approx(only("drift", PLANTED["drift"]).value, abs=0.3)


def test_mass_is_carried_with_motion() -> None:
    here, there = density_of(blob(0.3, 0.2)), density_of(blob(0.4, 0.2))
    velocity = np.zeros((*SHAPE, 2), np.float32)
    velocity[..., 0] = 0.2
    assert moved_percent(here, there) > 30
    assert moved_percent(carried(here, velocity, 0.5), there) < 3


def test_the_docs_have_the_rules_as_they_are() -> None:
    text = (Path(__file__).parents[1] / "docs" / "inspect.md").read_text(encoding="utf-8").split("\n## ")
    (section,) = (part for part in text if part.startswith("The faults"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")]
    documented = {row[0].strip("`"): (row[2], row[3]) for row in rows if len(row) == 4}
    assert documented == {
        fault.name: (f"{fault.threshold:g} {fault.unit}", f"{fault.least_seconds:g} s" if fault.least_seconds else "–")
        for fault in FAULTS
    }


def test_the_worst_moments_lie_apart() -> None:
    seconds = np.arange(10) / 5
    values = np.array([0, 5, 9, 8, 1, 0, 0, 7, np.nan, 2], np.float32)
    assert worst_moments(values, seconds, 3) == [2, 7]  # all others are within half a second of these


def test_peaks_are_apart_and_highest_first() -> None:
    found = peaks(np.maximum(blob(0.2, 0.1), 0.8 * blob(0.8, 0.4)))
    assert [(round(one.x_widths, 1), round(one.y_widths, 1)) for one in found] == [(0.2, 0.1), (0.8, 0.4)]
    assert peaks(np.ones(SHAPE, np.float32)) == []
