"""A recording of gaze, checked against its clip, and its observers cut in two: those who guide and those who judge."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stcodec.attention.gaze import Fixations, GazeSource
from stcodec.errors import AttentionError
from stcodec.media.paths import display_name
from stcodec.types import VideoInfo

LEAD_SECONDS = 0.3
"""The first fixation of each observer is on the centre of the screen: so much is left out of the scores."""
_MOST_OUTSIDE = 0.25
"""Share of fixations: more than that outside of the frame, and the recording is not of this clip."""
_LEAST_COVERED = 0.5
"""Share of the clip's duration that the recording must reach."""


@dataclass(frozen=True)
class Observers:
    """The viewers of one recording, by number."""

    guiding: tuple[int, ...]
    judging: tuple[int, ...]

    @property
    def description(self) -> str:
        """Description for people: by whom the scores are weighted."""
        return f"gaze of {len(self.judging)} of {len(self.judging) + len(self.guiding)} observers"


def split_observers(path: Path, seed: int) -> Observers:
    """A random half of the observers, the same for the same seed, and the others. Raises AttentionError."""
    observers = sorted({int(one) for one in GazeSource(path).fixations.observer})
    if len(observers) < 2:
        raise AttentionError(
            f"{display_name(path)}: has one observer, but half of them guide the human arm and the others judge: leave the "
            "human arm out",
            path=path,
        )
    order = np.random.default_rng(seed).permutation(len(observers))
    half = len(observers) // 2
    guiding, judging = (tuple(sorted(observers[place] for place in part)) for part in (order[:half], order[half:]))
    return Observers(guiding, judging)


def check_gaze(source: GazeSource, video: VideoInfo) -> None:
    """Raises AttentionError if a recording can't be of a video: places outside of its frame, or times beyond its end."""
    source.open(video)
    gaze = source.fixations
    outside = float(np.mean(_outside(gaze, video)))
    if outside > _MOST_OUTSIDE:
        raise AttentionError(
            f"{source.name}: {outside:.0%} of the fixations lie outside of the frame of {video.display_width_px}x"
            f"{video.display_height_px} px (x to {gaze.x_px.max():g}, y to {gaze.y_px.max():g}): is it gaze for another "
            "video, or for another size of it?"
        )
    duration = video.sure_duration_seconds
    if duration is None:
        return
    if float(gaze.end_seconds.max()) < _LEAST_COVERED * duration:
        raise AttentionError(
            f"{source.name}: the last fixation ends at {gaze.end_seconds.max():.2f} s, the video at {duration:.2f} s: is it "
            "gaze for another video?"
        )
    late = float(np.mean(gaze.start_seconds >= duration))
    if late > 1 - _LEAST_COVERED:
        raise AttentionError(
            f"{source.name}: {late:.0%} of the fixations begin after the end of the video at {duration:.2f} s: is it gaze "
            "for another video?"
        )


def _outside(gaze: Fixations, video: VideoInfo) -> np.ndarray:
    wide, high = video.display_width_px, video.display_height_px
    return np.asarray((gaze.x_px < 0) | (gaze.x_px > wide) | (gaze.y_px < 0) | (gaze.y_px > high))
