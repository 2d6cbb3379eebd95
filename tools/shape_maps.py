"""Bend maps by what the picture holds, to see whether offsets that follow texture or motion save more.

    python tools/shape_maps.py --data ../shared/data/video-gaze --maps build/cv/maps --by texture --power -0.25 \
        --out build/texture-down

Every cell of a map is multiplied by (activity / the frame's geometric mean of it) ** power. Texture is the standard
deviation of the luma within the cell, motion the mean difference to the picture of the instant before. A power below 0
takes bits from where the eye forgives errors (texture masking; motion that it can't follow), one above 0 gives them. With
--floor the law's even share is bent, too: what comes out are weights, to be encoded with floor 0.001. The maps are then
arms of tools/sweep_offsets.py or --maps of tools/measure_front.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from headline import add_clip_arguments, clip_files
from results import parser_for

from stcodec.attention.grids import peak_one, resize
from stcodec.attention.map_file import MapFileSource
from stcodec.media.clips import read_clip
from stcodec.media.map_writer import MapWriter
from stcodec.types import Clip, FloatArray

_SIDE_PX = 480
_STEADY = 2.0 / 255
"""Activity that noise alone has: below it nothing is told apart."""


def texture(luma: FloatArray, _before: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """[rows, columns], the standard deviation of the luma in each cell."""
    variance = resize(luma**2, shape) - resize(luma, shape) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def motion(luma: FloatArray, before: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """[rows, columns], the mean difference to the picture before in each cell."""
    return resize(np.abs(luma - before), shape)


ACTIVITIES: dict[str, Callable[[FloatArray, FloatArray, tuple[int, int]], FloatArray]] = {
    "texture": texture,
    "motion": motion,
}


def bent(clip: Clip, saliency: FloatArray, by: str, power: float, floor: float = 0) -> FloatArray:
    """[T, h, w]: maps [T, h, w] of the clip's instants, mixed with an even share, each with 1 for its largest value."""
    assert clip.thumbnails is not None
    result = np.empty_like(saliency)
    before = None
    for index, thumbnail in enumerate(clip.thumbnails):
        luma = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
        if before is None or clip.shot_starts[index]:
            before = luma
        activity = ACTIVITIES[by](luma, before, saliency.shape[1:]) + _STEADY
        weights = (1 - floor) * saliency[index] / max(saliency[index].mean(), 1e-9) + floor
        result[index] = peak_one(weights * (activity / np.exp(np.log(activity).mean())) ** power)
        before = luma
    return result


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    add_clip_arguments(parser, "train")
    parser.add_argument("--maps", type=Path, required=True, help="folder of CLIP.mkv")
    parser.add_argument("--by", choices=list(ACTIVITIES), required=True)
    parser.add_argument("--power", type=float, required=True)
    parser.add_argument("--floor", type=float, default=0.0, help="even share that is bent with the map")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bent maps")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for video in clip_files(given.data, given.split, given.clips):
        source = MapFileSource(given.maps / f"{video.stem}.mkv")
        clip = read_clip(video, replace(source.spec, thumbnail_side_px=_SIDE_PX))
        track = source.attend(clip)
        track = replace(track, saliency=bent(clip, track.saliency, given.by, given.power, given.floor))
        note = {"STCODEC_SOURCE": f"{source.tags.get('SOURCE', 'map')}, {given.by} {given.power:+g}"}
        with MapWriter(given.out / f"{video.stem}.mkv", clip.video, note) as writer:
            writer.write(track)
        print(video.stem, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
