"""Target addresses: parsing, checking, and hiding their secrets in messages."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from stcodec.encoders.table import ENCODERS
from stcodec.errors import MediaError, OptionsError
from stcodec.media.output import check_output
from stcodec.media.paths import display_name

TargetKind = Literal["hls", "dash", "rtmp", "srt", "rtsp", "mpegts", "pipe", "file"]

HIDDEN = "***"
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
_KNOWN = {
    "udp": {"ttl", "localaddr"},
    "tcp": {"listen"},
    "srt": {
        *("mode", "latency", "rcvlatency", "peerlatency", "passphrase", "pbkeylen", "streamid", "maxbw", "inputbw"),
        *("oheadbw", "connect_timeout", "listen_timeout", "timeout", "tlpktdrop", "transtype", "pkt_size", "mss", "ipttl"),
        "iptos",
    },
}
"""Options after "?" that mean something; for the other schemes all go to the server, as they are."""
_SHOWN_OPTIONS = (*_KNOWN["udp"], *_KNOWN["tcp"], *(_KNOWN["srt"] - {"passphrase", "streamid"}))
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_RENDITION = re.compile(r"(\d+p)=(?=.)")


@dataclass(frozen=True)
class TargetAddress:
    """A target, as it is opened and as it is shown."""

    kind: TargetKind
    url: str
    """The address for a network target, the path for a file, "-" for stdout."""
    shown: str
    """Without credentials and stream keys."""
    rendition: str | None = None
    """The one rendition that goes there, by name ("360p"); None = the first, or all where the target takes several."""

    @property
    def scheme(self) -> str:
        """ "rtmps", "udp", ...; empty for files and stdout."""
        return urlsplit(self.url).scheme if self.is_network else ""

    @property
    def is_network(self) -> bool:
        """Whether it is an address and not a place on this machine."""
        return "://" in self.url

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.url)

    @property
    def host(self) -> tuple[str, int | None]:
        """Name or number, and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port

    @property
    def options(self) -> dict[str, str]:
        """Options after "?"."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def takes_ladder(self) -> bool:
        """Whether all renditions go there together."""
        return self.kind in ("hls", "dash") and self.rendition is None

    def hide(self, text: str) -> str:
        """A message of a program or library about this target, without what is secret."""
        return hide_in(text, self.url)


def parse_target(text: str) -> TargetAddress:
    """Parse a target: `-`, a file or an address, after `360p=` if one rendition is meant. Raises OptionsError."""
    match = _RENDITION.match(text)
    rendition, place = (match[1], text[match.end() :]) if match else (None, text)
    shown = f"{rendition}={hide_secrets(place)}" if rendition else hide_secrets(place)
    if place == "-":
        return TargetAddress("pipe", "-", "stdout", rendition)
    if not place or not place.isprintable() or "\0" in place:
        raise OptionsError(f"{shown!r} is no target: it is empty or has characters that can't be seen")
    if "://" not in place:
        return TargetAddress(_file_kind(place, shown), place, shown, rendition)
    scheme = place.partition("://")[0].lower()
    if scheme == "file":
        return parse_target(f"{rendition}={place[7:]}" if rendition else place[7:])
    if scheme not in _SCHEMES:
        raise OptionsError(f"{shown}: can't be streamed to: there are {', '.join(_SCHEMES)}, files and - (stdout)")
    _check_url(place, scheme, shown)
    return TargetAddress(_SCHEMES[scheme], scheme + place[len(scheme) :], shown, rendition)


def check_targets(targets: Sequence[TargetAddress], codec: str, renditions: Sequence[str]) -> None:
    """Raise OptionsError for a codec (ffmpeg's name) or rendition that a target can't take, and for a target given twice."""
    for number, target in enumerate(targets):
        allowed = [encoder.codec for encoder in ENCODERS.values() if target.kind in encoder.target_kinds]
        if codec not in allowed:
            raise OptionsError(f"{target.shown}: {target.kind} can't carry {codec}: it takes {', '.join(allowed)}")
        if target.rendition is not None and target.rendition not in renditions:
            raise OptionsError(f"{target.shown}: there is no rendition {target.rendition}: there is {', '.join(renditions)}")
        if any(_same(target, other) for other in targets[:number]):
            raise OptionsError(f"{target.shown}: is given twice")


def check_place(target: TargetAddress, *, overwrite: bool, source: str) -> None:
    """Raise MediaError unless a target on this machine can be written without losing anything. source: what is read."""
    if target.kind == "pipe" and os.isatty(sys.stdout.fileno()):
        raise MediaError("stdout is a terminal: send it to a file or to a program")
    if target.kind != "pipe" and not target.is_network:
        is_file = os.path.isfile(source)  # noqa: PTH113 (an address may be longer than a name: Path would raise)
        check_output(target.path, overwrite=overwrite, source=source if is_file else None)


def hide_secrets(url: str) -> str:
    """An address without user, password, stream key and options that may be secret; a file's name as it is."""
    if "://" not in url:
        return display_name(url)
    scheme, _, rest = url.partition("://")
    place, question, query = rest.partition("?")
    host, slash, path = place.partition("/")
    if "@" in host:
        host = f"{HIDDEN}@{host.rpartition('@')[2]}"
    if scheme.lower() in ("rtmp", "rtmps", "rtsp"):
        first, more, key = path.partition("/")
        path = f"{first}{more}{HIDDEN}" if key else path
    options = [_hide_option(one) for one in query.split("&")] if question else []
    return display_name(f"{scheme}://{host}{slash}{path}{question}{'&'.join(options)}")


def hide_in(text: str, url: str) -> str:
    """A message of a program or library about an address, in one line, without what is secret in it."""
    hidden = _URL.sub(lambda match: hide_secrets(match[0]), text)
    for secret in _secrets(url):
        hidden = hidden.replace(secret, HIDDEN)
    return display_name(" ".join(hidden.split()))


def _hide_option(option: str) -> str:
    name, equals, _ = option.partition("=")
    if name in _SHOWN_OPTIONS:
        return option
    return f"{name}={HIDDEN}" if equals else HIDDEN


def _secrets(url: str) -> list[str]:
    """Parts of an address that must not be shown, the longest first."""
    if "://" not in url:
        return []
    parts = urlsplit(url)
    found = {parts.username or "", parts.password or ""}
    found |= {value for name, value in parse_qsl(parts.query) if name not in _SHOWN_OPTIONS}
    if parts.scheme in ("rtmp", "rtmps", "rtsp"):
        found.add(parts.path.lstrip("/").partition("/")[2])
    both = found | {unquote(one) for one in found}
    return sorted((one for one in both if len(one) > 3), key=len, reverse=True)


def _file_kind(name: str, shown: str) -> TargetKind:
    ending = Path(name).suffix.lower()
    if ending not in _ENDINGS:
        raise OptionsError(f"{shown}: a file is one of {', '.join(_ENDINGS)}; or give an address, or - for stdout")
    return _ENDINGS[ending]


def _check_url(url: str, scheme: str, shown: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OptionsError(f"{shown}: is no address: the host or the port can't be read") from None
    if " " in url:
        raise OptionsError(f"{shown}: is no address: it has a space in it")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    listens = options.get("mode") == "listener" or "listen" in options
    if not parts.hostname and not listens:
        raise OptionsError(f"{shown}: names no host: write {scheme}://HOST:PORT")
    if port is None and scheme in ("srt", "udp", "tcp"):
        raise OptionsError(f"{shown}: names no port: write {scheme}://HOST:PORT")
    if scheme.startswith("rtmp") and not parts.path.strip("/").partition("/")[2]:
        raise OptionsError(f"{shown}: names no stream: write {scheme}://HOST/APPLICATION/KEY")
    known = _KNOWN.get(scheme, set(options))
    for name in options:
        if name not in known:
            raise OptionsError(f"{shown}: {scheme} has no option {name}: there are {', '.join(sorted(known))}")
    if not re.fullmatch(r"\d{1,3}", ttl := options.get("ttl", "0")) or int(ttl) > 255:
        raise OptionsError(f"{shown}: ttl is {ttl}: allowed is 0 to 255")
    phrase = options.get("passphrase")
    if phrase is not None and not 10 <= len(phrase) <= 79:
        raise OptionsError(f"{shown}: the passphrase has {len(phrase)} characters: 10 to 79 are allowed")
    if listens and phrase is None and not _is_loopback(parts):
        way = "give it a passphrase" if scheme == "srt" else "use 127.0.0.1"
        raise OptionsError(f"{shown}: would be open to other machines: {way}")


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _same(one: TargetAddress, other: TargetAddress) -> bool:
    if one.is_network or other.is_network or "-" in (one.url, other.url):
        return one.url == other.url
    return one.path.absolute() == other.path.absolute()
