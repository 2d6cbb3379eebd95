"""Side data of frames, read through the libavutil that PyAV has loaded.

PyAV's own `frame.side_data` makes the frame and its side data refer to each other: a frame that was asked stays in memory,
picture and all, until Python happens to collect cycles.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from stcodec.media.libav import frame_address, libav

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.sidedata.sidedata import SideData


class _Entry(ctypes.Structure):
    """The beginning of AVFrameSideData (frame.h)."""

    _fields_ = (("type", ctypes.c_int), ("data", ctypes.c_void_p), ("size", ctypes.c_size_t))


def side_data(frame: VideoFrame, name: str) -> bytes | None:
    """A frame's side data by libavutil's name ("DISPLAYMATRIX"); None if it carries none."""
    place = side_data_place(frame, Type[name])
    if place is not None:
        return ctypes.string_at(*place)
    if _getter() is not None:
        return None
    entry = frame.side_data.get(name)
    return None if entry is None else bytes(cast("bytes", entry))  # PyAV's stubs leave out that it is a buffer


def side_data_kinds(frame: VideoFrame) -> list[str]:
    """Libavutil's names of the side data that a frame carries."""
    get, address = _getter(), frame_address(frame)
    if get is not None and address is not None:
        return [one.name for one in Type if get(address, one.value)]
    return [one.type.name for one in cast("Iterable[SideData]", frame.side_data)]  # by its stubs a mapping of names


def side_data_place(frame: VideoFrame, kind: Type) -> tuple[int, int] | None:
    """Address and size in bytes of a frame's side data of a kind; None if it carries none, or if it can't be found."""
    get, address = _getter(), frame_address(frame)
    found = get(address, kind.value) if get is not None and address is not None else None
    if not found:
        return None
    entry = _Entry.from_address(found)
    return entry.data, entry.size


@cache
def _getter() -> Any:
    """`av_frame_get_side_data`; None where it can't be called."""
    library = libav("avutil")
    if library is None or frame_address(VideoFrame(32, 16, "yuv420p")) is None:
        return None
    get = library.av_frame_get_side_data
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
    return get
