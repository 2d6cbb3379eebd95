"""Puts the page together: the results as JSON in the template, style and scripts of this folder."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from stcodec.evaluate.report.pictures import picture_blocks
from stcodec.evaluate.report.series import series_blocks
from stcodec.evaluate.report.view import page_data
from stcodec.evaluate.results import Evaluation
from stcodec.media.output import atomic_output, check_output
from stcodec.web.page import Page

REPORT_NAME = "report.html"
PAGE = Page(
    __package__,
    shared=("dom", "lines"),
    scripts=(
        *("state", "arms", "chart"),
        *("headline", "overview", "tables", "clips", "curves", "timeline", "frames", "details", "main"),
    ),
)
_HEADINGS = {"evaluate": "Bits saved where people look", "compare": "Files compared with their reference"}


def write_report(results: Evaluation, folder: Path) -> Path:
    """Write `report.html` into the folder, whole or not at all, and return its path; an older one is replaced.

    Pictures are read from the folder, as the viewers name them; one that is missing is left out of the page. Raises
    MediaError if the folder can't be written to.
    """
    target = check_output(folder / REPORT_NAME, overwrite=True)
    with atomic_output(target, overwrite=True) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(render(results, folder))
    return target


def render(results: Evaluation, folder: Path) -> str:
    """The page as text."""
    blocks: dict[str, Any] = {"data": page_data(results)}
    blocks.update(series_blocks(results))
    blocks.update(picture_blocks(results.viewers, folder))
    return PAGE.render(
        blocks,
        title=html.escape(_title(results)),
        kind=html.escape(results.kind),
        heading=html.escape(_HEADINGS[results.kind]),
    )


def _title(results: Evaluation) -> str:
    encoders = ", ".join(dict.fromkeys(curve.encoder for curve in results.curves if curve.encoder))
    things = f"{len(results.arms)} files" if results.kind == "compare" else f"{len(results.clips)} clips"
    return " · ".join(part for part in (_HEADINGS[results.kind], encoders, things) if part)
