"""Playlists in files: what they name. A playlist may name media, not itself nor playlists of playlists."""

from __future__ import annotations

import os
import re
from pathlib import Path

from stcodec.errors import MediaError
from stcodec.media.paths import display_name, file_error

_HEADS = {b"#EXTM3U": "hls", b"ffconcat version": "concat"}
"""How they begin, by libavformat's names of their demuxers. It finds them by this, under any name."""
_LARGEST_BYTES = 4_000_000
_MOST_FILES = 20_000
_URI = re.compile(r'\bURI="([^"]*)"')


def playlist_format(path: str | os.PathLike[str]) -> str | None:
    """The demuxer of a playlist, "hls" or "concat"; None for another file. Raises MediaError if it can't be read."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as error:
        raise file_error(path, "can't be read", error) from None
    return next((name for begin, name in _HEADS.items() if head.startswith(begin)), None)


def check_playlist(path: str | os.PathLike[str], *, may_grow: bool = False) -> None:
    """Raise MediaError for a playlist that names itself, or that goes deeper than a master playlist over its variants.

    may_grow: an HLS playlist needs no end.
    """
    _check(Path(path), may_grow, is_variant=False)


def _check(path: Path, may_grow: bool, is_variant: bool) -> None:
    kind = playlist_format(path)
    shown = display_name(path)
    if path.stat().st_size > _LARGEST_BYTES:
        raise MediaError(f"{shown}: is a playlist of more than {_LARGEST_BYTES} bytes", path=path)
    text = path.read_text("utf-8", "replace")
    names = _hls_names(text) if kind == "hls" else _concat_names(text)
    if len(names) > _MOST_FILES:
        raise MediaError(f"{shown}: names {len(names)} files: at most {_MOST_FILES} are opened", path=path)
    inner = [one for name in names if (one := path.parent / name.removeprefix("file:")).is_file() and playlist_format(one)]
    if inner and (kind != "hls" or is_variant or any(playlist_format(one) != "hls" for one in inner)):
        raise MediaError(f"{shown}: is a playlist that names another playlist, {display_name(inner[0])}", path=path)
    for one in inner:
        _check(one, may_grow, is_variant=True)
    if kind == "hls" and not inner and not may_grow and "#EXT-X-ENDLIST" not in text:
        raise MediaError(f"{shown}: is a live playlist, which has no end: `stcodec stream` takes it", path=path)


def _hls_names(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")] + _URI.findall(text)


def _concat_names(text: str) -> list[str]:
    """The names after `file`, as av_get_token reads them: quoted in ', or with \\ before a character."""
    found = (re.fullmatch(r"\s*file\s+(.*?)\s*", line) for line in text.splitlines())
    tokens = (re.match(r"(?:'[^']*'|\\.|[^\s'\\])*", one[1]) for one in found if one)
    return [re.sub(r"'([^']*)'|\\(.)", lambda part: part[1] or part[2] or "", token[0]) for token in tokens if token]
