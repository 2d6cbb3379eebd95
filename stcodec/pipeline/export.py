"""Maps as other encoders read them: `maps --export`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from stcodec.attention import source_files, source_of_maps
from stcodec.attention.base import AttentionSource
from stcodec.encoders.levels import quantise_levels
from stcodec.errors import OptionsError
from stcodec.media.clips import export_for
from stcodec.media.decode import VideoReader
from stcodec.media.gray_writer import GrayVideoWriter
from stcodec.media.output import atomic_output, check_output
from stcodec.media.paths import check_input
from stcodec.options import DEFAULT_ATTENTION, OffsetPolicy
from stcodec.pipeline.attend import AttentionCounts, frames_with_maps
from stcodec.pipeline.maps import MapsReport, maps_report, smoothed
from stcodec.progress import Meter, ProgressSink
from stcodec.qp import QpLaw
from stcodec.types import BlockGrid, FloatArray, VideoInfo
from stcodec.view import WHOLE, View

_QINDEX_PER_QP = 8
"""Quantiser indices of AV1 in a step of the H.26x scale, about, where most frames are."""
_AV1_SEGMENTS = 8
_QP_RANGE = 51

Timed = tuple[float, FloatArray]
"""Seconds, and a map [h, w] or offsets [rows, cols]."""


def export_maps(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    kind: str,
    *,
    attention: str | AttentionSource = DEFAULT_ATTENTION,
    policy: OffsetPolicy | None = None,
    overwrite: bool = False,
    keep_partial: bool = False,
    view: View = WHOLE,
    progress: ProgressSink | None = None,
) -> MapsReport:
    """Write what another encoder reads for each frame of a video; kind: one of `EXPORTS`.

    policy: how saliency becomes offsets, where the format holds offsets. Raises OptionsError, MediaError or AttentionError.
    """
    if kind not in EXPORTS:
        raise OptionsError(
            f"unknown format {kind!r} to export to: allowed are {', '.join(EXPORTS)}", value=kind, allowed=tuple(EXPORTS)
        )
    policy = policy or OffsetPolicy()
    name = attention if isinstance(attention, str) else attention.name
    chosen = smoothed(source_of_maps(attention), policy.smoothing_seconds)
    path = check_input(source)
    target = check_output(output, overwrite=overwrite, source=path, also_read=source_files(name))
    with (
        VideoReader(path, export=export_for(chosen.spec), keep_partial=keep_partial, view=view) as reader,
        atomic_output(target, overwrite=overwrite) as temporary,
    ):
        video, counts, meter = reader.info, AttentionCounts(), Meter(progress, reader.info)
        meter.enter("maps")
        meter.now("making the first maps")
        block_px = EXPORTS[kind][0]
        law = QpLaw(BlockGrid(video.width_px, video.height_px, block_px), policy) if block_px else None

        def timed() -> Iterator[Timed]:
            reduce = (lambda saliency: saliency) if law is None else law.blocks
            for frame, found in frames_with_maps(reader.frames(), video, chosen, reduce, counts):
                meter.frame(frame.time, 0)
                yield frame.time, found if law is None else law.offsets(found)

        EXPORTS[kind][1](temporary, video, timed())
        return maps_report(reader, target, name, counts)


def _svt_roi(video: VideoInfo, frames: Iterable[Timed]) -> Iterator[str]:
    """SvtAv1EncApp's --roi-map-file: the number of a picture, and an offset for each 64x64 block from there on.

    Offsets are quantiser indices, at least 0 (below, the library spends bits for nothing), at most 8 different ones.
    """
    before = None
    for number, (_, offsets) in enumerate(frames):
        levels = quantise_levels(np.maximum(offsets, 0), _AV1_SEGMENTS)
        words = " ".join(str(value) for value in np.rint(_QINDEX_PER_QP * levels).astype(int).ravel().tolist())
        if words != before:
            yield f"{number} {words}\n"
        before = words


def _kvazaar_roi(video: VideoInfo, frames: Iterable[Timed]) -> Iterator[str]:
    """kvazaar's --roi as text: columns and rows, and as many QP offsets, for each frame."""
    for _, offsets in frames:
        rows, cols = offsets.shape
        yield f"{cols} {rows}\n{' '.join(map(str, np.rint(offsets).astype(int).ravel().tolist()))}\n"


def _x265_gaze(video: VideoInfo, frames: Iterable[Timed]) -> Iterator[str]:
    """The x265 program's --fovea-gaze-file: the frame, and where the map's peak is, px."""
    for number, (_, saliency) in enumerate(frames):
        rows, cols = saliency.shape
        row, col = divmod(int(saliency.argmax()), cols)
        yield f"{number} {(col + 0.5) * video.width_px / cols:.0f} {(row + 0.5) * video.height_px / rows:.0f}\n"


def _json_rects(video: VideoInfo, frames: Iterable[Timed]) -> Iterator[str]:
    """A line of JSON a frame: rectangles in px with ffmpeg's qoffset, for addroi, GStreamer, OBS and hardware encoders."""
    for number, (seconds, offsets) in enumerate(frames):
        rects = [
            {"x": x, "y": y, "width": width, "height": height, "qoffset": round(offset / _QP_RANGE, 5)}
            for x, y, width, height, offset in rectangles(offsets, BlockGrid(video.width_px, video.height_px, _RECT_PX))
        ]
        yield json.dumps({"frame": number, "seconds": round(seconds, 6), "rects": rects}) + "\n"


def _x264_saliency(path: Path, video: VideoInfo, frames: Iterable[Timed]) -> None:
    """The second video of MSU's saliency-aware x264: the maps, gray, in the source's size."""
    with GrayVideoWriter(path, video, path.name) as writer:
        for _, saliency in frames:
            writer.write(saliency)


def _as_text(
    lines: Callable[[VideoInfo, Iterable[Timed]], Iterator[str]],
) -> Callable[[Path, VideoInfo, Iterable[Timed]], None]:
    def write(path: Path, video: VideoInfo, frames: Iterable[Timed]) -> None:
        with path.open("w", encoding="ascii", newline="\n") as file:
            file.writelines(lines(video, frames))

    return write


def rectangles(offsets: FloatArray, grid: BlockGrid) -> Iterator[tuple[int, int, int, int, float]]:
    """x, y, width, height in px and offset: rectangles of equal blocks that don't overlap; none where the offset is 0."""
    left = offsets != 0
    for row, col in np.argwhere(left).tolist():
        if not left[row, col]:
            continue
        same = (offsets == offsets[row, col]) & left
        wide = int(np.argmin(np.append(same[row, col:], False)))
        tall = int(np.argmin(np.append(same[row:, col : col + wide].all(axis=1), False)))
        left[row : row + tall, col : col + wide] = False
        x, y = col * grid.block_px, row * grid.block_px
        right, bottom = min(x + wide * grid.block_px, grid.width_px), min(y + tall * grid.block_px, grid.height_px)
        yield x, y, right - x, bottom - y, float(offsets[row, col])


_RECT_PX = 16
EXPORTS: dict[str, tuple[int, Callable[[Path, VideoInfo, Iterable[Timed]], None]]] = {
    "svt-roi": (64, _as_text(_svt_roi)),
    "kvazaar-roi": (16, _as_text(_kvazaar_roi)),
    "x265-gaze": (0, _as_text(_x265_gaze)),
    "x264-saliency": (0, _x264_saliency),
    "json-rects": (_RECT_PX, _as_text(_json_rects)),
}
"""Formats: the side of their blocks (0 = they hold the map itself), and what writes them."""
