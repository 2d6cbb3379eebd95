"""Just-objectionable differences of one distorted file; it is decoded once more for each viewer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from stcodec.errors import MediaError
from stcodec.evaluate.pairs import frame_pairs, frame_rate
from stcodec.media.decode import VideoReader
from stcodec.media.rgb import RgbReader
from stcodec.metrics.jod import Pairs, Picture, Screening, color_jods, foveated_jods
from stcodec.types import FloatArray

Measure = Callable[[Pairs, Screening], list[float]]


def mean_foveated_jods(
    reference: Path, distorted: Path, frames: int, viewing_distance: float, scanpaths: Path
) -> list[float]:
    """FovVideoVDP of each frame, the mean over viewers; frames: how many there are.

    scanpaths: theirs in a .npy file, float32 [N, T, 2], shares of the frame in display orientation.
    Raises MediaError if the frames don't pair up, OptionsError if the package is not installed.
    """
    found = []
    for path in np.load(scanpaths):
        found.append(_measured(reference, distorted, frames, viewing_distance, partial(_along, path)))
    return [float(mean) for mean in np.mean(found, axis=0)]


def whole_jods(reference: Path, distorted: Path, frames: int, viewing_distance: float) -> list[float]:
    """ColorVideoVDP of each frame; raises as `mean_foveated_jods`."""
    return _measured(reference, distorted, frames, viewing_distance, color_jods)


def _along(path: FloatArray, pairs: Pairs, shown: Screening) -> list[float]:
    size_px = np.array([shown.width_px, shown.height_px], np.float32)
    return foveated_jods(pairs, shown, path[: shown.frames] * size_px - np.float32(0.5))


def _measured(reference: Path, distorted: Path, frames: int, viewing_distance: float, measure: Measure) -> list[float]:
    with VideoReader(reference) as ours, VideoReader(distorted) as theirs:
        video = ours.info
        rate = float(frame_rate(video))
        shown = Screening(video.display_width_px, video.display_height_px, frames, rate, viewing_distance)
        try:
            return measure(_pictures(ours, theirs), shown)
        except RuntimeError as error:  # torch's, about sizes and memory
            raise MediaError(f"{theirs.name}: could not be scored ({error})") from None


def _pictures(ours: VideoReader, theirs: VideoReader) -> Iterator[tuple[Picture, Picture]]:
    one, other = RgbReader(ours.info), RgbReader(theirs.info)
    for pair in frame_pairs(ours, theirs):
        yield one(pair.reference), other(pair.distorted)
