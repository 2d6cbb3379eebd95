"""Puts the page together: template, style and scripts of this folder, and what was found as JSON inside it.

What keeps it apart from the network is in `stcodec.offline_page`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from stcodec.media.output import atomic_output
from stcodec.offline_page import json_block, page_policy

_ELEMENTS = "stcodec.evaluate.report"
"""Whose page has the same way to build elements."""
_SCRIPTS = ("data", "colours", "contours", "stage", "timeline", "findings", "branches", "main")
"""In this order: a file uses what those before it define as it is loaded."""


def write_report(title: str, blocks: Mapping[str, Any], target: Path) -> None:
    """Write the page, whole or not at all. blocks: the page's data by name. Raises MediaError."""
    with atomic_output(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(render(title, blocks))


def render(title: str, blocks: Mapping[str, Any]) -> str:
    """The page as text."""
    style = _text("style.css")
    parts = [_text("dom.js", _ELEMENTS), *(_text(f"{name}.js") for name in _SCRIPTS)]
    script = '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"
    return Template(_text("template.html")).substitute(
        policy=page_policy(style, script),
        title=html.escape(title),
        style=style,
        script=script,
        data="\n".join(json_block(name, value) for name, value in blocks.items()),
    )


def _text(name: str, package: str = __package__) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
