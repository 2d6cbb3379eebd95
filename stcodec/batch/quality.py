"""Quality of a finished file where its maps say that viewers look, on a sample of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stcodec.attention.base import AttentionSource
from stcodec.media.decode import VideoReader
from stcodec.media.planes import PlaneReader, common_format
from stcodec.media.seek import frames_from, frames_of
from stcodec.metrics.fidelity import squared_error, weighted_mean
from stcodec.orientation import to_coded
from stcodec.types import Clip, FloatArray, VideoInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_SECONDS_A_PLACE = 60.0
_MOST_PLACES = 5
_FRAMES_A_PLACE = 8
"""From a key frame of the result on: no more of it has to be decoded than is measured."""
_LEAST_ERROR = 1e-6
"""Of the squared range: 60 dB, beyond which nobody sees a difference."""


class WeightedErrors:
    """Errors of frames where their densities say that viewers look, and the EWPSNR of them all."""

    def __init__(self, video: VideoInfo) -> None:
        pix_fmt = common_format(video, video)
        self._peak = 1023.0 if pix_fmt.endswith("10le") else 255.0
        self._originals, self._results = PlaneReader(pix_fmt), PlaneReader(pix_fmt)
        self.found: list[float] = []

    def add(self, original: VideoFrame, result: VideoFrame, density: FloatArray) -> None:
        """Measure a frame of the result, of the original's size."""
        error = squared_error(self._originals(original)[0], self._results(result)[0])
        self.found.append(weighted_mean(error, density) / self._peak**2)

    @property
    def psnr_db(self) -> float:
        """Of one frame or more."""
        return float(-10 * np.log10(max(_LEAST_ERROR, float(np.mean(self.found)))))


def sampled_psnr_db(
    source: VideoReader, written: Path, shift_seconds: float, attention: AttentionSource | None
) -> float | None:
    """EWPSNR on frames at a few places of a file; the PSNR of whole frames without attention, None if none were found.

    source: read once more. shift_seconds: how much later the file's frames are than the source's. The maps are those that
    guided the encode: the figure says what these maps ask for, not what independent viewers would see.
    """
    video = source.info
    errors = WeightedErrors(video)
    duration = video.duration_seconds or 0.0
    places = min(_MOST_PLACES, max(1, int(duration / _SECONDS_A_PLACE)))
    for place in range(places):
        half = _FRAMES_A_PLACE / 2 / float(video.frame_rate or 25)
        seconds = video.start_seconds + shift_seconds + max(0.0, duration * (place + 0.5) / places - half)
        pairs = list(_pairs(source, written, seconds, shift_seconds))
        densities = _densities(attention, video, [one.time for one, _ in pairs])
        for (original, frame), density in zip(pairs, densities, strict=True):
            errors.add(original, frame, density)
    return errors.psnr_db if errors.found else None


def _pairs(
    source: VideoReader, written: Path, seconds: float, shift_seconds: float
) -> Iterator[tuple[VideoFrame, VideoFrame]]:
    """Frames of the source with those of the file, from a time on."""
    with closing(frames_from(written, seconds)) as frames:
        found = list(islice(frames, _FRAMES_A_PLACE))
    if not found:
        return
    with closing(frames_of(source, found[0].time - shift_seconds)) as originals:
        for original, frame in zip(originals, found, strict=False):
            if abs(original.time + shift_seconds - frame.time) < 0.005:
                yield original, frame


def _densities(attention: AttentionSource | None, video: VideoInfo, seconds: list[float]) -> list[FloatArray]:
    """[h, w] at each time, in coded orientation; even ones without attention."""
    if attention is None or not seconds:
        return [np.ones((1, 1), np.float32)] * len(seconds)
    times = np.array(seconds, np.float64)
    track = attention.open(video).attend(Clip(video, times, np.arange(len(times)) == 0))
    return [to_coded(saliency, video.rotation_degrees) for saliency in track.saliency]
