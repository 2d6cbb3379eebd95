"""Maps that ask an encoder for what others do: `addroi`'s centre box, and x265 4.3's one Gaussian at the peak of a map.

    python tools/rival_maps.py --data ../shared/data/video-gaze --maps build/cv/maps --out build/rivals

writes OUT/box/CLIP.mkv and OUT/peak/CLIP.mkv. The box is the example of ffmpeg's manual, the middle half of the picture in
both directions a tenth of the QP range finer: `addroi=iw/4:ih/4:iw/2:ih/2:-1/10`. The Gaussian is that of x265's
`--fovea-gaze-file` with `--fovea-delta 5`: delta (1 - exp(-r^2 / 2 sigma^2)) QP steps about one point of each frame.
ffmpeg's libx265 (4.3+49) takes these options and writes the same bytes as without them: the offsets would be made in the
program x265. Here they are sent as stcodec sends its own. A map m stands for offsets -3 log2(m): give these maps floor
0.001, no rounding and no smoothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from headline import add_clip_arguments, clip_files
from results import parser_for

from stcodec.attention.map_file import MapFileSource
from stcodec.media.clips import read_clip
from stcodec.media.map_writer import MapWriter
from stcodec.types import FloatArray, VideoInfo

BOX_QP = 5.1
FOVEA_QP = 5.0
SIGMA_HEIGHTS = 3 * np.tan(np.radians(2.5))
"""2.5 degrees, x265's width of the Gaussian, seen from three heights of the picture."""


def box(saliency: FloatArray, _video: VideoInfo) -> FloatArray:
    """[T, h, w]: 1 in the middle, less around it."""
    rows, columns = (np.abs((np.arange(size) + 0.5) / size - 0.5) <= 0.25 for size in saliency.shape[1:])
    one = np.where(rows[:, None] & columns, 1, 2 ** (-BOX_QP / 3)).astype(np.float32)
    return np.broadcast_to(one, saliency.shape)


def peak(saliency: FloatArray, video: VideoInfo) -> FloatArray:
    """[T, h, w]: falling off around the highest value of each map [T, h, w]."""
    _, height, width = saliency.shape
    y = (np.arange(height) + 0.5) / height
    x = (np.arange(width) + 0.5) / width * video.display_width_px / video.display_height_px  # in heights
    result = np.empty(saliency.shape, np.float32)
    for index, one in enumerate(saliency):
        row, column = np.unravel_index(one.argmax(), one.shape)
        near = np.exp(-((y[:, None] - y[row]) ** 2 + (x - x[column]) ** 2) / (2 * SIGMA_HEIGHTS**2))
        result[index] = 2 ** (-FOVEA_QP * (1 - near) / 3)
    return result


KINDS: dict[str, Callable[[FloatArray, VideoInfo], FloatArray]] = {"box": box, "peak": peak}


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    add_clip_arguments(parser, "all")
    parser.add_argument("--maps", type=Path, required=True, help="folder of CLIP.mkv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the folders of maps")
    given = parser.parse_args()
    for video in clip_files(given.data, given.split, given.clips):
        source = MapFileSource(given.maps / f"{video.stem}.mkv")
        clip = read_clip(video, source.spec)
        track = source.attend(clip)
        for kind, made in KINDS.items():
            (given.out / kind).mkdir(parents=True, exist_ok=True)
            with MapWriter(given.out / kind / f"{video.stem}.mkv", clip.video, {"STCODEC_SOURCE": kind}) as writer:
                writer.write(replace(track, saliency=made(track.saliency, clip.video)))
        print(video.stem, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
