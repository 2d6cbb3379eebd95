"""stcodec: smaller video of the same quality where people look.

import stcodec
report = stcodec.encode("in.mp4", "out.mp4", encoder="libx264", crf=23)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from stcodec.attention import AttentionSource as AttentionSource
    from stcodec.attention import open_source as open_source
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
    from stcodec.options import EncodeOptions as EncodeOptions
    from stcodec.options import OffsetPolicy as OffsetPolicy
    from stcodec.options import RunOptions as RunOptions
    from stcodec.pipeline.encode import encode as encode
    from stcodec.pipeline.maps import maps as maps
    from stcodec.pipeline.verify import verify as verify
    from stcodec.progress import Progress as Progress
    from stcodec.report import EncodeReport as EncodeReport
    from stcodec.report import MatchReport as MatchReport
    from stcodec.report import OffsetsApplied as OffsetsApplied
    from stcodec.stream.options import Rendition as Rendition
    from stcodec.stream.options import StreamOptions as StreamOptions
    from stcodec.stream.stream import run_stream as run_stream

_HOMES = {
    "AttentionSource": "attention",
    "open_source": "attention",
    "AttentionError": "errors",
    "BatchError": "errors",
    "EncoderError": "errors",
    "MediaError": "errors",
    "OptionsError": "errors",
    "StcodecError": "errors",
    "TargetError": "errors",
    "VerifyError": "errors",
    "EncodeOptions": "options",
    "OffsetPolicy": "options",
    "RunOptions": "options",
    "encode": "pipeline.encode",
    "maps": "pipeline.maps",
    "Progress": "progress",
    "verify": "pipeline.verify",
    "EncodeReport": "report",
    "MatchReport": "report",
    "OffsetsApplied": "report",
    "match": "matching.match",
    "MatchOptions": "matching.options",
    "Rendition": "stream.options",
    "StreamOptions": "stream.options",
    "run_stream": "stream.stream",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 (the keys are strings)


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import stcodec` and `stcodec --help` answer at once.
    if name in _HOMES:
        return getattr(import_module(f"stcodec.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'stcodec' has no attribute {name!r}")
