"""A few excerpts, encoded with attention, without it, and without it at the same bits."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.grids import resize
from stcodec.attention.registry import open_source
from stcodec.encoders.encoder import Encoder
from stcodec.encoders.table import find_encoder
from stcodec.errors import MediaError, OptionsError
from stcodec.keep import KeepOptions
from stcodec.media.decode import VideoReader
from stcodec.media.output import work_folder
from stcodec.media.paths import display_name
from stcodec.media.scaling import Thumbnailer
from stcodec.options import EncodeOptions, RunOptions
from stcodec.orientation import to_display
from stcodec.pipeline.attend import frames_with_maps
from stcodec.pipeline.encode import encode
from stcodec.progress import Meter, ProgressSink
from stcodec.qp import QpLaw
from stcodec.report import EncodeReport
from stcodec.types import BlockGrid, FloatArray

INSTANTS = 3
EXCERPT_SECONDS = 0.6
_SIDE_PX = 640
_CROP_PX = (400, 240)
_CRF_PER_HALVING = 6.0
"""CRF steps that halve the rate, roughly."""
_SAME_RATE = 0.02
_STEPS = ("guided", "plain", "same bits", "map")
"""What is made of an excerpt, in this order."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Instant:
    """One instant, its pictures [h, w, 3] in display orientation."""

    seconds: float
    source: Picture
    saliency: FloatArray
    """[h, w] in [0, 1]."""
    offsets: FloatArray
    """[rows, cols] QP steps; negative = better."""
    details: dict[str, Picture]
    """"source", "plain" and "guided" at the place that is attended most, in their own pixels."""
    guided: EncodeReport
    """Of the excerpt around it."""
    plain: EncodeReport
    """Without attention, with the same options."""
    same_bits: EncodeReport
    """Without attention, at a rate near that of the guided encode."""


@dataclass(frozen=True, eq=False)
class Preview:
    """Effect of an encode, as far as excerpts tell."""

    source: str
    source_bytes: int
    duration_seconds: float
    options: EncodeOptions
    instants: tuple[Instant, ...]

    @property
    def video_kbps(self) -> float:
        """Rate of the video to be expected: excerpts begin with a key frame each, so that it is rather less."""
        return _mean([one.guided.video_kbps for one in self.instants])

    @property
    def expected_bytes(self) -> float:
        """Size of the video to be expected, without audio."""
        return self.video_kbps * 125 * self.duration_seconds

    @property
    def change_percent(self) -> float:
        """Video bits against the plain encode with the same options; negative = saved."""
        return 100 * (self.video_kbps / _mean([one.plain.video_kbps for one in self.instants]) - 1)


def preview(
    source: str | os.PathLike[str], options: EncodeOptions, run: RunOptions, progress: ProgressSink | None = None
) -> Preview:
    """Encode excerpts from all over the video. Raises what `encode` raises, and OptionsError for no attention."""
    encoder = find_encoder(options.encoder)
    if options.attention == "none":
        raise OptionsError("--attention none: without attention there is nothing to be seen", value="none")
    if options.crf is None and options.bitrate_kbps is None:
        options = replace(options, crf=encoder.usual_crf)
    options = replace(options, two_pass=False, keep=KeepOptions(audio="none", subtitles="none"))
    with VideoReader(source, keep_partial=run.keep_partial, view=options.view) as reader:
        duration = reader.info.sure_duration_seconds or reader.info.duration_seconds
    if not duration:
        raise MediaError(f"{display_name(source)}: does not say how long it is: give --duration, too", path=source)
    meter = Meter(progress)
    starts = _starts(duration)
    times = [options.view.start_seconds + start for start in starts]
    meter.enter_tasks("preview", [f"{step} at {begin:.1f} s" for begin in times for step in _STEPS])
    with work_folder() as folder:

        def instant(place: int, begin: float) -> Instant:
            def done(step: str) -> None:
                meter.task(place * len(_STEPS) + _STEPS.index(step))

            return _instant(source, options, encoder, begin, folder, run, done)

        instants = tuple(instant(place, begin) for place, begin in enumerate(times))
    return Preview(display_name(source), Path(source).stat().st_size, duration, options, instants)


def _starts(duration: float) -> list[float]:
    """Starts of excerpts that lie evenly over a video; of a short one only one."""
    number = min(INSTANTS, max(1, int(duration / EXCERPT_SECONDS)))
    return [max(0.0, (place + 0.5) * duration / number - EXCERPT_SECONDS / 2) for place in range(number)]


def _instant(
    source: str | os.PathLike[str],
    options: EncodeOptions,
    encoder: Encoder,
    begin: float,
    folder: Path,
    run: RunOptions,
    done: Callable[[str], None],
) -> Instant:
    here = replace(options, view=replace(options.view, start_seconds=begin, end_seconds=begin + EXCERPT_SECONDS))
    quick = replace(run, overwrite=True, report_path=None)

    def made(name: str, what: EncodeOptions) -> EncodeReport:
        report = encode(source, folder / f"{name}.mkv", options=what, run=quick)
        done(name)
        return report

    guided = made("guided", here)
    plain = made("plain", replace(here, attention="none"))
    same, name = plain, "plain"
    if here.crf is not None and abs(guided.video_kbps / plain.video_kbps - 1) > _SAME_RATE:
        crf = here.crf + _CRF_PER_HALVING * math.log2(plain.video_kbps / guided.video_kbps)
        crf = round(min(max(crf, encoder.crf_range[0]), encoder.crf_range[1]), 0 if encoder.whole_crf else 2)
        name, same = "same bits", made("same bits", replace(here, attention="none", crf=crf))
    else:
        done("same bits")
    middle = guided.frames // 2
    seconds, picture, saliency, offsets = _looked_at(source, here, encoder, middle, run)
    done("map")
    box = _box(saliency, picture)
    files = {"plain": folder / f"{name}.mkv", "guided": folder / "guided.mkv"}
    details = {"source": picture, **{one: _frame(path, middle) for one, path in files.items()}}
    return Instant(
        begin + seconds,
        _small(picture),
        saliency,
        offsets,
        {one: np.ascontiguousarray(found[box]) for one, found in details.items()},
        guided,
        plain,
        same,
    )


def _looked_at(
    source: str | os.PathLike[str], options: EncodeOptions, encoder: Encoder, middle: int, run: RunOptions
) -> tuple[float, Picture, FloatArray, FloatArray]:
    """The frame in the middle of an excerpt: its time since the start, picture, map and offsets."""
    with VideoReader(source, keep_partial=run.keep_partial, view=options.view) as reader:
        video = reader.info
        law = QpLaw(BlockGrid(video.width_px, video.height_px, encoder.block_px), options.policy)
        attention = open_source(options.attention)
        assert attention is not None
        look = frames_with_maps(reader.frames(), video, attention)
        frame, saliency = next(islice(look, middle, None))
        degrees = video.rotation_degrees
        picture = Thumbnailer(video, max(video.width_px, video.height_px))(frame)
        shown = [np.ascontiguousarray(to_display(one, degrees)) for one in (saliency, law(saliency))]
        return frame.time - video.start_seconds, picture, shown[0], shown[1]


def _frame(path: Path, number: int) -> Picture:
    with VideoReader(path) as reader:
        size = max(reader.info.width_px, reader.info.height_px)
        return Thumbnailer(reader.info, size)(next(islice(reader.frames(), number, None)))


def _box(saliency: FloatArray, picture: Picture) -> tuple[slice, slice]:
    """The place in a picture where a map is greatest, as far as it fits."""
    height, width = picture.shape[:2]
    row, col = np.unravel_index(int(saliency.argmax()), saliency.shape)
    center = ((row + 0.5) / saliency.shape[0] * height, (col + 0.5) / saliency.shape[1] * width)
    sides = (min(_CROP_PX[1], height), min(_CROP_PX[0], width))
    starts = [
        int(min(max(middle - side / 2, 0), whole - side))
        for middle, side, whole in zip(center, sides, (height, width), strict=True)
    ]
    return slice(starts[0], starts[0] + sides[0]), slice(starts[1], starts[1] + sides[1])


def _small(picture: Picture) -> Picture:
    scale = min(1.0, _SIDE_PX / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale)))
    planes = [resize(picture[..., one].astype(np.float32), size) for one in range(3)]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
