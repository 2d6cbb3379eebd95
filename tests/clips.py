"""Clips that need no video, and how a source sees them piece by piece."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import HealthCheck, settings

from stcodec.attention.base import AttentionSource, concatenate
from stcodec.types import Clip, SaliencyTrack, VideoInfo

FIXED_SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def make_video(size: tuple[int, int] = (320, 180), seconds: float | None = 4.0, start: float = 0.0) -> VideoInfo:
    return VideoInfo(*size, Fraction(1, 90000), Fraction(25), seconds, None, "yuv420p", 8, "h264", start_seconds=start)


def make_clip(video: VideoInfo, times: list[float], shots: tuple[int, ...] = (0,), seed: int | None = None) -> Clip:
    pictures = None
    if seed is not None:
        pictures = np.random.default_rng(seed).integers(0, 256, (len(times), 18, 32, 3), dtype=np.uint8)
    starts = np.isin(np.arange(len(times)), shots)
    return Clip(video, np.array(times, np.float64), starts, pictures)


def attend_in_pieces(source: AttentionSource, clip: Clip, cuts: set[int]) -> SaliencyTrack:
    """The track when the clip comes in pieces that begin at `cuts`."""
    session = source.open(clip.video)
    edges = sorted({0, len(clip), *cuts})
    found = []
    for first, last in pairwise(edges):
        pictures = None if clip.thumbnails is None else clip.thumbnails[first:last]
        piece = Clip(clip.video, clip.pts_seconds[first:last], clip.shot_starts[first:last], pictures)
        found.append(session.attend(piece))
    rest = session.finish()
    return concatenate([*found, rest] if rest is not None else found)


def same(one: SaliencyTrack, other: SaliencyTrack) -> bool:
    return (
        np.array_equal(one.pts_seconds, other.pts_seconds)
        and np.array_equal(one.shot_starts, other.shot_starts)
        and np.array_equal(one.saliency, other.saliency)
    )
