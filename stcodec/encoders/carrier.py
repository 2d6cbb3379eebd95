"""Attaching QP offsets to a frame, as the region-of-interest side data that ffmpeg's encoders read.

PyAV reads side data but can't create it. The libavutil that PyAV itself has loaded offers `av_frame_new_side_data`; it is
called through ctypes. The address of the AVFrame inside the Python object is found, not assumed: it is the pointer whose
first eight bytes equal the frame's first plane (`AVFrame.data[0]` is the struct's first field). Before first use all this is
tried on a small frame and read back through PyAV's public `frame.side_data`; if it does not come back equal, nothing works
on quietly: `EncoderError` says which PyAV version it was.
"""

from __future__ import annotations

import ctypes
from fractions import Fraction
from functools import cache
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.errors import EncoderError
from stcodec.media.libav import libav
from stcodec.media.probe import side_data
from stcodec.types import BlockGrid, FloatArray

REGION = np.dtype(
    [
        ("self_size", "=u4"),
        ("top", "=i4"),
        ("bottom", "=i4"),
        ("left", "=i4"),
        ("right", "=i4"),
        ("qoffset_num", "=i4"),
        ("qoffset_den", "=i4"),
    ]
)
"""libavutil's AVRegionOfInterest (frame.h), 28 bytes."""

_QOFFSET_DENOMINATOR = 51 * 256
_SIDE_DATA_TYPE = cast("int", Type.REGIONS_OF_INTEREST.value)
_DATA_OFFSET_BYTES = ctypes.sizeof(ctypes.c_void_p)
"""Where `data` lies in AVFrameSideData: behind the 4-byte type, aligned as a pointer. Its size comes next."""
_SIZE_OFFSET_BYTES = 2 * _DATA_OFFSET_BYTES


class RegionTable:
    """The regions of one block grid: geometry made once, offsets filled in frame by frame."""

    def __init__(self, grid: BlockGrid, qp_range: float, whole_units: int | None = None) -> None:
        """qp_range: the number of QP steps that a qoffset of 1 means to the encoder.

        whole_units: the whole units of its own that it multiplies a qoffset with and cuts to; None if it keeps fractions.
        """
        self._qp_range = qp_range
        self._whole_units = whole_units
        rows, cols = np.indices(grid.shape)
        table = np.zeros(grid.shape, REGION)
        table["self_size"] = REGION.itemsize
        table["top"] = rows * grid.block_px
        table["bottom"] = np.minimum((rows + 1) * grid.block_px, grid.height_px)
        table["left"] = cols * grid.block_px
        table["right"] = np.minimum((cols + 1) * grid.block_px, grid.width_px)
        table["qoffset_den"] = _QOFFSET_DENOMINATOR
        self._table = table

    def fill(self, delta_qp: FloatArray) -> NDArray[np.void]:
        """Regions for offsets [rows, cols] in QP steps; exact to 1/256 step (or to a whole unit), limited to the range."""
        ratio = delta_qp / self._qp_range
        if self._whole_units is not None:
            units = np.rint(ratio * self._whole_units)
            ratio = (units + 0.25 * np.sign(units)) / self._whole_units  # it cuts off, so aim above the whole number
        self._table["qoffset_num"] = np.rint(np.clip(ratio, -1, 1) * _QOFFSET_DENOMINATOR)
        return self._table


def attach(frame: VideoFrame, regions: NDArray[np.void]) -> None:
    """Attach regions (dtype REGION, any shape) to a frame, or put them in the place of as many that it carries.

    The first region that covers a block wins. Raises EncoderError if the frame carries another number of regions: of two
    lists encoders read the first.
    """
    _proven().attach(frame, regions)


def read_regions(frame: VideoFrame) -> NDArray[np.void] | None:
    """The regions that a frame carries; None if it carries none."""
    return _proven().read(frame)


class _Access:
    """libavutil's way to the side data of a frame. PyAV's own shows what a frame carried when it was first asked."""

    def __init__(self, frame: VideoFrame) -> None:
        """frame: any with pixels; its layout is every frame's."""
        library = _load_libavutil()
        self._new, self._get = library.av_frame_new_side_data, library.av_frame_get_side_data
        self._new.restype = self._get.restype = ctypes.c_void_p
        self._new.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
        self._get.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self._slot = _find_slot(frame)

    def attach(self, frame: VideoFrame, regions: NDArray[np.void]) -> None:
        pointer = self._pointer(frame)
        entry = self._get(pointer, _SIDE_DATA_TYPE)
        if entry and self._content(entry)[1] != regions.nbytes:
            there = self._content(entry)[1] // REGION.itemsize
            raise EncoderError(
                f"the frame carries {there} regions of interest already, {regions.size} can't take their place: "
                "attach once to each frame, or on the same blocks"
            )
        entry = entry or self._new(pointer, _SIDE_DATA_TYPE, regions.nbytes)
        if not entry:
            raise EncoderError(f"no memory for the {regions.size} regions of a frame")
        ctypes.memmove(self._content(entry)[0], np.ascontiguousarray(regions).ctypes.data, regions.nbytes)

    def read(self, frame: VideoFrame) -> NDArray[np.void] | None:
        entry = self._get(self._pointer(frame), _SIDE_DATA_TYPE)
        return np.frombuffer(ctypes.string_at(*self._content(entry)), REGION) if entry else None

    def _pointer(self, frame: VideoFrame) -> int | None:
        return (ctypes.c_void_p * (self._slot + 1)).from_address(id(frame))[self._slot]

    @staticmethod
    def _content(entry: int) -> tuple[int, int]:
        """Address and size in bytes."""
        data = ctypes.c_void_p.from_address(entry + _DATA_OFFSET_BYTES).value
        assert data is not None
        return data, ctypes.c_size_t.from_address(entry + _SIZE_OFFSET_BYTES).value


@cache
def _proven() -> _Access:
    """The way to side data, tried on a small frame and read back through PyAV's public interface."""
    frame = VideoFrame(32, 16, "yuv420p")
    access = _Access(frame)
    probe = RegionTable(BlockGrid(32, 16, 16), 51).fill(np.array([[-6, 6]], np.float32)).reshape(-1)
    access.attach(frame, probe)
    seen, ours = side_data(frame, Type.REGIONS_OF_INTEREST.name), access.read(frame)
    if seen != probe.tobytes() or ours is None or not np.array_equal(ours, probe):
        raise _unsupported("offsets attached to a frame did not come back")
    return access


def _find_slot(frame: VideoFrame) -> int:
    # A time base whose packed form is no aligned address keeps every word that is no pointer from looking like one.
    frame.time_base = Fraction(1, 3)
    plane = frame.planes[0].buffer_ptr
    words = type(frame).__basicsize__ // ctypes.sizeof(ctypes.c_void_p)
    for slot, word in enumerate((ctypes.c_void_p * words).from_address(id(frame))):
        if slot < 2 or not word or word % 8 or word < 1 << 16:
            continue  # the reference count and the type come first
        if ctypes.c_void_p.from_address(word).value == plane:
            return slot
    raise _unsupported("the frame's data was not found in memory")


def _load_libavutil() -> ctypes.CDLL:
    library = libav("avutil")
    if library is None:
        raise _unsupported("its libavutil was not found")
    return library


def _unsupported(what: str) -> EncoderError:
    return EncoderError(
        f"PyAV {av.__version__} can't be given QP offsets ({what}): install av>=18.1,<19 from its wheel, "
        "or encode with --attention none"
    )
