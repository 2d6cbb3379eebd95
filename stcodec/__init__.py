"""stcodec: smaller video of the same quality where people look.

import stcodec
report = stcodec.encode("in.mp4", "out.mp4", encoder="libx264", crf=23)
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False  # as type checkers know it; typing takes longer to import than all the rest
if TYPE_CHECKING:
    from typing import Any

    from stcodec import roi as roi
    from stcodec.attention import open_source as open_source
    from stcodec.attention.base import AttentionSession as AttentionSession, AttentionSource as AttentionSource
    from stcodec.attention.per_frame import map_per_frame as map_per_frame
    from stcodec.encoders.plan import make_plan as make_plan
    from stcodec.encoders.session import EncoderSession as EncoderSession
    from stcodec.errors import (
        AttentionError as AttentionError,
        BatchError as BatchError,
        EncoderError as EncoderError,
        MediaError as MediaError,
        OptionsError as OptionsError,
        StcodecError as StcodecError,
        TargetError as TargetError,
        VerifyError as VerifyError,
    )
    from stcodec.matching.match import match as match
    from stcodec.matching.options import MatchOptions as MatchOptions
    from stcodec.media.clips import export_for as export_for
    from stcodec.media.decode import VideoReader as VideoReader
    from stcodec.media.mux import Muxer as Muxer
    from stcodec.options import (
        EncodeFields as EncodeFields,
        EncodeOptions as EncodeOptions,
        OffsetPolicy as OffsetPolicy,
        RunOptions as RunOptions,
    )
    from stcodec.pipeline.attend import frames_with_maps as frames_with_maps
    from stcodec.pipeline.encode import encode as encode
    from stcodec.pipeline.maps import MapsReport as MapsReport, maps as maps
    from stcodec.pipeline.verify import verify as verify
    from stcodec.progress import Progress as Progress, ProgressSink as ProgressSink
    from stcodec.qp import QpLaw as QpLaw
    from stcodec.report import EncodeReport as EncodeReport, MatchReport as MatchReport, OffsetsApplied as OffsetsApplied
    from stcodec.stream.observe.snapshot import StreamSnapshot as StreamSnapshot
    from stcodec.stream.options import Rendition as Rendition, StreamOptions as StreamOptions
    from stcodec.stream.stream import run_stream as run_stream
    from stcodec.types import (
        BlockGrid as BlockGrid,
        Clip as Clip,
        ClipSpec as ClipSpec,
        SaliencyTrack as SaliencyTrack,
        VideoInfo as VideoInfo,
    )

_NAMES = {
    "attention": "open_source",
    "attention.base": "AttentionSession AttentionSource",
    "attention.per_frame": "map_per_frame",
    "encoders.plan": "make_plan",
    "encoders.session": "EncoderSession",
    "errors": "AttentionError BatchError EncoderError MediaError OptionsError StcodecError TargetError VerifyError",
    "matching.match": "match",
    "matching.options": "MatchOptions",
    "media.clips": "export_for",
    "media.decode": "VideoReader",
    "media.mux": "Muxer",
    "options": "EncodeFields EncodeOptions OffsetPolicy RunOptions",
    "pipeline.attend": "frames_with_maps",
    "pipeline.encode": "encode",
    "pipeline.maps": "MapsReport maps",
    "pipeline.verify": "verify",
    "progress": "Progress ProgressSink",
    "qp": "QpLaw",
    "report": "EncodeReport MatchReport OffsetsApplied",
    "stream.observe.snapshot": "StreamSnapshot",
    "stream.options": "Rendition StreamOptions",
    "stream.stream": "run_stream",
    "types": "BlockGrid Clip ClipSpec SaliencyTrack VideoInfo",
}
"""Public names by the module that has them."""
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

__all__ = ["__version__", "roi", *_HOMES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import stcodec` and `stcodec --help` answer at once.
    if name == "roi":
        return import_module("stcodec.roi")
    if name in _HOMES:
        return getattr(import_module(f"stcodec.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'stcodec' has no attribute {name!r}")
