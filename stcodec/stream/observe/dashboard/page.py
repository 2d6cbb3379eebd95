"""Puts the dashboard's page together, one file without anything from the network."""

from __future__ import annotations

from functools import cache
from importlib import resources
from string import Template

from stcodec.colours import AMOUNT
from stcodec.offline_page import json_block, page_policy

_ELEMENTS, _COLOURS = "stcodec.evaluate.report", "stcodec.diagnose.report"
"""Pages that have the same way to build elements, and to draw maps."""
_SCRIPTS = ("state", "preview", "chart", "numbers", "main")
"""In this order: a file uses what those before it define as it is loaded."""


@cache
def render() -> str:
    """The page as text."""
    style = _text("style.css")
    parts = [_text("dom.js", _ELEMENTS), _text("colours.js", _COLOURS), *(_text(f"{name}.js") for name in _SCRIPTS)]
    script = '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"
    return Template(_text("template.html")).substitute(
        policy=page_policy(style, script, connect="'self'"),
        style=style,
        script=script,
        data=json_block("ramps", {"amount": AMOUNT.tolist()}),
    )


def _text(name: str, package: str = __package__) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
