"""Draw the README's pictures from real encodes of the demo, into docs/: `python tools/make_pictures.py`.

pipeline.png: source, map, offsets, QP read back. pair.jpg: the default against the plain encode in files of one size, where
viewers look most, and where the default loses most.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stcodec import encode, open_source
from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.media.clips import read_clip
from stcodec.media.seek import frames_from
from stcodec.options import EncodeOptions, OffsetPolicy
from stcodec.pipeline.maps import smoothed
from stcodec.qp import MapTimeline, QpLaw
from stcodec.types import BlockGrid, FloatArray

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "demo.mp4"
KEYINT = 57
AT_SECONDS = KEYINT / 30
PANEL = (480, 270)
CROP = (240, 136)
PAIR_KBPS = 250
"""So few that differences are seen."""

Picture = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the README's pictures from real encodes of the demo.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder")
    given = parser.parse_args()
    attention = EncodeOptions().attention
    chosen = open_source(attention)
    assert chosen is not None
    source = smoothed(chosen, OffsetPolicy().smoothing_seconds)
    timeline = MapTimeline()
    timeline.push(source.attend(read_clip(DEMO, source.spec)))
    timeline.end()
    saliency = timeline.at(AT_SECONDS)
    assert saliency is not None
    with tempfile.TemporaryDirectory() as folder:
        steps(saliency, attention, Path(folder)).save(given.out / "pipeline.png", optimize=True)
        pair(saliency, Path(folder)).save(given.out / "pair.jpg", quality=90, optimize=True)


def steps(saliency: FloatArray, attention: str, folder: Path) -> Image.Image:
    """From the source to what is in the file."""
    grid = BlockGrid(1280, 720, 16)
    delta = QpLaw(grid, OffsetPolicy())(saliency)
    ours, plain = folder / "ours.mkv", folder / "plain.mkv"
    # A key frame at the chosen time: there every block is coded, so that every QP is one that the encoder chose.
    encode(DEMO, ours, crf=23, attention=attention, keyint=KEYINT)
    encode(DEMO, plain, crf=23, attention="none", keyint=KEYINT)
    panels = [
        ("1  the source", picture_at(DEMO)),
        (f"2  where viewers look ({attention})", over(picture_at(DEMO), heat(saliency / saliency.max()))),
        (f"3  QP offsets on 16 px blocks: {delta.min():+.1f} to {delta.max():+.1f}", signed(delta)),
        ("4  QP read back, less that of a plain encode", signed(read_back(ours, grid) - read_back(plain, grid))),
    ]
    return sheet(panels, columns=2)


def pair(saliency: FloatArray, folder: Path) -> Image.Image:
    """Source, plain encode and default in files of one size: where viewers look most, and where the default loses most."""
    files, sizes = [DEMO], [0]
    for attention in ("none", EncodeOptions().attention):
        files.append(folder / f"{attention}.pair.mkv")
        report = encode(DEMO, files[-1], bitrate_kbps=PAIR_KBPS, two_pass=True, attention=attention)
        sizes.append(report.video_bytes)
    assert abs(sizes[1] / sizes[2] - 1) < 0.01
    pictures = [picture_at(file) for file in files]
    luma = [picture.mean(axis=2) for picture in pictures]
    plain, ours = (cv2.blur((one - luma[0]) ** 2, CROP) for one in luma[1:])
    looked = cv2.blur(cv2.resize(saliency, pictures[0].shape[1::-1]), CROP)
    panels = []
    for where, score in (("source: most looked at", looked), ("source: largest loss", ours / plain)):
        y, x = middle_of_highest(score)
        names = [
            where,
            *(f"{name}, {size / 1000:.0f} kB" for name, size in zip(("plain", "default"), sizes[1:], strict=True)),
        ]
        psnr = ["", *(f": {10 * np.log10(255**2 / errors[y, x]):.1f} dB" for errors in (plain, ours))]
        rows = slice(y - CROP[1] // 2, y + CROP[1] // 2), slice(x - CROP[0] // 2, x + CROP[0] // 2)
        panels += [(name + db, picture[rows]) for name, db, picture in zip(names, psnr, pictures, strict=True)]
    return sheet(panels, columns=3)


def middle_of_highest(score: NDArray[Any]) -> tuple[int, int]:
    """Row and column of the highest value among the places about which a whole crop is in the picture."""
    across, down = CROP[0] // 2, CROP[1] // 2
    inner = score[down:-down, across:-across]
    row, column = np.unravel_index(inner.argmax(), inner.shape)
    return int(row) + down, int(column) + across


def picture_at(path: Path) -> Picture:
    """The frame at the chosen time, RGB."""
    with closing(frames_from(path, AT_SECONDS)) as frames:
        return np.asarray(next(frames).to_ndarray(format="rgb24"), np.uint8)


def read_back(path: Path, grid: BlockGrid) -> FloatArray:
    """QP of each block at the chosen time."""
    with closing(frames_from(path, AT_SECONDS, export=EXPORT)) as frames:
        blocks = qp_blocks(next(frames), grid)
    assert blocks is not None
    return blocks


def heat(values: FloatArray) -> Picture:
    """[0, 1] as cividis-like colours, readable for colour-blind eyes."""
    gray = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(gray, cv2.COLORMAP_CIVIDIS)[..., ::-1], np.uint8)


def over(picture: Picture, colours: Picture) -> Picture:
    """Colours laid over a grey picture."""
    large = cv2.resize(colours, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    gray = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(0.35 * gray + 0.65 * large, np.uint8)


def signed(values: FloatArray) -> Picture:
    """QP steps as colours: blue = better than plain, white = the same, orange = worse; full colour at 8 steps."""
    share = np.clip(np.nan_to_num(values) / 8, -1, 1)[..., None]
    better, worse, even = np.array([33, 102, 172]), np.array([230, 130, 30]), np.array([247, 247, 247])
    colours = np.where(share < 0, even + share * (even - better), even + share * (worse - even))
    return np.asarray(cv2.resize(colours.astype(np.uint8), (1280, 720), interpolation=cv2.INTER_NEAREST), np.uint8)


def sheet(panels: list[tuple[str, Picture]], columns: int) -> Image.Image:
    """Panels with captions, so many in a row."""
    font = ImageFont.load_default(size=15)
    width, height = PANEL
    rows = -(-len(panels) // columns)
    out = Image.new("RGB", (columns * (width + 8) - 8, rows * (height + 30)), "white")
    draw = ImageDraw.Draw(out)
    for number, (caption, picture) in enumerate(panels):
        x, y = number % columns * (width + 8), number // columns * (height + 30)
        draw.text((x + 2, y + 5), caption, fill="black", font=font)
        out.paste(Image.fromarray(picture).resize(PANEL, Image.Resampling.LANCZOS), (x, y + 26))
    return out


if __name__ == "__main__":
    main()
