"""Reading back from the finished bitstream what QP each block has."""

from __future__ import annotations

from typing import cast

import numpy as np
from av.sidedata.encparams import VideoEncParams
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.types import BlockGrid, FloatArray

EXPORT = "venc_params"
"""What the decoder must export: `VideoReader(path, export=EXPORT)`."""

_BLOCK_FIELDS = ("src_x", "src_y", "w", "h", "delta_qp")
_VP9_QUANTISER_RUNS = (
    (4, 4, 1), (8, 102, 1), (104, 152, 2), (155, 203, 3), (207, 255, 4), (260, 305, 5), (311, 359, 6), (366, 408, 7),
    (416, 456, 8), (465, 510, 9), (520, 560, 10), (571, 615, 11), (627, 663, 12), (676, 715, 13), (729, 771, 14),
    (786, 816, 15), (832, 864, 16), (881, 915, 17), (933, 969, 18), (988, 1026, 19), (1046, 1066, 20), (1087, 1129, 21),
    (1151, 1173, 22), (1196, 1219, 23), (1243, 1267, 24), (1292, 1317, 25), (1343, 1369, 26), (1396, 1423, 27),
    (1451, 1479, 28), (1508, 1537, 29), (1567, 1597, 30), (1628, 1628, 31), (1660, 1692, 32), (1725, 1725, 33),
    (1759, 1793, 34), (1828, 1828, 35),
)  # fmt: skip
"""The AC quantiser of VP9's 256 indices (VP9 bitstream specification, ac_qlookup for 8 bits), as (first, last, step)."""


def qp_blocks(frame: VideoFrame, grid: BlockGrid) -> FloatArray | None:
    """[rows, cols] QP of each block of the grid in H.26x steps, from a frame decoded with `export_side_data=venc_params`.

    None if the decoder exported nothing per block: HEVC and AV1 never do, VP9 only for frames with segments.
    """
    params = frame.side_data.get("VIDEO_ENC_PARAMS")
    if not isinstance(params, VideoEncParams) or params.nb_blocks == 0:
        return None
    x, y, width, height, delta = _blocks(params)
    values = params.qp + delta
    if params.codec_type.name == "VP9":
        values = vp9_steps(values)
    return _spread(grid, x, y, width, height, values.astype(np.float32))


def _blocks(params: VideoEncParams) -> NDArray[np.int32]:
    """[5, blocks]: x, y, width, height in px and the QP relative to the frame's."""
    raw = np.frombuffer(bytes(cast("bytes", params)), np.uint8)
    start, size, count = params.blocks_offset, params.block_size, params.nb_blocks
    table = raw[start : start + size * count].reshape(count, size)[:, : 4 * len(_BLOCK_FIELDS)]
    return np.ascontiguousarray(table).view(np.int32).reshape(count, len(_BLOCK_FIELDS)).T


def vp9_steps(index: NDArray[np.int32]) -> FloatArray:
    """VP9's quantiser index on the scale of H.26x QPs: 6 steps for each doubling of the quantiser."""
    return (6 * np.log2(vp9_quantisers()[np.clip(index, 0, 255)])).astype(np.float32)


def vp9_quantisers() -> FloatArray:
    """[256] AC quantiser by index."""
    return np.concatenate([np.arange(first, last + 1, step) for first, last, step in _VP9_QUANTISER_RUNS]).astype(np.float32)


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
