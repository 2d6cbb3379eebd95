"""Network addresses of sources and targets: parsed here and nowhere else, and shown without their secrets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, unquote_plus

from stcodec.errors import OptionsError
from stcodec.media.paths import display_name

HIDDEN = "***"
SRT_OPTIONS = frozenset(
    {"mode", "latency", "rcvlatency", "peerlatency", "passphrase", "pbkeylen", "streamid", "maxbw", "inputbw", "oheadbw"}
    | {"connect_timeout", "listen_timeout", "timeout", "tlpktdrop", "transtype", "pkt_size", "mss", "ipttl", "iptos"}
)
_SHOWN_OPTIONS = (SRT_OPTIONS - {"passphrase", "streamid"}) | {"ttl", "localaddr", "listen"}
_WITH_KEY = ("rtmp", "rtmps", "rtsp", "rtsps")
"""Schemes whose path, from its second part on, is a key."""
_DATAGRAMS = ("udp", "rtp")
_SERVERS = ("http", "https")
"""Schemes whose options go to the server, whatever they are."""
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/?]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^?]*)?(?:\?(?P<query>.*))?"
)
"""As libavformat reads it: options begin at the first "?", and "#" is a character like others (SRT's stream ids have it)."""
_ANY_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_SHORT = 3
"""Secrets up to this length are hidden in messages where they stand alone: as a part of words they would hide those."""


@dataclass(frozen=True)
class Address:
    """An address that libavformat can be given."""

    url: str = field(repr=False)
    """As written, the scheme in lower case."""
    scheme: str
    host: str
    """Name or number, without brackets; may be empty."""
    port: int | None
    path: str = field(repr=False)
    """From the "/" on; may be empty."""
    options: Mapping[str, str] = field(repr=False)
    """What stands behind "?"."""
    shown: str
    """Without credentials, keys, and options that may be secret."""

    def hide(self, text: str) -> str:
        """A message of a program or library about this address, in one line, without what is secret in it."""
        secrets = {self.url: self.shown} | dict.fromkeys(_secrets(self.url), HIDDEN)
        longest = sorted(secrets, key=len, reverse=True)
        pattern = "|".join(re.escape(one) if len(one) > _SHORT else rf"(?<!\w){re.escape(one)}(?!\w)" for one in longest)
        hidden = re.sub(pattern, lambda found: secrets[found[0]], text)
        hidden = _ANY_ADDRESS.sub(lambda found: show(found[0]), hidden)
        return display_name(" ".join(hidden.split()))

    def check_private(self, given: Mapping[str, str], *, reads: bool) -> None:
        """Raise OptionsError if it would take connections or packets from other machines, and asks them for no secret.

        given: options of libavformat beside those in the address; reads: it is a source.
        """
        local = given.get("localaddr") or self.options.get("localaddr") or self.host
        if not self._listens(given, reads) or _is_loopback(local):
            return
        if self.scheme == "srt":
            if "passphrase" not in self.options:
                raise OptionsError(f"{self.shown}: would be open to other machines: give it a passphrase", value=self.shown)
        elif self.scheme in _DATAGRAMS:
            if not self.is_group:
                raise OptionsError(
                    f"{self.shown}: would be open to other machines: use 127.0.0.1, a multicast group, or srt:// with a "
                    "passphrase",
                    value=self.shown,
                )
        else:
            raise OptionsError(f"{self.shown}: would be open to other machines: use 127.0.0.1", value=self.shown)

    @property
    def is_group(self) -> bool:
        """Whether it is a multicast group."""
        try:
            return ipaddress.ip_address(self.host).is_multicast
        except ValueError:
            return False

    def listens(self, given: Mapping[str, str]) -> bool:
        """Whether it waits for somebody to connect. given: options of libavformat beside those in the address."""
        if self.scheme == "srt":
            return self.options.get("mode") == "listener"
        if self.scheme in ("rtmp", "rtmps") and "timeout" in given:  # it implies listening
            return True
        flags = re.split(r"[+|]", given.get("rtsp_flags", ""))
        return "listen" in flags or bool({"listen", "rtmp_listen"} & given.keys()) or "listen" in self._tcp_options()

    def _listens(self, given: Mapping[str, str], reads: bool) -> bool:
        return self.listens(given) or (reads and self.scheme in _DATAGRAMS)

    def _tcp_options(self) -> Mapping[str, str]:
        return self.options if self.scheme == "tcp" else {}


def parse_address(text: str) -> Address:
    """Parse an address. Raises OptionsError, which shows no secret."""
    if not text.isprintable() or " " in text:
        raise OptionsError(
            f"{show(text)}: is no address: it has a space or a character that can't be seen in it", value=show(text)
        )
    parts = _ADDRESS.fullmatch(text)
    if parts is None or int(parts["port"] or 0) > 65535 or not _is_host(parts["host"]):
        raise OptionsError(f"{show(text)}: is no address: the host or the port can't be read", value=show(text))
    scheme = parts["scheme"].lower()
    options = parse_qsl(parts["query"] or "", keep_blank_values=True)
    if len(dict(options)) < len(options) and scheme not in _SERVERS:
        raise OptionsError(f"{show(text)}: has an option twice", value=show(text))
    return Address(
        url=scheme + text[len(scheme) :],
        scheme=scheme,
        host=parts["host"].strip("[]").lower(),
        port=None if parts["port"] is None else int(parts["port"]),
        path=parts["path"] or "",
        options=dict(options),
        shown=show(text),
    )


def show(text: str) -> str:
    """An address without user, password, key and options that may be secret; of what can't be read only the scheme."""
    scheme = text.partition("://")[0].lower()
    parts = _ADDRESS.fullmatch(text)
    if parts is None or not text.isprintable() or _has_cut_password(parts):
        return f"{display_name(scheme) if _ADDRESS.fullmatch(f'{scheme}://') else ''}://{HIDDEN}"
    user = "" if parts["user"] is None else f"{HIDDEN}@"
    port = "" if parts["port"] is None else f":{parts['port']}"
    path = parts["path"] or ""
    first, slash, key = path[1:].partition("/")
    if key and scheme in _WITH_KEY:
        path = f"/{first}{slash}{HIDDEN}"
    query = "" if parts["query"] is None else "?" + "&".join(_show_option(one) for one in parts["query"].split("&"))
    return f"{scheme}://{user}{parts['host']}{port}{path}{query}"


def _show_option(option: str) -> str:
    name, equals, value = option.partition("=")
    if name in _SHOWN_OPTIONS and re.fullmatch(r"[\w.:-]*", value, re.ASCII):
        return option
    return f"{name}={HIDDEN}" if equals and re.fullmatch(r"\w+", name, re.ASCII) else HIDDEN


def _has_cut_password(parts: re.Match[str]) -> bool:
    """Whether the host may be the beginning of a password that has a "/" or "?" in it."""
    return "@" in f"{parts['path']}{parts['query']}"


def _secrets(url: str) -> set[str]:
    """Parts of an address that must not be shown, as written and as servers may say them."""
    parts = _ADDRESS.fullmatch(url)
    assert parts is not None
    found = {parts["user"] or ""}
    for option in (parts["query"] or "").split("&"):
        name, equals, value = option.partition("=")
        if _show_option(option) != option:
            found |= {value} if equals else {name}
            found |= {option} if _show_option(option) == HIDDEN else set()
    if parts["scheme"] in _WITH_KEY:
        found.add((parts["path"] or "")[1:].partition("/")[2])
    if _has_cut_password(parts):
        before = url.partition("://")[2].rpartition("@")[0]
        found |= {before, before.partition(":")[2]}
    # Servers name the parts of a key or of SRT's access control, "#!::u=me,r=talk"; libavformat cuts at marks in them.
    found |= {part for one in found for part in re.split("[/?&=,:@]", one) if re.search(r"\w", part)}
    found |= {read(one) for one in found for read in (unquote, unquote_plus)}
    return {one for one in found if one.strip(HIDDEN)}


def _is_host(text: str) -> bool:
    """Whether it is a name, which may be empty, or an IP number."""
    if not text.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
