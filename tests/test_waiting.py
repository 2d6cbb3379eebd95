"""A source at work: few frames wait for their maps, errors come through."""

from __future__ import annotations

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
    """Its maps say when they were asked for."""

    name = "paced"

    def __init__(self, fails_at: int = -1) -> None:
        self.spec = ClipSpec(MAPS_PER_SECOND, shots=True)
        self.fails_at = fails_at
        self.seen = 0

    def open(self, video: VideoInfo) -> AttentionSession:
        return _PacedSession(self, video)


class _PacedSession(AttentionSession):
    def __init__(self, source: Paced, video: VideoInfo) -> None:
        self._source = source
        self._video = video

    def attend(self, clip: Clip) -> SaliencyTrack:
        if self._source.seen == self._source.fails_at:
            raise AttentionError("paced: that one was too much")
        self._source.seen += 1
        maps = np.full((1, 2, 2), clip.pts_seconds[0] / 10, np.float32)
        return track(self._video, "paced", clip.pts_seconds, clip.shot_starts, maps)


@pytest.fixture(scope="module")
def path(videos: Path) -> Path:
    return make_video(videos / "paced.mp4", frames=FRAMES, size=(64, 48), cuts=(22,))


def test_frames_wait_for_the_map_behind_them_and_no_longer(path: Path) -> None:
    source, most_ahead = Paced(), 0

    def watched(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        nonlocal most_ahead
        for index, frame in enumerate(frames):
            most_ahead = max(most_ahead, index - FRAMES_A_MAP * source.seen)
            yield frame

    with VideoReader(path) as reader:
        assert len(list(frames_with_maps(watched(reader.frames()), reader.info, source))) == FRAMES
    assert most_ahead <= FRAMES_A_MAP + 2  # shots are told two frames late


def test_an_error_of_the_source_comes_through(path: Path) -> None:
    with pytest.raises(AttentionError, match="that one was too much"), VideoReader(path) as reader:
        list(frames_with_maps(reader.frames(), reader.info, Paced(fails_at=2)))
