"""Address of the HTTP server of a stream: on this machine, or anywhere else with a token."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stcodec.errors import OptionsError
from stcodec.media.paths import display_name

DEFAULT_ADDRESS = "127.0.0.1:8642"
LEAST_TOKEN_CHARACTERS = 16


@dataclass(frozen=True)
class WebOptions:
    """Options of the HTTP server. Raises OptionsError."""

    address: str = DEFAULT_ADDRESS
    """ADDRESS:PORT; port 0 takes a free one."""
    metrics: bool = True
    """Give out metrics and health."""
    dashboard: bool = False
    """Give out the page to watch the stream on."""
    origin: str | None = None
    """Origin of pages elsewhere that may read the files, as "https://example.org"; None = the server's own pages only."""
    token: str | None = None
    """Token that clients must present; required on every address that other machines can reach."""

    def __post_init__(self) -> None:
        host, _ = self.place
        local = ipaddress.ip_address(host).is_loopback
        if self.token is None and not local:
            raise OptionsError(
                f"{display_name(self.address)} can be reached from other machines: give a token too (--token-file), "
                "or listen on 127.0.0.1",
                value=self.address,
            )
        if self.origin is not None and not re.fullmatch(r"https?://[\w.\[\]:-]+", self.origin, re.ASCII):
            raise OptionsError(
                f"{display_name(self.origin)!r} is no origin of pages: write https://HOST or http://HOST:PORT",
                value=self.origin,
            )
        if self.token is not None and (len(self.token) < LEAST_TOKEN_CHARACTERS or not self.token.isascii()):
            raise OptionsError(f"the token has {len(self.token)} characters: {LEAST_TOKEN_CHARACTERS} or more, all ASCII")

    @property
    def place(self) -> tuple[str, int]:
        """The IP address and the port."""
        try:
            parts = urlsplit(f"//{self.address}")
            host, port = parts.hostname, parts.port
            if host is not None and port is not None and parts.netloc == self.address and "@" not in self.address:
                return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)), port
        except ValueError:
            pass
        raise OptionsError(
            f"{display_name(self.address)!r} is no address to listen on: IP:PORT, as {DEFAULT_ADDRESS}", value=self.address
        )


def read_token(path: Path) -> str:
    """The token in a file. Raises OptionsError."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise OptionsError(f"{display_name(path)}: the token can't be read ({reason})", path=path) from None
    if not text:
        raise OptionsError(f"{display_name(path)}: the file holds no token", path=path)
    return text
