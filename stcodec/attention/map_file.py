"""`map:FILE` and `mask:FILE`: saliency maps made before, by `stcodec maps` or any other program, and masks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, TimedMap, track
from stcodec.attention.grids import filled, resize, shrink
from stcodec.errors import AttentionError
from stcodec.media.maps import MapReader
from stcodec.media.paths import display_name
from stcodec.types import Clip, ClipSpec, FloatArray, SaliencyTrack, VideoInfo

_MAX_MAPS_PER_SECOND = 30.0
_SAME_SECONDS = 0.0006
"""Times this near are one: map files round to 1 ms."""
_ASPECT_TOLERANCE = 0.05


class MapFileSource(AttentionSource):
    """Maps from a file, matched to the video by time.

    Between two maps values change linearly, except across the starts of shots that the file marks; before the first map
    and after the last they hold. A black map means that nothing is singled out and counts as all ones. Values are taken
    as they stand (black 0, white 1), sizes above 480 px averaged down.
    """

    prefix = "map"

    def __init__(self, path: str | os.PathLike[str], *, fps: float | None = None) -> None:
        """path, fps: see `MapReader`. Raises MediaError if the file can't be read."""
        self.name = f"{self.prefix}:{display_name(path)}"
        self._reader = MapReader(path, fps=fps)
        self.tags = self._reader.tags
        """The metadata of the file; STCODEC_SOURCE says what made the maps, if they are ours."""
        own_rate = self._reader.maps_per_second
        self.spec = ClipSpec(
            maps_per_second=_MAX_MAPS_PER_SECOND if own_rate is None else min(_MAX_MAPS_PER_SECOND, own_rate),
            shots=not self._reader.is_static,
        )

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises AttentionError if duration or aspect do not fit, or if every map is black."""
        if video.sure_duration_seconds is not None:
            # Some writers of Matroska count what lies before the first frame, others don't.
            self.check_duration(video.sure_duration_seconds, video.sure_duration_seconds - max(0.0, video.start_seconds))
        self._check_aspect(video)
        if not any(saliency.any() for _, saliency in self._reader.maps(video.duration_seconds or 1.0)):
            raise AttentionError(
                f"{self.name}: every map in it is black, so nothing is singled out: white must mark what matters"
            )
        return _MapFileSession(self, self._reader, video)

    def prepare(self, saliency: FloatArray) -> FloatArray:
        """Prepare a map [h, w] that was read to be matched to instants."""
        return filled(shrink(saliency))

    def check_duration(self, video_seconds: float, *or_seconds: float) -> None:
        """Raise AttentionError unless the maps last about as long as a video; or_seconds: as it may be meant, too."""
        maps = self._reader.duration_seconds
        if maps is None or any(abs(maps - one) <= max(0.5, 0.05 * one) for one in (video_seconds, *or_seconds)):
            return
        raise AttentionError(
            f"{self.name}: the maps last {maps:.2f} s, the video {video_seconds:.2f} s: they belong to another video or to "
            "another cut of it; make the maps from this file"
        )

    def _check_aspect(self, video: VideoInfo) -> None:
        """The frames covered must have the video's shape, with its pixels square or as the container says."""
        width, height = self._reader.frame_size
        shown = video.display_width_px / video.display_height_px
        pixel = float(video.sample_aspect_ratio or 1)
        pixel = 1 / pixel if video.rotation_degrees in (90, 270) else pixel
        # A grid of blocks is up to one block longer than the frame.
        narrowest, widest = (width - 1) / height, width / max(height - 1, 0.5)
        for aspect in (shown, shown * pixel):
            if narrowest * (1 - _ASPECT_TOLERANCE) <= aspect <= widest * (1 + _ASPECT_TOLERANCE):
                return
        raise AttentionError(
            f"{self.name}: the maps are {width}x{height}, the video is shown as {video.display_width_px}x"
            f"{video.display_height_px}: the shapes differ by more than 5 %; give maps of the whole frame, turned as a "
            "player shows it"
        )


class _MapFileSession(AttentionSession):
    def __init__(self, source: MapFileSource, reader: MapReader, video: VideoInfo) -> None:
        self._source = source
        self._video = video
        self._last_seconds = video.start_seconds
        self._maps = _timed_maps(reader, video, source.prepare)
        self._now = next(self._maps)
        self._next = next(self._maps, None)

    def attend(self, clip: Clip) -> SaliencyTrack:
        starts = clip.shot_starts.copy()
        maps = np.empty((len(clip), *self._now.saliency.shape), np.float32)
        for index, pts in enumerate(clip.pts_seconds):
            starts[index] |= self._advance(float(pts))
            maps[index] = self._at(float(pts))
            self._last_seconds = float(pts)
        return track(self._video, self._source.name, clip.pts_seconds, starts, maps)

    def finish(self) -> SaliencyTrack | None:
        if self._video.sure_duration_seconds is None:  # only now it is known
            self._source.check_duration(self._last_seconds - self._video.start_seconds)
        return None

    def _advance(self, seconds: float) -> bool:
        """Read on until the next map lies ahead; True if a shot began on the way."""
        started = False
        while self._next is not None and self._next.pts_seconds <= seconds + _SAME_SECONDS:
            started |= self._next.starts_shot
            self._now, self._next = self._next, next(self._maps, None)
        return started

    def _at(self, seconds: float) -> FloatArray:
        elapsed = seconds - self._now.pts_seconds
        if self._next is None or self._next.starts_shot or elapsed <= _SAME_SECONDS:
            return self._now.saliency
        share = np.float32(elapsed / (self._next.pts_seconds - self._now.pts_seconds))
        return self._now.saliency + share * (self._next.saliency - self._now.saliency)


def _timed_maps(reader: MapReader, video: VideoInfo, prepare: Callable[[FloatArray], FloatArray]) -> Iterator[TimedMap]:
    starts = np.array(reader.shot_starts_seconds)
    for seconds, saliency in reader.maps(video.duration_seconds):
        starts_shot = bool(np.any(np.abs(starts - seconds) <= _SAME_SECONDS))
        yield TimedMap(seconds + video.start_seconds, starts_shot, prepare(saliency))


_SIGMA_SHARE = 0.02
"""Sigma of the softening, as a share of the frame's width."""
_SOFT_SIDE_PX = 240


class MaskSource(MapFileSource):
    """A mask from a file that `map:` could read too, with a soft edge around what it marks.

    What is white stays as it is, however small; around it attention falls off as a Gaussian of sigma = 2 % of the
    width, so that blocks that hold a part of it keep their quality. Gray means "in between". A black frame counts as
    all ones.
    """

    prefix = "mask"

    def prepare(self, saliency: FloatArray) -> FloatArray:
        """A mask [h, w], softened."""
        mask = shrink(saliency)
        coarse = shrink(mask, _SOFT_SIDE_PX)  # what is soft needs no fine grid
        sigma = _SIGMA_SHARE * coarse.shape[1]
        blurred = cv2.GaussianBlur(coarse, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        reach = 2 * math.ceil(3 * sigma) + 1
        highest = cv2.dilate(coarse, np.ones((reach, reach), np.uint8))
        # Twice the blur is full at a straight edge and falls off outside of it; nothing outshines what is near it.
        soft = np.minimum(2 * blurred, highest)
        shape = (mask.shape[0], mask.shape[1])
        return filled(np.maximum(mask, resize(soft, shape)))
