"""Attaching QP offsets to a frame, as the region-of-interest side data that ffmpeg's encoders read.

PyAV reads side data but can't create it. The libavutil that PyAV itself has loaded offers `av_frame_new_side_data`; it is
called through ctypes, as `media/side_data.py` reads. Before first use all this is tried on a small frame and read back
through PyAV's public `frame.side_data`; if it does not come back equal, nothing works on quietly: `EncoderError` says which
PyAV version it was.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.errors import EncoderError
from stcodec.media.libav import frame_address, libav
from stcodec.media.side_data import side_data, side_data_place
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
    _proven()
    found = side_data(frame, Type.REGIONS_OF_INTEREST.name)
    return None if found is None else np.frombuffer(found, REGION)


class _Access:
    """libavutil's way to the side data of a frame. PyAV's own shows what a frame carried when it was first asked."""

    def __init__(self) -> None:
        library = libav("avutil")
        if library is None:
            raise _unsupported("its libavutil was not found")
        self._new = library.av_frame_new_side_data
        self._new.restype = ctypes.c_void_p
        self._new.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

    def attach(self, frame: VideoFrame, regions: NDArray[np.void]) -> None:
        place = side_data_place(frame, Type.REGIONS_OF_INTEREST)
        if place is None:
            if not self._new(frame_address(frame), Type.REGIONS_OF_INTEREST.value, regions.nbytes):
                raise EncoderError(f"no memory for the {regions.size} regions of a frame")
            place = side_data_place(frame, Type.REGIONS_OF_INTEREST)
        assert place is not None
        address, size = place
        if size != regions.nbytes:
            raise EncoderError(
                f"the frame carries {size // REGION.itemsize} regions of interest already, {regions.size} can't take their "
                "place: attach once to each frame, or on the same blocks"
            )
        ctypes.memmove(address, np.ascontiguousarray(regions).ctypes.data, size)


@cache
def _proven() -> _Access:
    """The way to side data, tried on a small frame and read back through PyAV's public interface."""
    frame = VideoFrame(32, 16, "yuv420p")
    access = _Access()
    if frame_address(frame) is None:
        raise _unsupported("the frame's data was not found in memory")
    probe = RegionTable(BlockGrid(32, 16, 16), 51).fill(np.array([[-6, 6]], np.float32)).reshape(-1)
    access.attach(frame, probe)
    seen, ours = frame.side_data.get(Type.REGIONS_OF_INTEREST.name), side_data(frame, Type.REGIONS_OF_INTEREST.name)
    if seen is None or not bytes(cast("bytes", seen)) == ours == probe.tobytes():
        raise _unsupported("offsets attached to a frame did not come back")
    return access


def _unsupported(what: str) -> EncoderError:
    return EncoderError(
        f"PyAV {av.__version__} can't be given QP offsets ({what}): install av>=18.1,<19 from its wheel, "
        "or encode with --attention none"
    )
