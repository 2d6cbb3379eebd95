"""Sources of attention that can be used live: those that need nothing that comes later."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stcodec.attention import open_source, source_files
from stcodec.attention.base import AttentionSource
from stcodec.attention.registry import causal
from stcodec.errors import OptionsError
from stcodec.media.vectors import BLOCK_PX
from stcodec.types import BlockGrid, Clip, VideoInfo


def live_source(text: str) -> tuple[AttentionSource | None, Callable[[], AttentionSource]]:
    """The source that a text names, made causal, and how a fresh one is got. Raises OptionsError if it can't be live."""
    written = causal(text)
    _refuse_recordings(text)
    source = open_source(written)
    if source is not None and source.lookahead_seconds > 0:
        raise OptionsError(
            f"attention {text!r} must see {source.lookahead_seconds:g} s of what comes later, which a live stream doesn't "
            "have: use neural, motion, center or onnx:FILE",
            value=text,
        )

    def reopen() -> AttentionSource:
        fresh = open_source(written)
        assert fresh is not None
        return fresh

    return source, reopen


def warm_up(source: AttentionSource, video: VideoInfo) -> None:
    """Have the source make a map of nothing, so that the first real one isn't late. Raises what the source raises."""
    spec = source.spec
    grid = BlockGrid(video.width_px, video.height_px, BLOCK_PX)
    scale = min(1.0, spec.thumbnail_side_px / max(video.width_px, video.height_px))
    sides = (max(1, round(side * scale)) for side in (video.height_px, video.width_px))
    clip = Clip(
        video,
        np.array([0.0]),
        np.array([True]),
        np.zeros((1, *sides, 3), np.uint8) if spec.thumbnail_side_px else None,
        np.full((1, *grid.shape, 2), np.nan, np.float32) if spec.motion_vectors else None,
    )
    source.open(video).attend(clip)


def _refuse_recordings(text: str) -> None:
    recorded = [name for name in source_files(text) if not name.lower().endswith(".onnx")]
    if recorded:
        raise OptionsError(
            f"attention {text!r} is the recording of one video, and a live stream is another: use neural, motion, center "
            "or onnx:FILE",
            value=text,
        )
