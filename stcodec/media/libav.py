"""The libav libraries inside PyAV, for what PyAV itself can't do or show."""

from __future__ import annotations

import ctypes
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
from av.video.frame import VideoFrame


@cache
def libav(name: str) -> ctypes.CDLL | None:
    """One of the libraries that PyAV has loaded ("avutil", "avformat"); None if it can't be found."""
    package = Path(av.__file__).parent
    folders = {"darwin": package / ".dylibs"}.get(sys.platform, package.with_name("av.libs"))
    names = sorted(folders.glob(f"*{name}*"))
    if not names and sys.platform == "linux":
        # PyAV built against the system's ffmpeg: take the very file that the process has mapped.
        lines = Path("/proc/self/maps").read_text().splitlines()
        names = sorted({Path(line.split(maxsplit=5)[5]) for line in lines if f"lib{name}" in line})
    for path in names:
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            continue
    return None


class _Frame(ctypes.Structure):
    """The beginning of AVFrame (frame.h), as it has been since ffmpeg 8."""

    _fields_ = (
        ("data", ctypes.c_void_p * 8),
        ("linesize", ctypes.c_int * 8),
        ("extended_data", ctypes.c_void_p),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("nb_samples", ctypes.c_int),
        ("format", ctypes.c_int),
        ("pict_type", ctypes.c_int),
        ("aspect_num", ctypes.c_int),
        ("aspect_den", ctypes.c_int),
        ("pts", ctypes.c_int64),
    )


def frame_address(frame: VideoFrame) -> int | None:
    """The address of the AVFrame inside a Python frame; None if it is not found.

    It is found, not assumed: the pointer whose first eight bytes equal the frame's first plane (`AVFrame.data[0]` is the
    struct's first field).
    """
    plane = frame.planes[0].buffer_ptr
    words = type(frame).__basicsize__ // ctypes.sizeof(ctypes.c_void_p)
    base, frame.time_base = frame.time_base, Fraction(1, 3)  # a packed time base must not look like an address
    try:
        for slot, word in enumerate((ctypes.c_void_p * words).from_address(id(frame))):
            if slot < 2 or not word or word % 8 or word < 1 << 16:
                continue  # the reference count and the type come first
            if ctypes.c_void_p.from_address(word).value == plane:
                return int(word)
    finally:
        if base is not None:
            frame.time_base = base
    return None


def sample_aspect(frame: VideoFrame) -> Fraction | None:
    """The sample aspect ratio of a frame; None if it has none, or if AVFrame is laid out in another way here."""
    address = frame_address(frame)
    if address is None:
        return None
    seen = _Frame.from_address(address)
    if (seen.width, seen.height, seen.pts) != (frame.width, frame.height, frame.pts) or seen.aspect_den <= 0:
        return None
    return Fraction(seen.aspect_num, seen.aspect_den) if seen.aspect_num > 0 else None
