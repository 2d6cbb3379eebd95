"""Targets: their kinds, and what is refused before anything starts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stcodec.encoders.table import ENCODERS
from stcodec.errors import MediaError, OptionsError
from stcodec.media.output import check_output
from stcodec.media.paths import display_name
from stcodec.stream.address import HIDDEN, SRT_OPTIONS, Address, parse_address

TargetKind = Literal["hls", "dash", "rtmp", "srt", "rtsp", "mpegts", "pipe", "file"]

_SCHEMES: dict[str, TargetKind] = {
    "rtmp": "rtmp",
    "rtmps": "rtmp",
    "srt": "srt",
    "rtsp": "rtsp",
    "udp": "mpegts",
    "tcp": "mpegts",
}
_ENDINGS: dict[str, TargetKind] = {
    ".m3u8": "hls",
    ".mpd": "dash",
    ".ts": "mpegts",
    ".mp4": "file",
    ".m4v": "file",
    ".mkv": "file",
}
_KNOWN: dict[str, AbstractSet[str]] = {
    "udp": {"ttl", "localaddr"},
    "tcp": {"listen"},
    "srt": SRT_OPTIONS,
}
"""Options after "?" that mean something; for the other schemes all go to the server, as they are."""
_RENDITION = re.compile(r"(\d+p)=(?=.)")


@dataclass(frozen=True)
class TargetAddress:
    """A target, as it is opened and as it is shown."""

    kind: TargetKind
    url: str = field(repr=False)
    """The address for a network target, the path for a file, "-" for stdout."""
    shown: str
    """Without credentials and stream keys."""
    network: Address | None = None
    """The address; None for a place on this machine."""
    rendition: str | None = None
    """The one rendition that goes there, by name ("360p"); None = the first, or all where the target takes several."""

    is_record: bool = False
    """Whether it is `--record`'s: what is there is kept, and a file with the next number begun."""

    @property
    def is_network(self) -> bool:
        """Whether it is an address and not a place on this machine."""
        return self.network is not None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.url)

    @property
    def takes_ladder(self) -> bool:
        """Whether all renditions go there together."""
        return self.kind in ("hls", "dash") and self.rendition is None

    def hide(self, text: str) -> str:
        """A message of a program or library about this target, without what is secret."""
        return display_name(" ".join(text.split())) if self.network is None else self.network.hide(text)


def parse_target(text: str) -> TargetAddress:
    """Parse a target: `-`, a file or an address, after `360p=` if one rendition is meant. Raises OptionsError."""
    match = _RENDITION.match(text)
    rendition, place = (match[1], text[match.end() :]) if match else (None, text)
    prefix = f"{rendition}=" if rendition else ""
    if place == "-":
        return TargetAddress("pipe", "-", "stdout", rendition=rendition)
    if place.startswith("file://"):
        return parse_target(prefix + place.removeprefix("file://"))
    if "://" in place:
        address = parse_address(place)
        kind = _check_address(address)
        return TargetAddress(kind, address.url, prefix + address.shown, address, rendition)
    if not place.isprintable() or not place:
        raise OptionsError(
            f"{display_name(text)!r} is no target: it is empty or has characters that can't be seen", value=text
        )
    shown = prefix + display_name(place)
    return TargetAddress(_file_kind(place, shown), place, shown, rendition=rendition)


def check_targets(targets: Sequence[TargetAddress], codec: str, renditions: Sequence[str]) -> None:
    """Raise OptionsError for a codec (ffmpeg's name) or rendition that a target can't take, and for a target given twice."""
    for number, target in enumerate(targets):
        allowed = [encoder.codec for encoder in ENCODERS.values() if target.kind in encoder.target_kinds]
        if codec not in allowed:
            raise OptionsError(
                f"{target.shown}: {target.kind} can't carry {codec}: it takes {', '.join(allowed)}",
                value=codec,
                allowed=allowed,
            )
        if target.rendition is not None and target.rendition not in renditions:
            raise OptionsError(
                f"{target.shown}: there is no rendition {target.rendition}: there is {', '.join(renditions)}",
                value=target.rendition,
            )
        if any(_same(target, other) for other in targets[:number]):
            raise OptionsError(f"{target.shown}: is given twice: once is enough", value=target.shown)


def check_place(target: TargetAddress, *, overwrite: bool, source: str) -> None:
    """Raise MediaError unless a target on this machine can be written without losing anything. source: what is read."""
    if target.kind == "pipe" and os.isatty(sys.stdout.fileno()):
        raise MediaError("stdout is a terminal: send it to a file or to a program")
    if target.kind != "pipe" and not target.is_network:
        is_file = os.path.isfile(source)  # noqa: PTH113 (an address may be longer than a name: Path would raise)
        check_output(target.path, overwrite=overwrite, source=source if is_file else None)


def _file_kind(name: str, shown: str) -> TargetKind:
    ending = Path(name).suffix.lower()
    if ending not in _ENDINGS:
        raise OptionsError(
            f"{shown}: a file is one of {', '.join(_ENDINGS)}; or give an address, or - for stdout",
            value=shown,
            allowed=_ENDINGS,
        )
    return _ENDINGS[ending]


def _check_address(address: Address) -> TargetKind:
    scheme, shown, options = address.scheme, address.shown, address.options
    if scheme not in _SCHEMES:
        raise OptionsError(
            f"{shown}: can't be streamed to: there are {', '.join(_SCHEMES)}, files and - (stdout)",
            value=shown,
            allowed=_SCHEMES,
        )
    if not address.host and not address.listens({}):
        raise OptionsError(f"{shown}: names no host: write {scheme}://HOST:PORT", value=shown)
    if address.port is None and scheme in ("srt", "udp", "tcp"):
        raise OptionsError(f"{shown}: names no port: write {scheme}://HOST:PORT", value=shown)
    if scheme.startswith("rtmp") and not address.path.strip("/").partition("/")[2]:
        raise OptionsError(f"{shown}: names no stream: write {scheme}://HOST/APPLICATION/KEY", value=shown)
    known = _KNOWN.get(scheme, set(options))
    for name in options:
        if name not in known:
            what = name if f"{name}=" in shown else HIDDEN
            raise OptionsError(
                f"{shown}: {scheme} has no option {what}: there are {', '.join(sorted(known))}", allowed=known
            )
    if not re.fullmatch(r"[0-9]{1,3}", ttl := options.get("ttl", "0")) or int(ttl) > 255:
        raise OptionsError(f"{shown}: ttl is {display_name(ttl)}: allowed is 0 to 255", value=ttl, allowed=(0, 255))
    phrase = options.get("passphrase")
    if phrase is not None and not 10 <= len(phrase) <= 79:
        raise OptionsError(f"{shown}: the passphrase has {len(phrase)} characters: 10 to 79 are allowed")
    address.check_private({}, reads=False)
    return _SCHEMES[scheme]


def _same(one: TargetAddress, other: TargetAddress) -> bool:
    if one.is_network or other.is_network or "-" in (one.url, other.url):
        return one.url == other.url
    return one.path.absolute() == other.path.absolute()
