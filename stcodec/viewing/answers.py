"""Answers that viewers saved. Files come from anywhere: each field is checked, against the schema and against the key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stcodec.errors import MediaError
from stcodec.media.paths import display_name
from stcodec.viewing.key import ID, KEY_KIND, SCHEMA, Key, read_json
from stcodec.viewing.trials import Trial

ANSWERS_KIND = "stcodec pair test: answers"
MOST_BYTES = 1_000_000
MOST_FILES = 10_000
_MOST_NUMBER = 100_000
_MOST_PLAYS = 10_000
_MOST_FRAMES = 10**9
_MOST_SECONDS = 10.0**6
_MOST_PIXELS = 10**6
_CHOICES = ("first", "second")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@dataclass(frozen=True)
class Answer:
    """Answer of a viewer to a trial."""

    trial: Trial
    first: int
    """The candidate that was at the left, or came first."""
    second: int
    chose_first: bool
    seconds: float
    """From the end of the pair to the answer."""
    plays: int
    one_to_one: bool
    """Whether each pixel of the pictures was one of the screen, all the time."""
    full_screen: bool
    frames: int
    dropped_frames: int

    @property
    def chosen(self) -> int:
        """The candidate that is preferred."""
        return self.first if self.chose_first else self.second


@dataclass(frozen=True)
class ViewerAnswers:
    """All that one viewer said."""

    viewer: str
    number: int
    complete: bool
    answers: tuple[Answer, ...]


def read_answers(paths: Sequence[Path], key: Key) -> tuple[list[ViewerAnswers], list[str]]:
    """The answers of all viewers, and what was left out, for people.

    A viewer whose answers are there several times, as when the file was saved again, counts once: with the most answers.
    The key among the files is passed over. Raises MediaError, with one line, for a file that is none or of another test.
    """
    if len(paths) > MOST_FILES:
        raise MediaError(
            f"{len(paths)} files of answers: {MOST_FILES} are read at most", value=len(paths), allowed=MOST_FILES
        )
    found: dict[str, ViewerAnswers] = {}
    messages = []
    for path in paths:
        value = read_json(path, MOST_BYTES)
        if isinstance(value, dict) and value.get("kind") == KEY_KIND:
            continue
        try:
            one = _viewer(value, key)
        except _FaultError as fault:
            raise MediaError(f"{display_name(path)}: {fault}", path=path) from None
        other = found.get(one.viewer)
        if other is not None:
            messages.append(f"{display_name(path)}: viewer {one.number} is there already; counted once")
        if other is None or len(one.answers) > len(other.answers):
            found[one.viewer] = one
    if not found:
        raise MediaError("there are no answers: give the files that viewers saved")
    return list(found.values()), messages


class _FaultError(Exception):
    """Fault of a file of answers."""


def _viewer(value: Any, key: Key) -> ViewerAnswers:
    if not isinstance(value, dict) or value.get("kind") != ANSWERS_KIND:
        raise _FaultError("is no file of answers of a pair test")
    if value.get("schema") != SCHEMA or isinstance(value["schema"], bool):
        raise _FaultError(f"is of schema {_short(value.get('schema'))}, and {SCHEMA} is read here")
    if value.get("test") != key.test:
        raise _FaultError(
            f"is of the test {_short(value.get('test'))}, and the key of {key.test}: give the key of that test"
        )
    viewer = value.get("viewer")
    if not isinstance(viewer, str) or not ID.fullmatch(viewer):
        raise _FaultError(f"viewer is {_short(viewer)}: 16 hexadecimal digits are allowed")
    for name in ("started", "saved"):
        if not isinstance(value.get(name), str) or not _TIME.fullmatch(value[name]):
            raise _FaultError(f"{name} is {_short(value.get(name))}: a time in UTC is allowed")
    screen = value.get("screen")
    if not isinstance(screen, dict):
        raise _FaultError(f"screen is {_short(screen)}: an object is allowed")
    for name in ("width_px", "height_px"):
        _integer(screen, name, 1, _MOST_PIXELS)
    _real(screen, "pixel_ratio", 100)
    answers = value.get("answers")
    if not isinstance(answers, list) or len(answers) > len(key.trials):
        raise _FaultError(f"answers is {_short(answers)}: a list of at most {len(key.trials)} is allowed")
    read = tuple(_answer(one, key) for one in answers)
    if len({one.trial.id for one in read}) < len(read):
        raise _FaultError("has two answers to one pair")
    return ViewerAnswers(viewer, _integer(value, "number", 1, _MOST_NUMBER), _boolean(value, "complete"), read)


def _answer(value: Any, key: Key) -> Answer:
    if not isinstance(value, dict):
        raise _FaultError(f"an answer is {_short(value)}: an object is allowed")
    name = value.get("trial")
    trial = key.trials.get(name) if isinstance(name, str) else None
    if trial is None:
        raise _FaultError(f"there is no pair {_short(name)} in this test")
    first, second = (_candidate(value, place, trial, key) for place in _CHOICES)
    if sorted((first, second)) != sorted(trial.candidates):
        raise _FaultError(f"pair {trial.id} was not made of these two files")
    if value.get("choice") not in _CHOICES:
        raise _FaultError(f"choice is {_short(value.get('choice'))}: first or second is allowed")
    frames = _integer(value, "frames", 0, _MOST_FRAMES)
    return Answer(
        trial,
        first,
        second,
        value["choice"] == "first",
        _real(value, "seconds", _MOST_SECONDS),
        _integer(value, "plays", 1, _MOST_PLAYS),
        _boolean(value, "one_to_one"),
        _boolean(value, "full_screen"),
        frames,
        _integer(value, "dropped_frames", 0, frames),
    )


def _candidate(value: Mapping[str, Any], place: str, trial: Trial, key: Key) -> int:
    name = value.get(place)
    excerpt, candidate = key.files.get(name, (-1, -1)) if isinstance(name, str) else (-1, -1)
    if excerpt != trial.excerpt:
        raise _FaultError(f"pair {trial.id} shows no file {_short(name)}")
    return candidate


def _integer(value: Mapping[str, Any], name: str, least: int, most: int) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
        raise _FaultError(f"{name} is {_short(found)}: a whole number of {least} to {most} is allowed")
    return found


def _real(value: Mapping[str, Any], name: str, most: float) -> float:
    found = value.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool) or not 0 <= found <= most:
        raise _FaultError(f"{name} is {_short(found)}: a number of 0 to {most:g} is allowed")
    return float(found)


def _boolean(value: Mapping[str, Any], name: str) -> bool:
    found = value.get(name)
    if not isinstance(found, bool):
        raise _FaultError(f"{name} is {_short(found)}: true or false is allowed")
    return found


def _short(value: Any) -> str:
    """A value from a file, safe and short enough for a message."""
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return "a huge number"  # Python refuses to print those of thousands of digits
    text = "missing" if value is None else repr(value)
    return display_name(text if len(text) <= 40 else text[:37] + "...")
