"""Identity of a source of attention: what its maps depend on, beside the video."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from stcodec.attention import source_parts
from stcodec.attention.registry import GROUP
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.work.cache import content_hash


def source_identity(text: str) -> tuple[tuple[str, float], ...]:
    """Part by part with its weight: names, contents of files (also the network's weights), versions of packages."""
    return tuple((_part_identity(part), weight) for weight, part in source_parts(text))


def _part_identity(text: str) -> str:
    name, _, argument = text.partition(":")
    if argument and Path(argument).exists():
        return content_hash(Path(argument))
    if name == "neural":
        return f"{text} {content_hash(WEIGHTS_PATH)}"
    versions = [str(point.dist.version) for point in entry_points(group=GROUP, name=name) if point.dist is not None]
    return " ".join([text, *versions])
