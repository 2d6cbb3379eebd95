"""Puts the page together: what was found as JSON in the template, style and scripts of this folder."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stcodec.media.output import atomic_output
from stcodec.web.page import Page

PAGE = Page(
    __package__,
    shared=("dom", "lines", "grids"),
    scripts=("data", "contours", "stage", "timeline", "findings", "branches", "main"),
)


def write_report(title: str, blocks: Mapping[str, Any], target: Path, *, overwrite: bool) -> None:
    """Write the page, whole or not at all. blocks: the page's data by name. Raises MediaError."""
    with atomic_output(target, overwrite=overwrite) as temporary:
        temporary.write_text(PAGE.render(blocks, title=html.escape(title)), encoding="utf-8", newline="\n")
