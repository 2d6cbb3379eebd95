"""A video and maps of it with planted faults, for tests of `inspect`."""

from __future__ import annotations

from pathlib import Path

import media
import numpy as np

from stcodec.media.decode import VideoReader
from stcodec.media.map_writer import MapWriter
from stcodec.types import FloatArray

FRAMES, FPS, CUT = 75, 25, 50
SHAPE = (18, 32)
FLICKERS = (0.4, 1.2)
"""Seconds between which the maps go to and fro."""
LAG_SECONDS = 0.4


def blob(x: float, y: float) -> FloatArray:
    """A hill at a place in frame widths."""
    down, across = np.mgrid[: SHAPE[0], : SHAPE[1]]
    distance = ((across + 0.5) / SHAPE[1] - x) ** 2 + ((down + 0.5) / SHAPE[1] - y) ** 2
    return np.asarray(0.02 + 0.98 * np.exp(-distance / (2 * 0.07**2)), np.float32)


def faulty(seconds: float) -> FloatArray:
    """Flickers early; late by `LAG_SECONDS` at the cut at 2 s."""
    if FLICKERS[0] <= seconds < FLICKERS[1] and round(seconds * 5) % 2:
        return blob(0.55, 0.2)
    return blob(0.3, 0.25) if seconds < CUT / FPS + LAG_SECONDS - 1e-6 else blob(0.75, 0.3)


def make_inspected(folder: Path) -> tuple[Path, Path]:
    """(video of 3 s with a cut at 2 s, file of maps)."""
    video = media.make_video(folder / "video.mp4", frames=FRAMES, cuts=[CUT])
    return video, make_maps(video, folder / "maps.mkv")


def make_maps(video: Path, path: Path) -> Path:
    """The faulty maps, five a second."""
    with VideoReader(video) as reader, MapWriter(path, reader.info, {}) as writer:
        for index in range(15):
            writer.add(index / 5, faulty(index / 5), index in (0, 10))
    return path
