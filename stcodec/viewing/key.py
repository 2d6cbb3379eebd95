"""The key of a pair test: what is behind the names that viewers and their answers know. The experimenter keeps it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stcodec.errors import MediaError
from stcodec.media.paths import display_name, file_error
from stcodec.viewing.trials import KINDS, Trial

KEY_NAME = "key.json"
KEY_KIND = "stcodec pair test: key"
SCHEMA = 1
MOST_KEY_BYTES = 16_000_000
ID = re.compile(r"[0-9a-f]{16}")
"""Of tests, trials, excerpt files and viewers."""


@dataclass(frozen=True)
class KeyMetric:
    """A metric that the excerpts were scored by."""

    name: str
    label: str
    unit: str
    higher_is_better: bool
    decimals: int


@dataclass(frozen=True)
class Key:
    """All that is needed to make sense of answers."""

    test: str
    """Id that the answers carry, too."""
    names: tuple[str, ...]
    """Of the compared files, printable; their numbers are places in this list."""
    files: Mapping[str, tuple[int, int]]
    """Excerpt and candidate of each excerpt file, by its id."""
    trials: Mapping[str, Trial]
    metrics: tuple[KeyMetric, ...]
    scores: tuple[tuple[Mapping[str, float | None], ...], ...]
    """[excerpt][candidate] pooled over the excerpt, by metric; None = unknown or infinite."""
    facts: Mapping[str, Any]
    """How the test came about, for people: command, reference, excerpts, matching, least PSNR."""


def key_text(key: Key) -> str:
    """The key as JSON."""
    value = {
        "kind": KEY_KIND,
        "schema": SCHEMA,
        "test": key.test,
        "names": key.names,
        "files": key.files,
        "trials": [dataclasses.asdict(trial) for trial in key.trials.values()],
        "metrics": [dataclasses.asdict(metric) for metric in key.metrics],
        "scores": key.scores,
        "facts": key.facts,
    }
    return json.dumps(value, allow_nan=False, indent=1) + "\n"


def read_key(path: Path) -> Key:
    """Read a key. Raises MediaError, with one line, for a file that is none."""
    value = read_json(path, MOST_KEY_BYTES)
    if not isinstance(value, dict) or value.get("kind") != KEY_KIND:
        raise MediaError(f"{display_name(path)}: is no key of a pair test; give the {KEY_NAME} that --ab wrote", path=path)
    if value.get("schema") != SCHEMA:
        raise MediaError(f"{display_name(path)}: is of schema {value.get('schema')!r}, and {SCHEMA} is read here", path=path)
    try:
        return _key(value)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise MediaError(f"{display_name(path)}: is damaged ({type(error).__name__}: {error})", path=path) from None


def read_json(path: Path, most_bytes: int) -> Any:
    """A small JSON file that somebody else may have written. Raises MediaError."""
    name = display_name(path)
    try:
        if not path.is_file():
            raise MediaError(f"{name}: no such file, or no regular one", path=path)
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: no system has such a path
        raise file_error(path, "can't be read", error) from None
    if len(content) > most_bytes:
        raise MediaError(f"{name}: has more than {most_bytes} bytes, which no such file has", path=path)
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise MediaError(f"{name}: is no JSON ({reason})", path=path) from None


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _key(value: Mapping[str, Any]) -> Key:
    trials = {one["id"]: _trial(one) for one in value["trials"]}
    files = {name: (int(excerpt), int(candidate)) for name, (excerpt, candidate) in value["files"].items()}
    names = tuple(display_name(str(name)) for name in value["names"])
    metrics = tuple(KeyMetric(**one) for one in value["metrics"])
    scores = tuple(
        tuple({metric.name: _score(one[metric.name]) for metric in metrics} for one in row) for row in value["scores"]
    )
    for excerpt, candidate in [
        *files.values(),
        *((one.excerpt, place) for one in trials.values() for place in one.candidates),
    ]:
        if not (0 <= excerpt < len(scores) and 0 <= candidate < len(names) == len(scores[excerpt])):
            raise ValueError(f"there is no excerpt {excerpt} of file {candidate}")
    return Key(str(value["test"]), names, files, trials, metrics, scores, dict(value["facts"]))


def _trial(value: Mapping[str, Any]) -> Trial:
    if value["kind"] not in KINDS:
        raise ValueError(f"there is no kind of trial {value['kind']!r}")
    one, other = (int(candidate) for candidate in value["candidates"])
    return Trial(str(value["id"]), value["kind"], int(value["excerpt"]), (one, other), value["of"])


def _score(value: Any) -> float | None:
    return None if value is None else float(value)
