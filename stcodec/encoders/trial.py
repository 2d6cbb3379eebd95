"""Whether offsets change what an encoder writes: tried on small pictures, with the ffmpeg in hand."""

from __future__ import annotations

import subprocess
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


def program_changes_bits(program: str, encoder: str, options: Mapping[str, str]) -> bool | None:
    """The same with the ffmpeg program, whose `addroi` filter puts offsets on frames; None if it can't run the encoder."""
    plain, guided = (_encode_apart(program, encoder, options, filters) for filters in ("null", "addroi=0:0:iw/2:ih:-1/5"))
    return None if plain is None or guided is None else plain != guided


def _encode_apart(program: str, encoder: str, options: Mapping[str, str], filters: str) -> bytes | None:
    """The checksums of the packets of three frames."""
    source = ["-f", "lavfi", "-i", "testsrc2=size=128x128:rate=25", "-frames:v", "3", "-vf", f"format=yuv420p,{filters}"]
    chosen = [word for key, value in options.items() for word in (f"-{key}", value)]
    command = [program, "-v", "error", "-nostdin", *source, "-c:v", encoder, *chosen, "-f", "framemd5", "-"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


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
