"""A video of two unlike shots, and its attended quality computed without the code that searches for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import media
import numpy as np
from numpy.typing import NDArray

from stcodec.attention.center import center_density

Size = tuple[int, int]
SIZE: Size = (256, 144)
CUT = 27
FRAMES = 54
MAP_SHARE = 0.5
"""Of the guiding map in the weights, as docs/match.md has it."""


def make_two_shots(path: Path) -> Path:
    """27 frames of a photograph with a disc moving over it, 27 of a fractal that is zoomed into; 25 a second."""
    first = media.make_video(path.with_name("first.mkv"), size=SIZE, frames=CUT, options={"preset": "ultrafast", "qp": "0"})
    fractal = f"mandelbrot=size={SIZE[0]}x{SIZE[1]}:rate=25:end_scale=0.2:end_pts=60"
    joined = f"[1:v]trim=end_frame={FRAMES - CUT},format=yuv420p[b];[0:v]format=yuv420p[a];[a][b]concat=n=2:v=1"
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"]
    media.run_ffmpeg("-i", first, "-f", "lavfi", "-i", fractal, "-filter_complex", joined, *coding, path)
    return path


def make_map(path: Path) -> Path:
    """One picture: the left of the frame is attended."""
    picture = np.full((14, 24), 20, np.uint8)
    picture[3:11, 2:10] = 255
    cv2.imwrite(str(path), picture)
    return path


def weights(picture: Path, size: Size = SIZE, turns: int = 0) -> NDArray[np.float64]:
    """[height, width] weight of each pixel: the map and the centre prior, half and half, linear between their cells."""
    own = np.asarray(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), np.float64)
    blend = MAP_SHARE * own / own.sum() + (1 - MAP_SHARE) * center_density(*own.shape).astype(np.float64)
    blend = np.rot90(blend, turns)
    # OpenCV's linear interpolation is between the centres of cells, too, and constant beyond the outermost.
    pixels = cv2.resize(blend, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(pixels / pixels.sum(), np.float64)


def frame_errors(reference: Path, distorted: Path, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """[frames] weighted mean squared luma error."""
    pairs = zip(media.frames_of(reference), media.frames_of(distorted), strict=True)
    return np.array([float((weight * (one.astype(float) - other) ** 2).sum()) for one, other in pairs])


def decibels(errors: NDArray[np.float64] | Sequence[float]) -> float:
    """EWPSNR of frames."""
    return float(10 * np.log10(255**2 / np.mean(errors)))
