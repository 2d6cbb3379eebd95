"""Draw the README's picture from a real encode of the demo: source, map, offsets, QP read back, result.

python tools/make_pictures.py [--out docs/pipeline.png]
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

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

Picture = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the README's picture from a real encode of the demo.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pipeline.png")
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
    grid = BlockGrid(1280, 720, 16)
    delta = QpLaw(grid, OffsetPolicy())(saliency)
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = Path(folder) / "ours.mkv", Path(folder) / "plain.mkv"
        # A key frame at the chosen time: there every block is coded, so that every QP is one that the encoder chose.
        report = encode(DEMO, ours, crf=23, attention=attention, keyint=KEYINT)
        without = encode(DEMO, plain, crf=23, attention="none", keyint=KEYINT)
        panels = [
            ("1  the source", picture_at(DEMO)),
            (f"2  where viewers look ({attention})", over(picture_at(DEMO), heat(saliency / saliency.max()))),
            (f"3  QP offsets on 16 px blocks: {delta.min():+.1f} to {delta.max():+.1f}", signed(delta)),
            ("4  QP read back, less that of a plain encode", signed(read_back(ours, grid) - read_back(plain, grid))),
            (f"5  the result: {report.video_bytes / 1000:.0f} kB of video", picture_at(ours)),
            (f"6  the plain encode, same CRF: {without.video_bytes / 1000:.0f} kB", picture_at(plain)),
        ]
    sheet(panels).save(given.out, optimize=True)


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


def sheet(panels: list[tuple[str, Picture]]) -> Image.Image:
    """Panels with captions, three in a row."""
    font = ImageFont.load_default(size=15)
    width, height = PANEL
    rows = -(-len(panels) // 3)
    out = Image.new("RGB", (3 * (width + 8) - 8, rows * (height + 30)), "white")
    draw = ImageDraw.Draw(out)
    for number, (caption, picture) in enumerate(panels):
        x, y = number % 3 * (width + 8), number // 3 * (height + 30)
        draw.text((x + 2, y + 5), caption, fill="black", font=font)
        out.paste(Image.fromarray(picture).resize(PANEL, Image.Resampling.LANCZOS), (x, y + 26))
    return out


if __name__ == "__main__":
    main()
