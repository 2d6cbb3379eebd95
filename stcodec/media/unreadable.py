"""Files that can't be read whatever is done, told by their headers: encrypted ones, and formats without a decoder."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
_ENCRYPTED_ENTRIES = {b"encv", b"enca", b"drmi", b"drms", b"drmt"}
_EBML = b"\x1a\x45\xdf\xa3"
_CLUSTER, _CONTENT_ENCRYPTION = b"\x1f\x43\xb6\x75", b"\x50\x35"
_HEADER_BYTES = 1 << 20


def why_unreadable(path: Path) -> str | None:
    """Reason that no option can help with, as the end of a sentence that begins with the file's name; None if unknown.

    Sample entries of MP4 (ISO/IEC 23001-7), ContentEncryption of Matroska, the animation flag of WebP. Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and head[20] & 2:
            return "is an animated WebP, which is not supported by the ffmpeg here: convert it to GIF or APNG first"
        if head[4:8] in (b"ftyp", b"moov", b"styp"):
            is_encrypted = _has_encrypted_entry(file, 0, path.stat().st_size)
        elif head[:4] == _EBML:
            header = head + file.read(_HEADER_BYTES)
            is_encrypted = _has_encryption_element(header[: header.find(_CLUSTER)])
        else:
            is_encrypted = False
    return "is encrypted (DRM): only a copy that was decrypted can be encoded" if is_encrypted else None


def _has_encrypted_entry(file: BinaryIO, start: int, end: int) -> bool:
    place = start
    while place + 8 <= end:
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return False
        length, kind, used = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, used = int.from_bytes(head[8:16], "big"), 16
        length = end - place if length == 0 else length
        if length < used:
            return False
        if kind == b"stsd":
            file.seek(place + used + 8)
            if file.read(8)[4:] in _ENCRYPTED_ENTRIES:
                return True
        elif kind in _CONTAINERS and _has_encrypted_entry(file, place + used, min(end, place + length)):
            return True
        place += length
    return False


def _has_encryption_element(header: bytes) -> bool:
    """Whether ContentEncryption stands where it belongs: in a ContentEncoding (6240) in ContentEncodings (6D80)."""
    begin = header.find(b"\x6d\x80")
    while begin >= 0:
        part = header[begin : begin + 4096]
        coding = part.find(b"\x62\x40", 0, 32)
        if coding > 0 and _CONTENT_ENCRYPTION in part[coding : coding + 64]:
            return True
        begin = header.find(b"\x6d\x80", begin + 2)
    return False
