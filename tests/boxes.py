"""MP4 files changed box by box, for what no program here writes: edit lists, boxes of a sample entry."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

_HEADS = {b"stsd": 16, b"meta": 12}
"""Where the boxes inside begin, if not after 8 bytes."""
TRACK = (b"moov", b"trak")
ENTRIES = (*TRACK, b"mdia", b"minf", b"stbl", b"stsd")


def boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, offset, size) of the boxes between two offsets."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        yield name, start, size
        start += size


def find(data: bytes | bytearray, names: Sequence[bytes], nth: int = 0) -> list[tuple[int, int]]:
    """(offset, size) of each of nested boxes; nth: which of those named "trak"."""
    found, start, end = [], 0, len(data)
    for name in names:
        places = [(at, size) for kind, at, size in boxes(data, start, end) if kind == name]
        found.append(places[nth if name == b"trak" else 0])
        start, end = found[-1][0] + _HEADS.get(name, 8), sum(found[-1])
    return found


def put(data: bytearray, names: Sequence[bytes], new: bytes, *, replace: bool = False, nth: int = 0) -> None:
    """Put bytes at the end of a nested box, or in its place. The index of the file must be behind its media."""
    places = find(data, names, nth)
    at, size = places[-1]
    grown = places[:-1] if replace else places
    data[at if replace else at + size : at + size] = new
    for place, old in grown:
        struct.pack_into(">I", data, place, old + len(new) - (size if replace else 0))


def put_in_entry(source: Path, target: Path, entry: bytes, *new: bytes) -> Path:
    """A copy of an MP4 with boxes in the sample entry ("avc1") of its first track."""
    data = bytearray(source.read_bytes())
    for box in new:
        put(data, (*ENTRIES, entry), box)  # boxes of an entry stand behind its fields: the end is the same
    target.write_bytes(data)
    return target


def edit(source: Path, target: Path, edits: Sequence[tuple[float, float | None]]) -> Path:
    """A copy of an MP4 whose tracks show these pieces of themselves: (seconds, from which second; None = nothing)."""
    data = bytearray(source.read_bytes())
    (_, _), (movie, _) = find(data, (b"moov", b"mvhd"))
    movie_scale = struct.unpack_from(">I", data, movie + 20)[0]
    for nth in range(sum(name == b"trak" for name, _, _ in boxes(data, find(data, (b"moov",))[0][0] + 8, len(data)))):
        clock = find(data, (*TRACK, b"mdia", b"mdhd"), nth)[-1][0]
        scale = struct.unpack_from(">I", data, clock + 20)[0]
        lead = struct.unpack_from(">i", data, find(data, (*TRACK, b"edts", b"elst"), nth)[-1][0] + 20)[0]
        rows = [
            struct.pack(">iiI", round(length * movie_scale), -1 if since is None else lead + round(since * scale), 1 << 16)
            for length, since in edits
        ]
        content = struct.pack(">II", 0, len(rows)) + b"".join(rows)
        put(
            data, (*TRACK, b"edts", b"elst"), struct.pack(">I4s", 8 + len(content), b"elst") + content, replace=True, nth=nth
        )
    target.write_bytes(data)
    return target
