"""A source at work beside the decoder: the same maps at any pace, little waits, errors come through."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from media import make_video

from stcodec.attention.base import AttentionSession, AttentionSource, track
from stcodec.errors import AttentionError
from stcodec.media.decode import VideoReader
from stcodec.pipeline.attend import frames_with_maps
from stcodec.types import Clip, ClipSpec, SaliencyTrack, VideoInfo

FRAMES = 40
MAPS_PER_SECOND = 6.25
FRAMES_A_MAP = 4


class Paced(AttentionSource):
    """Its maps say when they were asked for; each takes a while."""

    name = "paced"

    def __init__(self, seconds: float, maps_per_second: float = MAPS_PER_SECOND, fails_at: int = -1) -> None:
        self.spec = ClipSpec(maps_per_second, shots=True)
        self.seconds = seconds
        self.fails_at = fails_at
        self.seen = 0

    def open(self, video: VideoInfo) -> AttentionSession:
        return _PacedSession(self, video)


class _PacedSession(AttentionSession):
    def __init__(self, source: Paced, video: VideoInfo) -> None:
        self._source = source
        self._video = video

    def attend(self, clip: Clip) -> SaliencyTrack:
        time.sleep(self._source.seconds)
        if self._source.seen == self._source.fails_at:
            raise AttentionError("paced: that one was too much")
        self._source.seen += 1
        maps = np.full((1, 2, 2), clip.pts_seconds[0] / 10, np.float32)
        return track(self._video, "paced", clip.pts_seconds, clip.shot_starts, maps)


@pytest.fixture(scope="module")
def path(videos: Path) -> Path:
    return make_video(videos / "paced.mp4", frames=FRAMES, size=(64, 48), cuts=(22,))


def values(path: Path, source: Paced) -> list[tuple[float, float]]:
    """Each frame's time and map."""
    with VideoReader(path) as reader:
        found = frames_with_maps(reader.frames(), reader.info, source)
        return [(frame.time, float(saliency[0, 0])) for frame, saliency in found]


@pytest.mark.parametrize("maps_per_second", [MAPS_PER_SECOND, 0.0], ids=["interpolated", "held"])
def test_maps_do_not_depend_on_the_pace(path: Path, maps_per_second: float) -> None:
    quick, slow = (values(path, Paced(seconds, maps_per_second)) for seconds in (0.0, 0.02))
    assert quick == slow
    assert len(quick) == FRAMES
    assert len({one for _, one in quick}) > (1 if maps_per_second == 0 else 20)


def test_decoding_goes_on_while_the_source_looks_but_not_far(path: Path) -> None:
    source, most_ahead = Paced(0.02), 0

    def watched(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        nonlocal most_ahead
        for index, frame in enumerate(frames):
            most_ahead = max(most_ahead, index - FRAMES_A_MAP * source.seen)
            yield frame

    with VideoReader(path) as reader:
        assert len(list(frames_with_maps(watched(reader.frames()), reader.info, source))) == FRAMES
    assert FRAMES_A_MAP < most_ahead <= 4 * FRAMES_A_MAP


def test_an_error_of_the_source_comes_through_and_ends_its_thread(path: Path) -> None:
    with pytest.raises(AttentionError, match="that one was too much"):
        values(path, Paced(0.0, fails_at=2))
    assert not [one for one in threading.enumerate() if one.name.startswith("stcodec-attention")]
