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
    from stcodec.attention.base import AttentionSession as AttentionSession
    from stcodec.attention.base import AttentionSource as AttentionSource
    from stcodec.attention.per_frame import map_per_frame as map_per_frame
    from stcodec.encoders.plan import make_plan as make_plan
    from stcodec.encoders.session import EncoderSession as EncoderSession
    from stcodec.errors import AttentionError as AttentionError
    from stcodec.errors import BatchError as BatchError
    from stcodec.errors import EncoderError as EncoderError
    from stcodec.errors import MediaError as MediaError
    from stcodec.errors import OptionsError as OptionsError
    from stcodec.errors import StcodecError as StcodecError
    from stcodec.errors import TargetError as TargetError
    from stcodec.errors import VerifyError as VerifyError
    from stcodec.matching.match import match as match
    from stcodec.matching.options import MatchOptions as MatchOptions
    from stcodec.media.clips import export_for as export_for
    from stcodec.media.decode import VideoReader as VideoReader
    from stcodec.media.mux import Muxer as Muxer
    from stcodec.options import EncodeFields as EncodeFields
    from stcodec.options import EncodeOptions as EncodeOptions
    from stcodec.options import OffsetPolicy as OffsetPolicy
    from stcodec.options import RunOptions as RunOptions
    from stcodec.pipeline.attend import frames_with_maps as frames_with_maps
    from stcodec.pipeline.encode import encode as encode
    from stcodec.pipeline.maps import MapsReport as MapsReport
    from stcodec.pipeline.maps import maps as maps
    from stcodec.pipeline.verify import verify as verify
    from stcodec.progress import Progress as Progress
    from stcodec.progress import ProgressSink as ProgressSink
    from stcodec.qp import QpLaw as QpLaw
    from stcodec.report import EncodeReport as EncodeReport
    from stcodec.report import MatchReport as MatchReport
    from stcodec.report import OffsetsApplied as OffsetsApplied
    from stcodec.stream.observe.snapshot import StreamSnapshot as StreamSnapshot
    from stcodec.stream.options import Rendition as Rendition
    from stcodec.stream.options import StreamOptions as StreamOptions
    from stcodec.stream.stream import run_stream as run_stream
    from stcodec.types import BlockGrid as BlockGrid
    from stcodec.types import Clip as Clip
    from stcodec.types import ClipSpec as ClipSpec
    from stcodec.types import SaliencyTrack as SaliencyTrack
    from stcodec.types import VideoInfo as VideoInfo

_HOMES = {
    "open_source": "attention",
    "AttentionSession": "attention.base",
    "AttentionSource": "attention.base",
    "map_per_frame": "attention.per_frame",
    "make_plan": "encoders.plan",
    "EncoderSession": "encoders.session",
    "AttentionError": "errors",
    "BatchError": "errors",
    "EncoderError": "errors",
    "MediaError": "errors",
    "OptionsError": "errors",
    "StcodecError": "errors",
    "TargetError": "errors",
    "VerifyError": "errors",
    "match": "matching.match",
    "MatchOptions": "matching.options",
    "export_for": "media.clips",
    "VideoReader": "media.decode",
    "Muxer": "media.mux",
    "EncodeFields": "options",
    "EncodeOptions": "options",
    "OffsetPolicy": "options",
    "RunOptions": "options",
    "frames_with_maps": "pipeline.attend",
    "encode": "pipeline.encode",
    "maps": "pipeline.maps",
    "MapsReport": "pipeline.maps",
    "verify": "pipeline.verify",
    "Progress": "progress",
    "ProgressSink": "progress",
    "QpLaw": "qp",
    "EncodeReport": "report",
    "MatchReport": "report",
    "OffsetsApplied": "report",
    "StreamSnapshot": "stream.observe.snapshot",
    "Rendition": "stream.options",
    "StreamOptions": "stream.options",
    "run_stream": "stream.stream",
    "BlockGrid": "types",
    "Clip": "types",
    "ClipSpec": "types",
    "SaliencyTrack": "types",
    "VideoInfo": "types",
}

__all__ = ["__version__", "roi", *_HOMES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import stcodec` and `stcodec --help` answer at once.
    if name == "roi":
        return import_module("stcodec.roi")
    if name in _HOMES:
        return getattr(import_module(f"stcodec.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'stcodec' has no attribute {name!r}")
