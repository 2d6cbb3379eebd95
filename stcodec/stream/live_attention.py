"""Sources of attention that can be used live: those that need nothing that comes later."""

from __future__ import annotations

from collections.abc import Callable

from stcodec.attention import open_source, source_files
from stcodec.attention.base import AttentionSource
from stcodec.attention.registry import causal
from stcodec.errors import OptionsError


def live_source(text: str) -> tuple[AttentionSource | None, Callable[[], AttentionSource]]:
    """The source that a text names, made causal, and how a fresh one is got. Raises OptionsError if it can't be live."""
    written = causal(text)
    _refuse_recordings(text)
    source = open_source(written)
    if source is not None and source.lookahead_seconds > 0:
        raise OptionsError(
            f"attention {text!r} must see {source.lookahead_seconds:g} s of what comes later, which a live stream doesn't "
            "have: use neural, motion, center or onnx:FILE"
        )

    def reopen() -> AttentionSource:
        fresh = open_source(written)
        assert fresh is not None
        return fresh

    return source, reopen


def _refuse_recordings(text: str) -> None:
    recorded = [name for name in source_files(text) if not name.lower().endswith(".onnx")]
    if recorded:
        raise OptionsError(
            f"attention {text!r} is the recording of one video, and a live stream is another: use neural, motion, center "
            "or onnx:FILE"
        )
