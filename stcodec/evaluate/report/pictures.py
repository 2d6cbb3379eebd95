"""The viewers' pictures as data URIs, one block of data for each viewer."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stcodec.evaluate.results import FramePictures, Viewer

_PANELS = ("source", "gaze", "map", "qp", "plain", "guided", "error")
_KINDS = {rb"\xff\xd8\xff": "image/jpeg", rb"\x89PNG\r\n\x1a\n": "image/png", rb"RIFF....WEBP": "image/webp"}
"""First bytes of the kinds of files that a page may show."""


def picture_blocks(viewers: Sequence[Viewer], folder: Path) -> dict[str, Any]:
    """Blocks by the page's name of them: "pictures-0" is that of the first viewer, {panel: data URI} for each frame."""
    root = folder.resolve()
    return {f"pictures-{index}": [_frame(frame, root) for frame in viewer.frames] for index, viewer in enumerate(viewers)}


def _frame(frame: FramePictures, root: Path) -> dict[str, str]:
    found = {panel: data_uri(getattr(frame, panel), root) for panel in _PANELS}
    return {panel: uri for panel, uri in found.items() if uri}


def data_uri(name: str, root: Path) -> str:
    """The picture inside the page; "" for one that is missing, is no picture, or lies outside the (resolved) folder."""
    if not name:
        return ""
    try:
        path = (root / name).resolve()
        content = path.read_bytes() if path.is_relative_to(root) and path.is_file() else b""
    except (OSError, ValueError):  # ValueError: no system has such a path
        return ""
    kind = next((kind for start, kind in _KINDS.items() if re.match(start, content, re.DOTALL)), None)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}" if kind else ""
