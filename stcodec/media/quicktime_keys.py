"""Tags of any name in MP4 and MOV, beside those that have a place of their own there.

libavformat writes the tags that it has a place for (iTunes' list, QuickTime's user data), or all of them as QuickTime's
keys, which fewer programs read. Here it writes the first kind, and a place-holder as long as the keys will be. When the
file is finished, the place-holder gives way to the keys, a `meta` box in the `moov`: nothing else in the file moves.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

_PLACES = {"mp4": ("synopsis", "lyrics", "grouping", "network"), "mov": ("comment", "genre", "copyright", "album")}
"""Tags that libavformat has a place for, of any length: one that is not in use holds the place."""
_MARK = "place of keys "
_MOST_BYTES = {"mp4": 1 << 24, "mov": 65_000}
"""QuickTime's user data says lengths in 16 bits."""
_FREE_BYTES = 64
"""The rest becomes a `free` box, which can't be of less than 8 bytes."""


def place_holder(container_format: str, tags: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str] | None:
    """The tag that holds the place of keys among other tags; None if there is none for so many."""
    size = len(_keys_box(keys)) + _FREE_BYTES
    used = {name.lower() for name in tags}
    free = [name for name in _PLACES[container_format] if name not in used]
    if not free or size > _MOST_BYTES[container_format]:
        return None
    return {free[0]: _MARK.ljust(size, ".")}


def write_keys(path: Path, keys: Mapping[str, str]) -> None:
    """Put keys into the place that is held for them in a finished file, if it is held there. Raises OSError."""
    change_index(path, lambda moov: _with_keys(moov, keys))


def change_index(path: Path, change: Callable[[bytes], bytes | None]) -> None:
    """Change the content of the `moov` of a finished file to other content of the same length. Raises OSError.

    change: function that returns the new content; None = it stays.
    """
    with path.open("r+b") as file:
        size, place = path.stat().st_size, 0
        while place + 8 <= size:
            file.seek(place)
            length, name = struct.unpack(">I4s", file.read(8))
            if name == b"moov" and length >= 8:
                changed = change(file.read(length - 8))
                if changed is not None:
                    file.seek(place + 8)
                    file.write(changed)
                return
            length = int.from_bytes(file.read(8), "big") if length == 1 else length
            if length < 8:
                return
            place += length


def _with_keys(moov: bytes, keys: Mapping[str, str]) -> bytes | None:
    """The content of a `moov` of the same length; None if no place is held in it."""
    for start, end, name in boxes_in(moov, 0, len(moov)):
        if name != b"udta" or _MARK.encode() not in moov[start:end]:
            continue
        rest = _without_mark(moov, start, end)
        meta = _keys_box(keys)
        free = end - start - len(rest) - len(meta)
        if free >= 8:
            return moov[:start] + rest + meta + _box(b"free", bytes(free - 8)) + moov[end:]
    return None


def _without_mark(data: bytes, start: int, end: int) -> bytes:
    """The box at a place without the box in it that holds the place."""
    name = data[start + 4 : start + 8]
    if name not in (b"udta", b"meta", b"ilst"):
        return b"" if _MARK.encode() in data[start:end] else data[start:end]
    head = 12 if name == b"meta" else 8  # which has a version
    inner = [_without_mark(data, one, other) for one, other, _ in boxes_in(data, start + head, end)]
    return _box(name, data[start + 8 : start + head] + b"".join(inner))


def boxes_in(data: bytes, start: int, end: int) -> list[tuple[int, int, bytes]]:
    """Start, end and name of each of the boxes that lie side by side."""
    found = []
    while start + 8 <= end:
        length = int.from_bytes(data[start : start + 4], "big")
        if not 8 <= length <= end - start:
            break
        found.append((start, start + length, data[start + 4 : start + 8]))
        start += length
    return found


def _keys_box(keys: Mapping[str, str]) -> bytes:
    """A `meta` box of QuickTime's keys: names, and values by their numbers (QuickTime File Format, "Metadata")."""
    handler = _box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    names = b"".join(_box(b"mdta", _spelled(name).encode()) for name in keys)
    values = b"".join(
        _box(struct.pack(">I", number), _box(b"data", struct.pack(">II", 1, 0) + value.encode()))
        for number, value in enumerate(keys.values(), 1)
    )
    return _box(b"meta", handler + _box(b"keys", bytes(4) + struct.pack(">I", len(keys)) + names) + _box(b"ilst", values))


def _spelled(name: str) -> str:
    """Apple's own names as they are in QuickTime: Matroska has all names in capitals."""
    small = name.lower()
    return small.replace("iso6709", "ISO6709") if small.startswith("com.apple.quicktime.") else name


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content
