"""Pages of one file that open offline: they need no network and can't reach one.

Their Content-Security-Policy allows pictures from within the page, and of scripts and styles only these very ones, by their
hashes. Names of files are hostile: they stand in the page only as JSON, which the scripts show as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

_SHARED = "stcodec.web"


@dataclass(frozen=True)
class Page:
    """A page, by the files that it is put together from."""

    folder: str
    """The package with its template.html, its style.css and its own scripts."""
    scripts: tuple[str, ...]
    """Names of its own scripts, in this order: a file uses what those before it define as it is loaded."""
    shared: tuple[str, ...] = ()
    """Names of scripts of `stcodec.web`, before its own."""
    connect: str = "'none'"
    """Addresses that it may ask for data, as a Content-Security-Policy has them."""
    media: str = "'none'"
    """Addresses of video that it may play."""

    def render(self, blocks: Mapping[str, Any], **texts: str) -> str:
        """The page as text. blocks: its data by the id of the block; texts: further fields of its template, escaped."""
        style = _text(_SHARED, "base.css") + _text(self.folder, "style.css")
        parts = [_text(_SHARED, f"{name}.js") for name in self.shared]
        parts += [_text(self.folder, f"{name}.js") for name in self.scripts]
        script = '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"
        return Template(_text(self.folder, "template.html")).substitute(
            policy=page_policy(style, script, self.connect, self.media),
            style=style,
            script=script,
            data="\n".join(json_block(name, value) for name, value in blocks.items()),
            **texts,
        )


def _text(folder: str, name: str) -> str:
    return resources.files(folder).joinpath(name).read_text(encoding="utf-8")


def page_policy(style: str, script: str, connect: str = "'none'", media: str = "'none'") -> str:
    """The Content-Security-Policy of a page with this style and this script; connect, media: as in `Page`."""
    allowed = {
        "default-src": "'none'",
        "connect-src": connect,
        "img-src": "data:",
        "media-src": media,
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def json_block(name: str, value: Any) -> str:
    """A block of data that no browser runs; nothing in it can end the block or open a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


def finite(value: Any) -> Any:
    """The same with None for numbers that JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return value


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
