"""Reading back from the finished bitstream what QP each block has."""

from __future__ import annotations

import ctypes

import numpy as np
from av.sidedata.encparams import VideoEncParamsType
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.encoders.table import encoder_of
from stcodec.media.side_data import side_data
from stcodec.types import BlockGrid, FloatArray

EXPORT = "venc_params"
"""What the decoder must export: `VideoReader(path, export=EXPORT)`."""

_BLOCK_FIELDS = ("src_x", "src_y", "w", "h", "delta_qp")


class _Params(ctypes.Structure):
    """The beginning of AVVideoEncParams (video_enc_params.h)."""

    _fields_ = (
        ("nb_blocks", ctypes.c_uint),
        ("blocks_offset", ctypes.c_size_t),
        ("block_size", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("qp", ctypes.c_int32),
    )


def qp_blocks(frame: VideoFrame, grid: BlockGrid) -> FloatArray | None:
    """[rows, cols] QP of each block of the grid in H.26x steps, from a frame decoded with `export_side_data=venc_params`.

    None if the decoder exported nothing per block: HEVC and AV1 never do, VP9 only for frames with segments.
    """
    raw = side_data(frame, "VIDEO_ENC_PARAMS")
    params = None if raw is None else _Params.from_buffer_copy(raw)
    if raw is None or params is None or params.nb_blocks == 0:
        return None
    x, y, width, height, delta = _blocks(raw, params)
    values = params.qp + delta
    encoder = encoder_of(VideoEncParamsType(params.type).name.lower())
    return _spread(grid, x, y, width, height, values.astype(np.float32) if encoder is None else encoder.qp_steps(values))


def _blocks(raw: bytes, params: _Params) -> NDArray[np.int32]:
    """[5, blocks]: x, y, width, height in px and the QP relative to the frame's."""
    start, size, count = params.blocks_offset, params.block_size, params.nb_blocks
    rows = np.frombuffer(raw, np.uint8)[start : start + size * count].reshape(count, size)
    table = rows[:, : 4 * len(_BLOCK_FIELDS)]
    return np.ascontiguousarray(table).view(np.int32).reshape(count, len(_BLOCK_FIELDS)).T


def _spread(
    grid: BlockGrid,
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    width: NDArray[np.int32],
    height: NDArray[np.int32],
    values: FloatArray,
) -> FloatArray:
    """Coded blocks of any size on the grid: each cell takes the value of the block at its top left corner."""
    cells = np.full(grid.shape, np.nan, np.float32)
    rows, cols = y // grid.block_px, x // grid.block_px
    if bool((width <= grid.block_px).all()) and bool((height <= grid.block_px).all()):
        inside = (rows < grid.rows) & (cols < grid.cols) & (y % grid.block_px == 0) & (x % grid.block_px == 0)
        cells[rows[inside], cols[inside]] = values[inside]
        return cells
    tall, wide = -(-height // grid.block_px), -(-width // grid.block_px)
    for row, col, down, across, value in zip(rows, cols, tall, wide, values, strict=True):
        cells[row : row + down, col : col + across] = value
    return cells
