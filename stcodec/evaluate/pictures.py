"""Pictures of a clip for the report: source, gaze, map, QP, plain and guided at one bitrate, and their difference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.encoders.table import find_encoder
from stcodec.evaluate.colours import SIGNED, coloured, enlarged, overlaid
from stcodec.evaluate.guidance import Guide, Maps, densities
from stcodec.evaluate.points import PointTask, Scored
from stcodec.evaluate.reference import PreparedClip
from stcodec.evaluate.results import FramePictures, Viewer
from stcodec.evaluate.summary import series_of
from stcodec.media.decode import VideoReader
from stcodec.media.pictures import STILL_SUFFIX, write_still
from stcodec.media.planes import PlaneReader, common_format
from stcodec.media.scaling import Thumbnailer
from stcodec.metrics.fidelity import squared_error
from stcodec.orientation import to_display
from stcodec.types import Arrays, BlockGrid, FloatArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Picture = NDArray[np.uint8]
_KINDS = ("source", "gaze", "map", "qp", "plain", "guided", "error")
_SIDE_PX = 480
_ERROR_CELL_PX = 16
_ERROR_LIMIT_DB = 6.0
"""Difference of errors that has the strongest colour."""
_LEAST_ERROR = 2.0
"""Squared, on the 8-bit scale: below it nobody sees a difference."""
_CRF_PER_HALVING = 6.0
"""CRF steps that halve the rate, roughly."""
_SAME_RATE = 0.05


@dataclass(frozen=True)
class PicturesTask:
    """Pictures of one clip to be made."""

    guided: PointTask
    plain: PointTask
    """At a CRF of the same rate, see `matching_crf`."""
    arm: str
    weights: Maps
    instants: int
    scored: tuple[bool, ...]
    """[T]: the instants are chosen among these frames."""
    folder: Path
    """Folder of this clip's pictures, and no others: two below the report's."""

    def run(self) -> Viewer:
        """Make them. Raises MediaError, and what encoding raises."""
        guided, plain = self.guided.run(), self.plain.run()
        reference, encoder = self.guided.encode.reference, self.guided.encode.options.encoder
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = _spread(self.scored, self.instants)
        looks = _looks(self, reference, guided, plain, wanted)
        known = [look.qp for look in looks if look.qp is not None]
        qp_range = (float(min(np.nanmin(qp) for qp in known)), float(max(np.nanmax(qp) for qp in known))) if known else None
        frames = [self._write(look, qp_range, guided, plain) for look in looks]
        return Viewer(
            clip=reference.clip,
            encoder=encoder,
            arm=self.arm,
            plain_crf=self.plain.encode.options.crf or 0.0,
            plain_kbps=plain.encoded.kbps,
            guided_crf=self.guided.encode.options.crf or 0.0,
            guided_kbps=guided.encoded.kbps,
            frames=tuple(frames),
            note=_note(plain.encoded.kbps, guided.encoded.kbps, encoder, bool(known)),
            qp_range=qp_range,
        )

    def _write(self, look: _Shown, qp_range: tuple[float, float] | None, guided: Scored, plain: Scored) -> FramePictures:
        pictures = _drawn(look, qp_range)
        names = {}
        for kind, picture in pictures.items():
            path = self.folder / f"{look.index:05d}-{kind}{STILL_SUFFIX}"
            write_still(path, picture)
            names[kind] = path.relative_to(self.folder.parents[1]).as_posix()
        theirs, ours = series_of(plain.raw), series_of(guided.raw)
        scores = {name: (theirs[name][look.index], ours[name][look.index]) for name in ours if name in theirs}
        return FramePictures(look.seconds, **{kind: names.get(kind, "") for kind in _KINDS}, scores=scores)


def matching_crf(kbps: float, points: Sequence[tuple[float, float]], whole: bool) -> float:
    """The CRF at which a plain encode has a bitrate, from its points of (CRF, kbit/s); whole: no fractions."""
    ordered = sorted(points, key=lambda point: point[1])
    rates, crfs = [math.log2(rate) for _, rate in ordered], [crf for crf, _ in ordered]
    wanted = math.log2(kbps)
    crf = float(np.interp(wanted, rates, crfs))
    crf += _CRF_PER_HALVING * (max(0.0, rates[0] - wanted) - max(0.0, wanted - rates[-1]))
    return float(round(crf)) if whole else round(crf, 2)


@dataclass(frozen=True, eq=False, repr=False)
class _Shown(Arrays):
    """One instant, in display orientation."""

    index: int
    seconds: float
    source: Picture
    plain: Picture
    guided: Picture
    density: FloatArray
    """Of the weights, any scale and shape."""
    saliency: FloatArray
    """Of the guiding map."""
    advantage_db: FloatArray
    """[h, w] of the guided encode over the plain one: positive = nearer to the source."""
    qp: FloatArray | None
    """[h, w] in the guided file; NaN where a block tells none."""


def _looks(
    task: PicturesTask, reference: PreparedClip, guided: Scored, plain: Scored, wanted: Sequence[int]
) -> list[_Shown]:
    maps = task.guided.encode.maps
    assert maps is not None
    weights = np.load(task.weights.path, mmap_mode="r")
    guide = (one for _, one in densities(reference.path, Guide(f"map:{maps.path}"), len(reference.seconds)))
    export = EXPORT if find_encoder(task.guided.encode.options.encoder).exports_qp else ""
    looks = []
    with (
        VideoReader(reference.path) as source,
        VideoReader(plain.encoded.path) as theirs,
        VideoReader(guided.encoded.path, export=export) as ours,
    ):
        video = source.info
        degrees = video.rotation_degrees
        thumbnail = Thumbnailer(video, _SIDE_PX)
        planes = PlaneReader(common_format(video, ours.info))
        grid = BlockGrid(video.width_px, video.height_px, find_encoder(task.guided.encode.options.encoder).block_px)
        streams = zip(source.frames(), theirs.frames(), ours.frames(), guide, strict=False)
        for index, (one, other, mine, saliency) in _chosen(streams, wanted):
            qp = qp_blocks(mine, grid) if export else None
            looks.append(
                _Shown(
                    index=index,
                    seconds=reference.seconds[index],
                    source=thumbnail(one),
                    plain=thumbnail(other),
                    guided=thumbnail(mine),
                    density=to_display(weights[index], degrees),
                    saliency=to_display(saliency, degrees),
                    advantage_db=to_display(_advantage(planes, one, other, mine), degrees),
                    qp=None if qp is None else to_display(_on_frame(qp, grid), degrees),
                )
            )
    return looks


def _on_frame(blocks: FloatArray, grid: BlockGrid) -> FloatArray:
    """Values of blocks on cells that end where the frame does: [h, w] of a fourth of its size."""
    cells = np.kron(blocks, np.ones((grid.block_px // 4, grid.block_px // 4), np.float32))
    return np.asarray(cells[: -(-grid.height_px // 4), : -(-grid.width_px // 4)], np.float32)


def _advantage(planes: PlaneReader, source: VideoFrame, plain: VideoFrame, guided: VideoFrame) -> FloatArray:
    """[rows, cols] in dB: how much smaller the guided error is, on cells of a few pixels."""
    luma = planes(source)[0]
    errors = [_cells(squared_error(luma, planes(frame)[0])) for frame in (plain, guided)]
    ours = 10 * np.log10((errors[0] + _LEAST_ERROR) / (errors[1] + _LEAST_ERROR))
    return np.asarray(ours, np.float32)


def _cells(error: FloatArray) -> FloatArray:
    """The mean of an error [H, W] over cells, those that jut out left off."""
    rows, cols = (max(1, side // _ERROR_CELL_PX) for side in error.shape)
    high, wide = error.shape[0] // rows, error.shape[1] // cols
    return np.asarray(error[: rows * high, : cols * wide].reshape(rows, high, cols, wide).mean(axis=(1, 3)), np.float32)


def _drawn(look: _Shown, qp_range: tuple[float, float] | None) -> Mapping[str, Picture]:
    shape = look.source.shape[:2]
    peak = float(look.saliency.max()) or 1.0
    pictures = {
        "source": look.source,
        "gaze": overlaid(look.source, enlarged(look.density, shape)),
        "map": coloured(enlarged(look.saliency, shape) / peak),
        "plain": look.plain,
        "guided": look.guided,
        "error": _signed(enlarged(look.advantage_db, shape), look.source),
    }
    if look.qp is not None and qp_range is not None:
        low, high = qp_range
        pictures["qp"] = coloured((enlarged(look.qp, shape, smooth=False) - low) / max(1.0, high - low))
    return pictures


def _signed(advantage_db: FloatArray, source: Picture) -> Picture:
    """Blue where the guided encode is nearer to the source, red where it is farther off, over a pale picture."""
    strength = np.clip(np.abs(advantage_db) / _ERROR_LIMIT_DB, 0, 1)[..., None]
    pale = 160 + 0.35 * source.mean(axis=2, keepdims=True)
    colour = np.where(advantage_db[..., None] > 0, SIGNED[0], SIGNED[1])
    return np.asarray(pale * (1 - strength) + colour * strength, np.uint8)


def _chosen(
    streams: Iterator[tuple[VideoFrame, VideoFrame, VideoFrame, FloatArray]], wanted: Sequence[int]
) -> Iterator[tuple[int, tuple[VideoFrame, VideoFrame, VideoFrame, FloatArray]]]:
    among = set(wanted)
    for index, frames in enumerate(islice(streams, max(wanted) + 1)):
        if index in among:
            yield index, frames


def _spread(scored: Sequence[bool], count: int) -> list[int]:
    """Indices of some scored frames, evenly spread."""
    places = [index for index, counts in enumerate(scored) if counts]
    count = min(count, len(places))
    return [places[int((number + 0.5) * len(places) / count)] for number in range(count)]


def _note(plain_kbps: float, guided_kbps: float, encoder: str, has_qp: bool) -> str:
    off = guided_kbps / plain_kbps - 1
    rates = f"the guided encode has {abs(off):.0%} {'more' if off > 0 else 'fewer'} bits than the plain one"
    notes = [rates] if abs(off) > _SAME_RATE else []
    if not has_qp:
        notes.append(f"files of {encoder} tell no QP")
    return "; ".join(notes)
