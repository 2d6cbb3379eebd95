"""Sources of attention by the text that a user writes.

    TEXT   = NAME | NAME:ARGUMENT | BLEND
    BLEND  = NUMBER*SOURCE+NUMBER*SOURCE...        "0.7*motion+0.3*center", "0.5*map:a+b.mkv + 0.5*center"
    SOURCE = NAME | NAME:ARGUMENT

A text is a blend if it begins with a number and "*". A blend is cut at every "+" that a number and "*" follow, so file
names may hold any other "+"; a name with "+2*" in it can stand alone only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from stcodec.attention.base import AttentionSource
from stcodec.errors import OptionsError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "stcodec.attention_sources"
"""Entry points of other packages: a callable that takes the argument (none if none was written), and gives a source."""

_PLAIN = {"center": ("center", "CenterSource"), "motion": ("motion", "MotionSource")}
_OF_FILES = {
    "map": ("map_file", "MapFileSource", "FILE"),
    "mask": ("map_file", "MaskSource", "FILE"),
    "gaze": ("gaze", "GazeSource", "FILE.csv"),
    "onnx": ("onnx", "OnnxSource", "FILE.onnx"),
}
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_WEIGHT = re.compile(rf"\s*({_NUMBER})\s*\*\s*")
_NEXT_PART = re.compile(rf"\s*\+(?=\s*{_NUMBER}\s*\*)")


def source_names() -> tuple[str, ...]:
    """Every source there is, as the user writes it; those of other packages last."""
    files = (f"{name}:{argument}" for name, (_, _, argument) in _OF_FILES.items())
    return ("neural", *_PLAIN, "none", *files, *sorted(foreign_sources()))


def foreign_sources() -> dict[str, EntryPoint]:
    """The sources of other packages, not loaded yet; none can take a name of ours."""
    from importlib.metadata import entry_points  # with its parser of mails, only for who asks

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _reserved()}


def source_files(text: str) -> tuple[str, ...]:
    """The files that a text names, wherever it names some."""
    parts = (part.partition(":") for _, part in source_parts(text))
    return tuple(argument for name, _, argument in parts if name in _OF_FILES and argument)


def open_source(text: str) -> AttentionSource | None:
    """The source that a text names; None for "none".

    Raises OptionsError if the text names no source, AttentionError if the source can't be opened, and MediaError if
    its file can't be read.
    """
    if _WEIGHT.match(text):
        return _open_blend(text)
    name, colon, argument = text.partition(":")
    if name == "none" and not colon:
        return None
    return _open_one(name, argument if colon else None, text)


def source_of_maps(given: str | AttentionSource) -> AttentionSource:
    """The source that a text names, or the one given. Raises what `open_source` raises, and OptionsError for "none"."""
    found = open_source(given) if isinstance(given, str) else given
    if found is None:
        raise OptionsError("attention none has no maps: name a source", value=given, allowed=source_names())
    return found


def source_parts(text: str) -> list[tuple[float, str]]:
    """The parts of a blend with their weights; a text that is no blend is its own only part, with weight 1."""
    if not _WEIGHT.match(text):
        return [(1.0, text)]
    parts = []
    for part in _NEXT_PART.split(text.strip()):
        match = _WEIGHT.match(part)
        assert match is not None  # that is where it was cut
        parts.append((float(match[1]), part[match.end() :]))
    return parts


def with_device(text: str, device: str) -> str:
    """The text with the device written into every neural part that names none; other sources have no choice of it."""
    return _with_option(text, "device=", f"device={device}")


def causal(text: str) -> str:
    """The text with every neural part made causal: what comes later counts for nothing."""
    return _with_option(text, "causal", "causal")


def _with_option(text: str, key: str, option: str) -> str:
    """The text with an option in every neural part that has none of its kind."""
    parts = [(weight, _part_with(part, key, option)) for weight, part in source_parts(text)]
    if len(parts) == 1 and not _WEIGHT.match(text):
        return parts[0][1]
    return "+".join(f"{weight!r}*{part}" for weight, part in parts)


def _part_with(part: str, key: str, option: str) -> str:
    name, _, options = part.partition(":")
    if name != "neural" or key in options:
        return part
    return f"neural:{options + ',' if options else ''}{option}"


def _open_blend(text: str) -> AttentionSource:
    from stcodec.attention.blended import BlendedSource

    parts = []
    for weight, part in source_parts(text):
        source = open_source(part)
        if source is None:
            raise OptionsError(f"{text!r}: none has no maps and can't be part of a blend: leave it out", value=text)
        parts.append((weight, source))
    return BlendedSource(parts)


def _open_one(name: str, argument: str | None, text: str) -> AttentionSource:
    if name == "neural":
        if argument == "":
            raise OptionsError(f"{text!r}: write neural, or neural:OPTION,OPTION with options of the source", value=text)
        return _load("neural", "neural_source")(argument)
    if name in _PLAIN:
        if argument is not None:
            raise OptionsError(f"{text!r}: {name} takes nothing after its name", value=text)
        return _load(*_PLAIN[name])()
    if name in _OF_FILES:
        module, attribute, expected = _OF_FILES[name]
        if not argument:
            raise OptionsError(f"{text!r}: which file? Write {name}:{expected}", value=text)
        return _load(module, attribute)(argument)
    point = foreign_sources().get(name)
    if point is None:
        raise OptionsError(_unknown(text), value=text, allowed=source_names())
    return _load("foreign", "ForeignSource")(point, argument)


def _load(module: str, attribute: str) -> Callable[..., AttentionSource]:
    """A class of this folder; imported only now, since some need heavy packages."""
    found: Callable[..., AttentionSource] = getattr(import_module(f"stcodec.attention.{module}"), attribute)
    return found


def _reserved() -> set[str]:
    return {*_PLAIN, *_OF_FILES, "none", "neural"}


def _unknown(text: str) -> str:
    hint = ""
    if "+" in text:
        hint = "; in a blend every part has a weight: 0.5*motion+0.5*center"
    return f"{text!r} is no source of attention: there are {', '.join(source_names())}{hint}"
