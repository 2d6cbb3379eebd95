"""The QP offsets that maps ask for, to be shown beside them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from stcodec.attention.grids import resize
from stcodec.options import OffsetPolicy
from stcodec.qp import QpLaw
from stcodec.types import BlockGrid, FloatArray, VideoInfo

OFFSET_LIMIT = 10.0
"""QP steps that have the strongest colour."""
BLOCK_PX = 16


def offsets_of(saliency: FloatArray, video: VideoInfo) -> FloatArray:
    """The QP offsets that a map asks for with the default policy, in display orientation on the map's grid."""
    turns = video.rotation_degrees // 90
    offsets = _law(video.width_px, video.height_px)(np.ascontiguousarray(np.rot90(saliency, turns)))
    return resize(np.ascontiguousarray(np.rot90(offsets, -turns)), (saliency.shape[0], saliency.shape[1]))


@lru_cache(maxsize=4)
def _law(width_px: int, height_px: int) -> QpLaw:
    return QpLaw(BlockGrid(width_px, height_px, BLOCK_PX), OffsetPolicy())
