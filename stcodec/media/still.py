"""Small pictures for pages: RGB as a WebP file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.media.paths import file_error

SUFFIX = ".webp"


def write_still(path: Path, rgb: NDArray[np.uint8], quality: int = 75) -> None:
    """Write a picture, uint8 [H, W, 3]; quality: 0 to 100, libwebp's. Raises MediaError."""
    try:
        path.write_bytes(still_bytes(rgb, quality))
    except (FFmpegError, OSError) as error:
        raise file_error(path, "the picture can't be written", error) from None


def still_bytes(rgb: NDArray[np.uint8], quality: int = 75, effort: int = 4) -> bytes:
    """The file of a picture, uint8 [H, W, 3]; effort: 0 (quick) to 6 (small), libwebp's. Raises FFmpegError."""
    context = av.CodecContext.create("libwebp", "w")
    assert isinstance(context, VideoCodecContext)
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuv420p", threads=1)
    frame.pts = 0
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "yuv420p"
    context.time_base = Fraction(1)
    context.options = {"quality": str(quality), "compression_level": str(effort)}
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
