"""The libav libraries inside PyAV, for what PyAV itself can't do or show."""

from __future__ import annotations

import ctypes
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
from av.stream import Stream
from av.video.frame import VideoFrame

_HEAD_WORDS = 2
"""Of a Python object: its reference count and its type."""


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


def _words_of(holder: object) -> list[int | None]:
    """The words of a Python object."""
    count = type(holder).__basicsize__ // ctypes.sizeof(ctypes.c_void_p)
    return list((ctypes.c_void_p * count).from_address(id(holder)))


def _is_address(word: int | None) -> bool:
    return word is not None and word % 8 == 0 and word >= 1 << 16


@cache
def _frame_word() -> int | None:
    """The word of a Python frame that is the address of its AVFrame; None if it is not found.

    It is found, not assumed: the pointer whose first eight bytes equal the frame's first plane (`AVFrame.data[0]` is the
    struct's first field).
    """
    frame = VideoFrame(32, 16, "yuv420p")
    frame.time_base = Fraction(1, 3)  # packed, another one might look like an address
    plane = frame.planes[0].buffer_ptr
    for index, word in enumerate(_words_of(frame)[_HEAD_WORDS:], _HEAD_WORDS):
        if _is_address(word) and ctypes.c_void_p.from_address(word or 0).value == plane:
            return index
    return None


def frame_address(frame: VideoFrame) -> int | None:
    """The address of the AVFrame inside a Python frame; None if it is not found."""
    word = _frame_word()
    return None if word is None else ctypes.c_void_p.from_address(id(frame) + word * ctypes.sizeof(ctypes.c_void_p)).value


def sample_aspect(frame: VideoFrame) -> Fraction | None:
    """The sample aspect ratio of a frame; None if it has none, or if AVFrame is laid out in another way here."""
    address = frame_address(frame)
    if address is None:
        return None
    seen = _Frame.from_address(address)
    if (seen.width, seen.height, seen.pts) != (frame.width, frame.height, frame.pts) or seen.aspect_den <= 0:
        return None
    return Fraction(seen.aspect_num, seen.aspect_den) if seen.aspect_num > 0 else None


class SideData(ctypes.Structure):
    """AVPacketSideData."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("type", ctypes.c_int))


class CodecParameters(ctypes.Structure):
    """The beginning of AVCodecParameters (codec_par.h), as it has been since ffmpeg 7.1."""

    _fields_ = (
        ("codec_type", ctypes.c_int),
        ("codec_id", ctypes.c_int),
        ("codec_tag", ctypes.c_uint32),
        ("extradata", ctypes.c_void_p),
        ("extradata_size", ctypes.c_int),
        ("side_data", ctypes.POINTER(SideData)),
        ("nb_side_data", ctypes.c_int),
    )


class StreamHead(ctypes.Structure):
    """The beginning of AVStream (avformat.h), as it has been since ffmpeg 7.1."""

    _fields_ = (
        ("av_class", ctypes.c_void_p),
        ("index", ctypes.c_int),
        ("id", ctypes.c_int),
        ("parameters", ctypes.POINTER(CodecParameters)),
    )


_MOST_KINDS = 64
_MARK = 0x5AC0DEC5
"""An id that no stream has."""


def copy_parameters(source: Stream, target: Stream) -> bool:
    """Make a stream of an output one of the source's codec, whose own tag the muxer chooses; False if it can't be done here.

    For a target that PyAV knows no codec of: it would write its own parameters over those of others.
    """
    codecs = libav("avcodec")
    one, other = _stream_head(source), _stream_head(target)
    if codecs is None or one is None or other is None or not one.parameters or not other.parameters:
        return False
    if codecs.avcodec_parameters_copy(other.parameters, one.parameters) < 0:
        return False
    other.parameters.contents.codec_tag = 0
    return True


def add_side_data(stream: Stream, name: str, content: bytes) -> bool:
    """Add side data to a stream of an output whose header is written by and by; False if it can't be done here.

    name: PyAV's of the kind. PyAV makes the stream's parameters anew when it starts: what was added before is gone.
    """
    codecs, head, kind = libav("avcodec"), _stream_head(stream), _packet_kind(name)
    if codecs is None or head is None or kind is None or not head.parameters:
        return False
    parameters = head.parameters.contents
    codecs.av_packet_side_data_new.restype = ctypes.POINTER(SideData)
    room = codecs.av_packet_side_data_new(
        ctypes.byref(parameters, CodecParameters.side_data.offset),
        ctypes.byref(parameters, CodecParameters.nb_side_data.offset),
        kind,
        ctypes.c_size_t(len(content)),
        0,
    )
    if room:
        ctypes.memmove(room.contents.data, content, len(content))
    return bool(room)


def _packet_kind(name: str) -> int | None:
    """The number of a kind of packets' side data (AVPacketSideDataType)."""
    codecs = libav("avcodec")
    if codecs is None:
        return None
    codecs.av_packet_side_data_name.restype = ctypes.c_char_p
    called = {"STEREO3D": b"Stereo 3D", "SPHERICAL": b"Spherical Mapping"}[name]
    return next((kind for kind in range(_MOST_KINDS) if codecs.av_packet_side_data_name(kind) == called), None)


def _stream_head(stream: Stream) -> StreamHead | None:
    """The AVStream inside a Python stream: the one whose id changes with it. None if it is not found."""
    number, stream.id = stream.id, _MARK
    try:
        for address in filter(_is_address, _words_of(stream)[_HEAD_WORDS:]):
            head = StreamHead.from_address(address or 0)
            if (head.index, head.id) == (stream.index, _MARK):
                return head
    finally:
        stream.id = number
    return None
