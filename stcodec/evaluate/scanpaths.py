"""Scanpaths: where single viewers look at each frame, from the recording that the scores of a clip are weighted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stcodec.attention.gaze import Fixations, GazeSource
from stcodec.errors import AttentionError, OptionsError
from stcodec.evaluate.guidance import Guide, Maps, guide_key
from stcodec.evaluate.reference import PreparedClip
from stcodec.media.decode import VideoReader
from stcodec.metrics.jod import check_installed
from stcodec.types import FloatArray, VideoInfo
from stcodec.work.cache import Cache, content_hash, key_of

SCANPATH_METRICS = ("fvvdp",)
"""Metrics that follow single viewers."""


@dataclass(frozen=True)
class ScanpathsTask:
    """Scanpaths to be made."""

    reference: PreparedClip
    guide: Guide
    observers: int
    cache: Cache

    def run(self) -> Maps:
        """Make them, or find them made: float32 [N, T, 2] in a .npy file. Raises AttentionError or MediaError."""
        key = key_of(guided=guide_key("weights", self.reference, self.guide), observers=self.observers)
        place = self.cache.place("scanpaths", key, ".npy")
        if not place.exists():
            with self.cache.writing(place) as temporary:
                write_scanpaths(self.reference.original, self.guide, self.reference.seconds, self.observers, temporary)
        return Maps(place, content_hash(place))


def check_scanpaths(metrics: Sequence[str], has_gaze: bool) -> None:
    """Raises OptionsError if a metric's package is not installed, or if there are no viewers that it could follow."""
    for metric in metrics:
        if metric in ("fvvdp", "cvvdp"):
            check_installed(metric)
        if metric in SCANPATH_METRICS and not has_gaze:
            raise OptionsError(f"{metric} follows recorded viewers: give --gaze, or leave it out", value=metric)


def write_scanpaths(original: Path, guide: Guide, seconds: Sequence[float], observers: int, path: Path) -> None:
    """Write the scanpaths of so many of a recording's viewers, those first whose gaze is known longest.

    float32 [N, T, 2]: x and y as shares of the frame's width and height in display orientation, at times [T] since the
    first frame. Raises AttentionError if the recording can't be of the video.
    """
    with VideoReader(original) as opened:
        video = opened.info
        source = guide.open(video)
    if not isinstance(source, GazeSource):
        raise AttentionError(f"{guide.text}: is no recording of gaze: there are no viewers to follow")
    gaze = source.fixations
    known = {one: _known_seconds(gaze, one, seconds[-1]) for one in np.unique(gaze.observer)}
    chosen = sorted(known, key=lambda one: (-known[one], one))[:observers]
    np.save(path, np.stack([scanpath(gaze, one, seconds, video) for one in chosen]))


def scanpath(gaze: Fixations, observer: float, seconds: Sequence[float], video: VideoInfo) -> FloatArray:
    """[T, 2] where a viewer looks at some times: at the fixation that began last; before the first, at that one.

    x and y as shares of the frame, kept inside of it.
    """
    mine = np.flatnonzero(gaze.observer == observer)
    mine = mine[np.argsort(gaze.start_seconds[mine], kind="stable")]
    # Rounded, so that a frame at the very start of a fixation sees it.
    begun = np.searchsorted(gaze.start_seconds[mine], np.round(seconds, 6), side="right") - 1
    at = mine[np.maximum(begun, 0)]
    places = np.stack([gaze.x_px[at] / video.display_width_px, gaze.y_px[at] / video.display_height_px], axis=1)
    return np.clip(places, 0, 1).astype(np.float32)


def _known_seconds(gaze: Fixations, observer: float, end_seconds: float) -> float:
    mine = gaze.observer == observer
    return float((np.minimum(gaze.end_seconds[mine], end_seconds) - np.maximum(gaze.start_seconds[mine], 0)).clip(0).sum())
