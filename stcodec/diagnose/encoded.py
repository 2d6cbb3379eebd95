"""An encode of the video beside it: what QP its blocks have, and whether attention moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stcodec.attention.base import AttentionSource
from stcodec.attention.grids import resize
from stcodec.diagnose.faults.base import Fault, Finding, find_runs
from stcodec.diagnose.map_files import GridFile
from stcodec.diagnose.measure import Attended, measure
from stcodec.diagnose.measures import BLOCK_PX, density_of, greatest, moved_percent, offsets_of
from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.errors import MediaError
from stcodec.media.decode import VideoReader
from stcodec.media.paths import display_name
from stcodec.metrics.saliency import cc
from stcodec.orientation import to_display
from stcodec.progress import Meter
from stcodec.types import BlockGrid, ClipSpec, FloatArray, TimeArray, VideoInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_SAME_SECONDS = 0.02
_LONGER_SHARE = 0.05
_ASPECT_TOLERANCE = 0.03

MOVED = Fault(
    name="moved",
    title="Attention moved",
    definition="Share of the map's mass that lies elsewhere when the source sees the encode instead of the original, with "
    "the original's cuts.",
    unit="% of the map's mass",
    threshold=10.0,
    least_seconds=0.0,
    hint="look at the place: an artefact draws the eye, or the encode lost what drew it; use a lower crf, or a higher floor "
    "(--floor 0.3)",
)


@dataclass
class InspectedEncode:
    """An encode, seen at the instants of the original."""

    path: Path
    start_seconds: float
    maps: GridFile
    """The source's maps of the encode."""
    qp: GridFile
    """QP of the encode on the grid of the measures, less its mean over the frame; NaN where nothing is known."""
    match: list[int]
    """[T] the map of the encode that belongs to each instant of the original; -1 = none."""


def open_encode(path: Path, original: VideoInfo) -> VideoInfo:
    """Facts of the encode. Raises MediaError if it can't be of this video."""
    with VideoReader(path) as reader:
        info = reader.info
    shapes = [one.display_width_px / one.display_height_px for one in (info, original)]
    if abs(shapes[0] / shapes[1] - 1) > _ASPECT_TOLERANCE:
        raise MediaError(
            f"{display_name(path)}: is {info.display_width_px}x{info.display_height_px}, the video "
            f"{original.display_width_px}x{original.display_height_px}: it is no encode of this video",
            path=path,
        )
    one, other = info.sure_duration_seconds, original.sure_duration_seconds
    if one is not None and other is not None and abs(one - other) > max(0.5, _LONGER_SHARE * other):
        raise MediaError(
            f"{display_name(path)}: lasts {one:.2f} s, the video {other:.2f} s: it is no encode of all of this video",
            path=path,
        )
    return info


def look_at_encode(
    path: Path, source: AttentionSource, spec: ClipSpec, original: Attended, maps: GridFile, qp: GridFile, meter: Meter
) -> InspectedEncode:
    """Run the source over the encode, at the original's instants and with its cuts, and read the QP of its blocks.

    Adds `moved_percent` and `qp_follows` to the original's measures. Raises MediaError and AttentionError.
    """
    since_start = original.series.seconds - original.video.start_seconds
    cuts = since_start[original.series.starts]
    meter.enter("attention on the encode")
    seen = measure(path, source, spec, maps, meter, False, lambda frames, video: with_cuts(frames, video, cuts))
    times = seen.series.seconds - seen.video.start_seconds
    encoded = InspectedEncode(path, seen.video.start_seconds, maps, qp, matched(since_start, times))
    meter.enter("reading QP")
    _read_qp(encoded, seen.video, since_start, meter, original.maps[0].shape)
    _measure(original, encoded)
    return encoded


def with_cuts(frames: Iterable[VideoFrame], video: VideoInfo, cuts: TimeArray) -> Iterator[tuple[VideoFrame, bool]]:
    """Each frame with whether it begins a shot, when that is known: cuts [N] in seconds since the start."""
    for index, frame in enumerate(frames):
        near = bool(np.any(np.abs(cuts - (frame.time - video.start_seconds)) <= _SAME_SECONDS / 2))
        yield frame, near or index == 0


def matched(wanted: TimeArray, there: TimeArray) -> list[int]:
    """Index for each wanted time, of the one that is there within 20 ms; -1 if there is none."""
    found = []
    for seconds in wanted:
        nearest = int(np.abs(there - seconds).argmin())
        found.append(nearest if abs(there[nearest] - seconds) <= _SAME_SECONDS else -1)
    return found


def find_moved(original: Attended, encoded: InspectedEncode) -> list[Finding]:
    """The moments at which the encode moved attention, with the place that gained most."""
    text = "{value:.0f} % of the map's mass moved on the encode"
    series = original.series
    found = []
    for one in find_runs(MOVED, series["moved_percent"], series.seconds, text):
        index = int(np.abs(series.seconds - one.worst_seconds).argmin())
        change = shift_of(original, encoded, index)
        rows, cols = change.shape
        gained, lost = greatest(change), greatest(-change)
        percent = [round(100 * share) for at in (lost, gained) for share in (at.x_widths, at.y_widths * cols / rows)]
        text_there = (
            f"{one.text}, most from ({percent[0]} %, {percent[1]} %) to ({percent[2]} %, {percent[3]} %) of the frame"
        )
        found.append(replace(one, text=text_there, place=gained))
    return found


def shift_of(original: Attended, encoded: InspectedEncode, index: int) -> FloatArray:
    """[h, w] the density on the encode less that on the original, at an instant; zeros if there is none."""
    before = density_of(original.maps[index])
    if encoded.match[index] < 0:
        return np.zeros_like(before)
    return density_of(encoded.maps[encoded.match[index]]) - before


def _measure(original: Attended, encoded: InspectedEncode) -> None:
    count = len(original.series)
    moved, follows = np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32)
    for index in range(count):
        there = encoded.match[index]
        saliency = original.maps[index]
        if there >= 0:
            moved[index] = moved_percent(density_of(saliency), density_of(encoded.maps[there]))
        qp = encoded.qp[index]
        if np.isfinite(qp).all():
            follows[index] = cc(qp, offsets_of(saliency, original.video))
    original.series.add("moved_percent", moved)
    original.series.add("qp_follows", follows)


def _read_qp(encoded: InspectedEncode, video: VideoInfo, wanted: TimeArray, meter: Meter, shape: tuple[int, ...]) -> None:
    """The QP of the frames at these times since the start, into the file; NaN for frames that tell none."""
    grid = BlockGrid(video.width_px, video.height_px, BLOCK_PX)
    unknown = np.full(shape, np.nan, np.float32)
    with VideoReader(encoded.path, export=EXPORT) as reader:
        for frame in reader.frames():
            meter.frame(frame.time, 0)
            since_start = frame.time - video.start_seconds
            while len(encoded.qp) < len(wanted) and wanted[len(encoded.qp)] <= since_start + _SAME_SECONDS:
                known = abs(wanted[len(encoded.qp)] - since_start) <= _SAME_SECONDS
                blocks = qp_blocks(frame, grid) if known else None
                encoded.qp.append(unknown if blocks is None else _on_measures(blocks, grid, video, shape))
    while len(encoded.qp) < len(wanted):
        encoded.qp.append(unknown)


def _on_measures(blocks: FloatArray, grid: BlockGrid, video: VideoInfo, shape: tuple[int, ...]) -> FloatArray:
    """QP of blocks in coded orientation, on the grid of the measures as displayed, less its mean."""
    filled = np.where(np.isfinite(blocks), blocks, np.nanmean(blocks))
    cells = np.kron(filled, np.ones((BLOCK_PX // 4, BLOCK_PX // 4), np.float32))
    inside = cells[: -(-grid.height_px // 4), : -(-grid.width_px // 4)]
    shown = np.ascontiguousarray(to_display(inside, video.rotation_degrees), np.float32)
    small = resize(shown, (shape[0], shape[1]))
    return np.asarray(small - small.mean(), np.float32)
