"""A preview as a page of one file that opens offline."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from stcodec.diagnose.drawing import overlaid
from stcodec.media.pictures import still_bytes
from stcodec.preview.preview import EXCERPT_SECONDS, Instant, Picture, Preview
from stcodec.types import FloatArray
from stcodec.web.colours import SIGNED, coloured
from stcodec.web.page import Page, finite

PAGE = Page("stcodec.preview.page", ("main",), shared=("dom",))
_DETAIL_QUALITY = 95


def render(found: Preview, command: str, figures: list[tuple[str, str]]) -> str:
    """The page. command: what would encode the whole; figures: names and values of the whole, as text."""
    data = {
        "source": found.source,
        "excerpt_seconds": EXCERPT_SECONDS,
        "command": command,
        "figures": figures,
        "instants": [_instant(one) for one in found.instants],
    }
    return PAGE.render({"preview": finite(data)})


def _instant(one: Instant) -> dict[str, Any]:
    applied = one.guided.offsets_applied
    return {
        "seconds": one.seconds,
        "source": _uri(one.source),
        "map": _uri(overlaid(one.source, one.saliency)),
        "offsets": _uri(_offsets(one.offsets, one.source)),
        "least_qp": float(one.offsets.min()),
        "most_qp": float(one.offsets.max()),
        "details": {name: _uri(picture, _DETAIL_QUALITY) for name, picture in one.details.items()},
        "guided_kbps": one.guided.video_kbps,
        "plain_kbps": one.plain.video_kbps,
        "same_kbps": one.same_bits.video_kbps,
        "attended_db": applied.attended_db,
        "whole_db": applied.whole_db,
    }


def _offsets(offsets: FloatArray, picture: Picture) -> Picture:
    """Blocks as squares, over the picture's size."""
    limit = max(1.0, float(np.abs(offsets).max()))
    rows, cols = (np.arange(size) * cells // size for size, cells in zip(picture.shape[:2], offsets.shape, strict=True))
    return coloured((offsets[rows][:, cols] / limit + 1) / 2, SIGNED)


def _uri(picture: Picture, quality: int = 75) -> str:
    return f"data:image/webp;base64,{base64.b64encode(still_bytes(picture, quality)).decode()}"
