"""Files of HLS and DASH targets, as a server gives them out: what comes next is waited for.

Only what the stream itself writes is given out, by name: a folder may hold other files.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from stcodec.errors import OptionsError
from stcodec.stream.output.address import TargetAddress
from stcodec.stream.output.dash import TIME_NAME, DashSender
from stcodec.stream.output.files import GROWING, media_name
from stcodec.stream.output.hls import HlsSender

_POLL_SECONDS = 0.01
_BLOCK_BYTES = 1 << 16
_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
}
_WAIT_TARGETS = 3
"""A playlist is waited for as many of its target durations (as the draft has it)."""
_SEGMENT_WAIT_SECONDS = 3.0
_NUMBER = re.compile(r"[0-9]{1,12}")

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class ServedFile:
    """Answer for a name."""

    content_type: str
    body: bytes | Iterator[bytes]
    """Whole, or as it grows."""


class NotServed(Exception):
    """Raised for what can't be given out; status and a word."""

    def __init__(self, status: HTTPStatus, word: str) -> None:
        super().__init__(word)
        self.status = status


class ServedFolder:
    """The folder of a stream's HLS and DASH targets. Raises OptionsError if there is none, or more than one."""

    def __init__(self, targets: Sequence[TargetAddress], clock: Callable[[], float] = time.monotonic) -> None:
        lists = [one for one in targets if one.kind in ("hls", "dash")]
        folders = {one.path.absolute().parent for one in lists}
        if len(folders) != 1:
            wrong = "there is no HLS or DASH target" if not folders else "its targets are in more than one folder"
            raise OptionsError(f"--serve gives out a folder of playlists, and {wrong}: add a target like live/all.m3u8")
        self._folder = folders.pop()
        self._clock = clock
        self._lists = {one.path.name for one in lists}
        joints = {one.path.stem + (HlsSender if one.kind == "hls" else DashSender).joint for one in lists}
        self._media = [media_name(joint) for joint in joints]
        self._track_lists = [re.compile(rf"{re.escape(joint)}\w+\.m3u8") for joint in joints]

    @property
    def names(self) -> list[str]:
        """Playlists and manifests over all tracks."""
        return sorted(self._lists)

    def get(self, name: str, query: Query) -> ServedFile:
        """The answer for a name, when it is there. Raises NotServed."""
        if name == TIME_NAME:
            return ServedFile("text/plain", datetime.now(UTC).isoformat(timespec="milliseconds").encode())
        path = self._folder / name
        if name in self._lists or any(one.fullmatch(name) for one in self._track_lists):
            return ServedFile(_TYPES[path.suffix], self._playlist(path, query))
        if any(one.fullmatch(name) for one in self._media):
            return ServedFile(_TYPES[path.suffix], self._file(path))
        raise NotServed(HTTPStatus.NOT_FOUND, "this stream writes no such file")

    def _playlist(self, path: Path, query: Query) -> bytes:
        """A playlist as soon as it has what the query names: _HLS_msn, and _HLS_part of it."""
        wanted = [query.get(key, [""])[0] for key in ("_HLS_msn", "_HLS_part")]
        if any(one and not _NUMBER.fullmatch(one) for one in wanted) or (wanted[1] and not wanted[0]):
            raise NotServed(HTTPStatus.BAD_REQUEST, "_HLS_msn and _HLS_part are whole numbers")
        text = _read(path)
        if wanted[0]:
            number, part = int(wanted[0]), int(wanted[1]) if wanted[1] else None
            if number > _newest(text)[0] + 1:
                raise NotServed(HTTPStatus.BAD_REQUEST, f"segment {number} is too far ahead")
            end = self._clock() + _WAIT_TARGETS * _target_seconds(text)
            while not _has(text, number, part):
                if self._clock() > end:
                    raise NotServed(HTTPStatus.SERVICE_UNAVAILABLE, "the stream does not go on")
                time.sleep(_POLL_SECONDS)
                text = _read(path)
        return text.encode()

    def _file(self, path: Path) -> bytes | Iterator[bytes]:
        """A file, one that grows as it grows. One that is to come next is waited for."""
        growing = path.with_name(path.name + GROWING)
        end = self._clock() + _SEGMENT_WAIT_SECONDS
        while True:
            if path.is_file():
                return path.read_bytes()
            if growing.is_file() and path.suffixes == [".m4s"]:
                return self._grown(growing, path)
            if not self._comes_next(path) or self._clock() > end:
                raise NotServed(HTTPStatus.NOT_FOUND, "it is not there, or no more")
            time.sleep(_POLL_SECONDS)

    def _comes_next(self, path: Path) -> bool:
        """Whether it is a part that a playlist announces, or the segment after one that exists."""
        stem, _, rest = path.stem.partition(".")
        track, _, number = stem.rpartition("_")
        if not number.isdecimal():
            return False
        if rest:
            playlist = self._folder / f"{track}.m3u8"
            return playlist.is_file() and f'URI="{path.name}"' in playlist.read_text("utf-8")
        before = self._folder / f"{track}_{int(number) - 1}.m4s"
        return before.is_file() or before.with_name(before.name + GROWING).is_file()

    def _grown(self, growing: Path, path: Path) -> Iterator[bytes]:
        try:
            file = growing.open("rb")
        except FileNotFoundError:  # it has just become whole
            yield path.read_bytes()
            return
        with file:
            quiet_since = self._clock()
            while True:
                is_whole = not growing.exists()
                while block := file.read(_BLOCK_BYTES):
                    quiet_since = self._clock()
                    yield block
                if is_whole or self._clock() - quiet_since > _SEGMENT_WAIT_SECONDS:
                    return
                time.sleep(_POLL_SECONDS)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise NotServed(HTTPStatus.NOT_FOUND, "it is not there yet") from None


def _newest(text: str) -> tuple[int, int]:
    """The number of the segment that is being written, and how many parts of it are listed."""
    sequence = re.search(r"^#EXT-X-MEDIA-SEQUENCE:(\d+)$", text, re.MULTILINE)
    lines = text.splitlines()
    whole = [place for place, line in enumerate(lines) if line.startswith("#EXTINF:")]
    after = lines[whole[-1] :] if whole else lines
    return int(sequence[1] if sequence else 0) + len(whole), sum(line.startswith("#EXT-X-PART:") for line in after)


def _has(text: str, number: int, part: int | None) -> bool:
    newest, parts = _newest(text)
    return "#EXT-X-ENDLIST" in text or number < newest or (number == newest and part is not None and part < parts)


def _target_seconds(text: str) -> int:
    found = re.search(r"^#EXT-X-TARGETDURATION:(\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 1
