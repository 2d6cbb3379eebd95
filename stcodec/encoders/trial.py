"""Whether offsets change what an encoder writes: tried on a small picture, with the ffmpeg in hand."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from stcodec.encoders.carrier import RegionTable, attach
from stcodec.types import BlockGrid

_SIDE_PX = 256
_FRAMES = 8


def is_available(encoder: str) -> bool:
    """Whether the ffmpeg libraries inside PyAV have an encoder of that name."""
    return encoder in av.codecs_available


def offsets_change_bits(encoder: str, options: Mapping[str, str]) -> bool | None:
    """Encode a few frames with and without offsets and compare the bytes; None if the encoder can't be opened here."""
    try:
        return _encode(encoder, options, with_offsets=False) != _encode(encoder, options, with_offsets=True)
    except (FFmpegError, OSError, ValueError):
        return None


def _encode(encoder: str, options: Mapping[str, str], *, with_offsets: bool) -> bytes:
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width = context.height = _SIDE_PX
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(25), Fraction(1, 25)
    context.thread_type = ThreadType.FRAME
    context.options = dict(options)
    grid = BlockGrid(_SIDE_PX, _SIDE_PX, 64)
    regions = RegionTable(grid, 51).fill(np.where(np.arange(grid.cols) < grid.cols // 2, -8, 8) * np.ones(grid.shape, "f4"))
    data = b""
    for number, picture in enumerate(_pictures()):
        frame = VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        if with_offsets:
            attach(frame, regions)
        data += b"".join(bytes(packet) for packet in context.encode(frame))
    return data + b"".join(bytes(packet) for packet in context.encode(None))


def _pictures() -> list[np.ndarray]:
    noise = np.random.default_rng(0).normal(0, 24, (_SIDE_PX, _SIDE_PX))
    smooth = sum(np.roll(noise, (dy, dx), (0, 1)) for dy in range(3) for dx in range(3)) / 3
    texture = np.clip(128 + smooth, 0, 255).astype(np.uint8)
    return [np.roll(texture, (number, 2 * number), (0, 1)) for number in range(_FRAMES)]
