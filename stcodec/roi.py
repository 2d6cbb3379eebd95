"""Regions of interest on anybody's frames: a QP offset for every block, attached to an `av.VideoFrame`.

ffmpeg's encoders take offsets from a frame's side data, which PyAV can read but not write. With this any loop around PyAV
can have them:

    roi.attach(frame, delta_qp)          # before stream.encode(frame)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stcodec.encoders.carrier import RegionTable, attach as attach_regions, read_regions
from stcodec.encoders.levels import quantise_levels
from stcodec.encoders.table import ENCODERS, NO_WAY, find_encoder
from stcodec.encoders.trial import offsets_change_bits
from stcodec.errors import EncoderError, OptionsError, check_range
from stcodec.types import BlockGrid, FloatArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from stcodec.encoders.encoder import Encoder

__all__ = ["attach", "block_grid", "read", "supports"]


def attach(
    frame: VideoFrame, delta_qp: NDArray[np.floating], *, encoder: str = "libx264", block_px: int | None = None
) -> None:
    """Attach QP offsets to a frame, in place of those that it carries.

    delta_qp: [rows, cols] in steps of the H.26x QP scale (6 steps double the quantiser); negative = better. Blocks are in
    coded orientation, those at the right and lower edge are cut off: rows = ceil(height / block_px).
    encoder: ffmpeg's name of the encoder that will take the frame, in whose units the offsets are written. Of one with few
    levels (libvpx-vp9: 8) they are brought to that many.
    block_px: side of the blocks; None = the smallest that the encoder tells apart.

    Attach to every frame of an encode or to none: libx265 keeps the offsets of the frame before.
    Raises OptionsError for another shape, values that are not finite or an encoder that takes no offsets, EncoderError for
    a frame whose offsets would be dropped, or a PyAV whose frames can't be given any.
    """
    target = find_encoder(encoder)
    grid = block_grid(frame, encoder=encoder, block_px=block_px)
    offsets = np.asarray(delta_qp, np.float32)
    if offsets.shape != grid.shape:
        raise OptionsError(
            f"delta_qp has shape {offsets.shape}: a frame of {frame.width}x{frame.height} px has {grid.shape} (rows, cols) "
            f"blocks of {grid.block_px} px",
            value=offsets.shape,
            allowed=grid.shape,
        )
    if not np.isfinite(offsets).all():
        raise OptionsError("delta_qp has values that are not finite")
    if not target.reads_side_data:
        raise OptionsError(f"{target.name} does not read the offsets of frames by itself: use stcodec.encode")
    if frame.interlaced_frame and not target.offsets_on_interlaced:
        raise EncoderError(f"the frame is interlaced: {target.name} drops the offsets of such frames; deinterlace it first")
    table = RegionTable(grid, _qp_range(frame, target), target.whole_units)
    attach_regions(frame, table.fill(quantise_levels(offsets, target.max_levels)))


def read(frame: VideoFrame, *, encoder: str = "libx264", block_px: int | None = None) -> FloatArray | None:
    """The offsets [rows, cols] that a frame carries, whoever attached them; None if it carries none.

    encoder: in whose units they are read; block_px as in `attach`. A block has the offset of the first region that touches
    it, 0 if none does, as the encoders see it.
    """
    regions = read_regions(frame)
    if regions is None:
        return None
    target = find_encoder(encoder)
    grid = block_grid(frame, encoder=encoder, block_px=block_px)
    offsets = np.zeros(grid.shape, np.float32)
    for region in regions[::-1]:
        rows, cols = (
            slice(int(region[first]) // grid.block_px, -(-int(region[last]) // grid.block_px))
            for first, last in (("top", "bottom"), ("left", "right"))
        )
        offsets[rows, cols] = region["qoffset_num"] / region["qoffset_den"]
    return offsets * np.float32(_qp_range(frame, target))


def supports(encoder: str, options: Mapping[str, str] | None = None) -> bool:
    """Whether offsets change what an encoder writes here, with these options: tried on small pictures, both ways.

    encoder: any name of ffmpeg's. options: those of `CodecContext.options`, which may make it drop offsets ({"qp": "23"});
    None = quick ones with which it takes them, if it does.
    """
    if options is None:
        known = ENCODERS.get(encoder) or NO_WAY.get(encoder)
        options = {} if known is None else known.trial_options
    return _supports(encoder, tuple(sorted(options.items())))


def block_grid(frame: VideoFrame, *, encoder: str = "libx264", block_px: int | None = None) -> BlockGrid:
    """The blocks of a frame: `.shape` is that of its offsets."""
    side = find_encoder(encoder).block_px if block_px is None else block_px
    check_range("block_px", side, 1)
    return BlockGrid(frame.width, frame.height, side)


@cache
def _supports(encoder: str, options: tuple[tuple[str, str], ...]) -> bool:
    return offsets_change_bits(encoder, dict(options)) is True


def _qp_range(frame: VideoFrame, encoder: Encoder) -> float:
    return encoder.range_for(frame.format.components[0].bits)
