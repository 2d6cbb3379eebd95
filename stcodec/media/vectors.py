"""The motion that the source's own bitstream carries, as a velocity field."""

from __future__ import annotations

import numpy as np
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from stcodec.media.side_data import side_data
from stcodec.orientation import to_display
from stcodec.types import BlockGrid, FloatArray, VideoInfo

BLOCK_PX = 16
_VECTOR = np.dtype(
    [
        ("source", "i4"),
        ("w", "u1"),
        ("h", "u1"),
        ("src_x", "i2"),
        ("src_y", "i2"),
        ("dst_x", "i2"),
        ("dst_y", "i2"),
        ("flags", "u8"),
        ("motion_x", "i4"),
        ("motion_y", "i4"),
        ("motion_scale", "u2"),
    ],
    align=True,
)
"""libavutil's AVMotionVector (motion_vector.h)."""


class VectorField:
    """Collects the motion vectors of P frames between two instants.

    Only P frames count: their reference is mostly the I or P frame before, so that a displacement can be divided by a time;
    how far a B frame's reference lies is not exported. Some blocks refer to older frames, which makes their vectors too
    long; so of a cell's vectors the one of median length counts, the shorter of two.
    """

    def __init__(self, video: VideoInfo) -> None:
        self._grid = BlockGrid(video.width_px, video.height_px, BLOCK_PX)
        self._cells = self._grid.rows * self._grid.cols
        self._degrees = video.rotation_degrees
        self._anchor_seconds: float | None = None
        self._clear()

    def add(self, frame: VideoFrame) -> None:
        """Take a frame, in presentation order; frames without vectors cost nothing."""
        if frame.pict_type not in (PictureType.I, PictureType.P):
            return
        now = frame.time
        before, self._anchor_seconds = self._anchor_seconds, now
        vectors = side_data(frame, "MOTION_VECTORS")
        if frame.pict_type == PictureType.P and vectors is not None and before is not None and now > before:
            self._add_vectors(np.frombuffer(vectors, _VECTOR), now - before)

    def restart(self) -> None:
        """Forget what came before: a new shot begins."""
        self._anchor_seconds = None
        self._clear()

    def take(self) -> FloatArray:
        """[rows, cols, 2] velocity (x, y) in px/s in display orientation, NaN where no vector was; begins anew."""
        field = _median(self._fields) if self._fields else np.full((self._cells, 2), np.nan, np.float32)
        self._clear()
        return _turn(field.reshape(*self._grid.shape, 2), self._degrees)

    def _clear(self) -> None:
        self._fields: list[FloatArray] = []

    def _add_vectors(self, vectors: NDArray[np.void], seconds: float) -> None:
        vectors = vectors[(vectors["source"] < 0) & (vectors["motion_scale"] > 0)]
        rows = np.clip(vectors["dst_y"] // BLOCK_PX, 0, self._grid.rows - 1)
        cols = np.clip(vectors["dst_x"] // BLOCK_PX, 0, self._grid.cols - 1)
        cells = rows.astype(np.int64) * self._grid.cols + cols
        area = vectors["w"].astype(np.float64) * vectors["h"]
        # A vector points from the block to where it came from: the motion is its negative.
        scale = -area / (vectors["motion_scale"] * seconds)
        sums = [np.bincount(cells, vectors[name] * scale, self._cells) for name in ("motion_x", "motion_y")]
        with np.errstate(invalid="ignore"):
            self._fields.append((np.stack(sums, axis=1) / np.bincount(cells, area, self._cells)[:, None]).astype(np.float32))


def _median(fields: list[FloatArray]) -> FloatArray:
    """[cells, 2]: in each cell the vector of median length of those that are not NaN."""
    stack = np.stack(fields)
    lengths = np.square(stack).sum(axis=2)
    order = np.argsort(lengths, axis=0)  # NaN last
    known = np.isfinite(lengths).sum(axis=0)
    chosen = np.take_along_axis(order, np.maximum(known - 1, 0)[None] // 2, axis=0)
    return np.asarray(np.take_along_axis(stack, chosen[..., None], axis=0)[0], np.float32)


def _turn(field: FloatArray, rotation_degrees: int) -> FloatArray:
    """A field of vectors as displayed, the vectors turned with it (y points down)."""
    field = to_display(field, rotation_degrees)
    for _ in range(rotation_degrees // 90):
        field = np.stack((-field[..., 1], field[..., 0]), axis=-1)
    return np.ascontiguousarray(field)
