"""The frames that the page shows: evenly over the video, and every moment that something was found at."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from stcodec.media.decode import VideoReader
from stcodec.media.pictures import STILL_SUFFIX, write_still
from stcodec.media.scaling import Thumbnailer
from stcodec.progress import Meter
from stcodec.types import TimeArray
from stcodec.view import WHOLE, View

MOST_STILLS = 240
"""Pictures in a page; with `_MOST_BYTES` each and the maps they stay well below 15 MB."""
_MOST_FOUND = 120
_SIDE_PX = 560
_MOST_BYTES = 24_000
_QUALITIES = (62, 40, 20)


def chosen_instants(seconds: TimeArray, found_seconds: Sequence[float], most: int) -> list[int]:
    """Indices of the instants that are shown, in order: those nearest to what was found, and others evenly spread."""
    found = {int(np.abs(seconds - one).argmin()) for one in list(found_seconds)[:_MOST_FOUND]}
    spread = np.linspace(0, len(seconds) - 1, min(most - len(found), len(seconds))).round()
    return sorted(found | {int(one) for one in spread})


def make_stills(
    path: Path, seconds: Iterable[float], folder: Path, meter: Meter, keep_partial: bool, view: View = WHOLE
) -> list[str]:
    """Pictures of the frames at these times (increasing), as data URIs: each the first frame at or after its time."""
    wanted = list(seconds)
    stills: list[str] = []
    with VideoReader(path, keep_partial=keep_partial, view=view) as reader:
        thumbnail = Thumbnailer(reader.info, _SIDE_PX)
        for frame in reader.frames():
            meter.frame(frame.time, 0)
            if len(stills) < len(wanted) and frame.time >= wanted[len(stills)] - 1e-6:
                stills.append(_data_uri(thumbnail(frame), folder / f"still{STILL_SUFFIX}"))
            if len(stills) == len(wanted):
                break
    return stills + stills[-1:] * (len(wanted) - len(stills))


def _data_uri(picture: np.ndarray, path: Path) -> str:
    """The picture as WebP; of one with much detail the quality is lowered until it is small enough."""
    for quality in _QUALITIES:
        write_still(path, picture, quality)
        content = path.read_bytes()
        if len(content) <= _MOST_BYTES:
            break
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"
