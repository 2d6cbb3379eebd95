"""Bytes that a file lacks of what its own container says: told from the structure, before anything is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_EBML_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067
_MP4_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}

_TRANSPORT_PACKETS = ((188, 0), (192, 4))
"""Bytes in a packet, and in front of its sync byte: broadcast, and Blu-ray with its time codes."""
_HEAD_BYTES = 1024


def missing_bytes(path: Path) -> int:
    """Number of bytes of a Matroska, MP4/MOV or RIFF (AVI) file are missing at its end; 0 if none, or if it doesn't say.

    Recordings that were never closed often say nothing (a Matroska segment of unknown size). An MPEG transport stream has
    no end that it could name: what is counted is what its last packet lacks.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        if int.from_bytes(head[:4], "big") == _EBML_HEADER:
            end = _matroska_end(file, size)
        elif head[4:8] in _MP4_FIRST_BOXES:
            end = _mp4_end(file, size)
        elif head[:4] == b"RIFF":
            end = _riff_end(file, size)
        else:
            end = _transport_end(head, size)
    return max(0, end - size)


def _matroska_end(file: BinaryIO, size: int) -> int:
    """End of the first segment, or what is in front of it if that leads out of the file; 0 if its size is unknown."""
    while (element := _ebml_number(file, keep_marker=True)) is not None:
        length = _ebml_number(file, keep_marker=False)
        if length is None or length < 0:
            return 0
        end = file.tell() + length
        if element == _SEGMENT or end > size:
            return end
        file.seek(end)
    return 0


def _ebml_number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """A number of variable length (RFC 8794, section 4); None at the end of the file, -1 for "unknown"."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    raw = first + file.read(width - 1)
    value = int.from_bytes(raw, "big")
    if keep_marker:
        return value
    value &= (1 << 7 * width) - 1
    return -1 if value == (1 << 7 * width) - 1 else value


def _mp4_end(file: BinaryIO, size: int) -> int:
    """End of the last top-level box (ISO/IEC 14496-12, section 4.2)."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:16], "big")
        if length == 0 or length < 8 or not all(32 <= byte < 127 or byte == 0xA9 for byte in head[4:8]):
            return size  # runs to the end of the file, or is no box any more
        place += length
    return place


def _riff_end(file: BinaryIO, size: int) -> int:
    """End of the last RIFF chunk; large AVI files have several."""
    place = 0
    while place + 12 <= size:
        file.seek(place)
        head = file.read(8)
        if head[:4] != b"RIFF":
            return size
        place += 8 + int.from_bytes(head[4:], "little")
    return place


def _transport_end(head: bytes, size: int) -> int:
    """End of the last packet of an MPEG transport stream (ISO/IEC 13818-1, section 2.4.3); 0 if it is none."""
    for length, start in _TRANSPORT_PACKETS:
        syncs = head[start::length]
        if len(syncs) >= 3 and set(syncs) == {0x47}:
            return -(-size // length) * length
    return 0


def has_index_first(path: Path) -> bool | None:
    """Whether an MP4 or MOV has its index (moov) before the media; None for other files. Raises OSError."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            head = file.read(16)
            if place == 0 and head[4:8] not in _MP4_FIRST_BOXES:
                return None
            if head[4:8] in (b"moov", b"mdat"):
                return head[4:8] == b"moov"
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:16], "big") if length == 1 else length
            if length < 8:
                return None
            place += length
    return None
