"""Synthetic clips whose motion is known: a photograph under a moving camera, and a cut-out of another moving on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from stcodec.attention.base import AttentionSource, concatenate
from stcodec.types import Clip, FloatArray, SaliencyTrack, VideoInfo

WIDTH, HEIGHT = 160, 90
FRAME_WIDTH, FRAME_HEIGHT = 1280, 720
BLOCK_PX = 16
VIDEO = VideoInfo(FRAME_WIDTH, FRAME_HEIGHT, Fraction(1, 600), Fraction(30), None, None, "yuv420p", 8, "h264")

Matrix = NDArray[np.float64]
Camera = Callable[[float], Matrix]


@dataclass(frozen=True)
class Disc:
    """A round cut-out moving over the frame; positions in frame widths."""

    x: float
    y: float
    speed_x: float
    radius: float = 0.08

    def centre(self, seconds: float) -> tuple[float, float]:
        return self.x + self.speed_x * seconds, self.y


def still(seconds: float) -> Matrix:
    """The view of a camera at rest: from frame widths about the centre to the photograph's, [2, 3]."""
    return np.array([[1, 0, 0], [0, 1, 0]], np.float64)


def pan(speed_x: float, speed_y: float = 0.0) -> Camera:
    """Frame widths per second."""
    return lambda t: np.array([[1, 0, speed_x * (t - 0.5)], [0, 1, speed_y * (t - 0.5)]])


def zoom(rate: float) -> Camera:
    """Grows by a factor of e^rate per second."""
    return lambda t: np.array([[np.exp(-rate * t), 0, 0], [0, np.exp(-rate * t), 0]])


def shake(amplitude: float) -> Camera:
    """Hand-held: a jitter of position and roll that is new at every instant."""

    def view(t: float) -> Matrix:
        rng = np.random.default_rng(round(t * 1000))
        x, y, roll = rng.normal(0, amplitude, 3)
        return np.array([[np.cos(roll), -np.sin(roll), x], [np.sin(roll), np.cos(roll), y]])

    return view


def times(count: int = 7, rate: float = 6) -> NDArray[np.float64]:
    return np.arange(count) / rate


def video(photo: str, camera: Camera, at: NDArray[np.float64], disc: Disc | None = None) -> NDArray[np.uint8]:
    """Thumbnails [T, HEIGHT, WIDTH, 3], anti-aliased from twice the size."""
    background, foreground = _photo(photo), _photo("chelsea")
    return np.stack([_frame(background, foreground, camera, t, disc) for t in at])


def _photo(name: str) -> NDArray[np.uint8]:
    """A colour photograph that scikit-image ships."""
    return np.asarray(getattr(data, name)(), np.uint8)


def _frame(
    background: NDArray[np.uint8], foreground: NDArray[np.uint8], camera: Camera, t: float, disc: Disc | None
) -> NDArray[np.uint8]:
    picture = _view(background, camera(t), 0.55)
    if disc is not None:
        x, y = disc.centre(t)
        moved = np.array([[1, 0, -(x - 0.5)], [0, 1, -(y - HEIGHT / WIDTH / 2)]])
        inside = np.zeros(picture.shape[:2], np.float32)
        width = picture.shape[1]
        cv2.circle(inside, (round(x * width * 16), round(y * width * 16)), round(disc.radius * width * 16), 1, -1, 16, 4)
        picture = picture + inside[..., None] * (_view(foreground, moved, 0.7) - picture)
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(np.rint(small), 0, 255), np.uint8)


def _view(photo: NDArray[np.uint8], matrix: Matrix, share: float) -> NDArray[np.float32]:
    """The photograph, `share` of its width filling the frame, as seen through matrix."""
    width, height = 2 * WIDTH, 2 * HEIGHT
    scale = share * photo.shape[1] / width  # px of the photograph per px of the picture
    blurred = cv2.GaussianBlur(photo.astype(np.float32), (0, 0), max(0.5 * scale, 0.3))
    to_unit = np.array([[1 / width, 0, (0.5 - width / 2) / width], [0, 1 / width, (0.5 - height / 2) / width], [0, 0, 1]])
    size = share * photo.shape[1]
    to_photo = np.array([[size, 0, photo.shape[1] / 2], [0, size, photo.shape[0] / 2], [0, 0, 1]])
    full = to_photo @ np.vstack([matrix, [0, 0, 1]]) @ to_unit
    return np.asarray(
        cv2.warpAffine(
            blurred, full[:2], (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
        ),
        np.float32,
    )


def vectors(camera: Camera, at: NDArray[np.float64], disc: Disc | None = None, noise_px: float = 0.25) -> FloatArray:
    """What an encoder would have found: [T, rows, cols, 2] px/s, to a quarter of a pixel, a few blocks without any."""
    rows, cols = -(-FRAME_HEIGHT // BLOCK_PX), -(-FRAME_WIDTH // BLOCK_PX)
    x = (np.arange(cols) + 0.5) * BLOCK_PX / FRAME_WIDTH
    y = (np.arange(rows) + 0.5) * BLOCK_PX / FRAME_WIDTH
    grid = np.stack(np.meshgrid(x, y), axis=2)
    about = grid - [0.5, FRAME_HEIGHT / FRAME_WIDTH / 2]
    rng = np.random.default_rng(5)
    out = np.full((len(at), rows, cols, 2), np.nan, np.float32)
    for index, (before, now) in enumerate(pairwise(at), start=1):
        in_photo = about @ camera(now)[:, :2].T + camera(now)[:, 2]
        origin = (in_photo - camera(before)[:, 2]) @ np.linalg.inv(camera(before)[:, :2]).T
        travel = about - origin
        if disc is not None:
            covered = np.linalg.norm(grid - disc.centre(now), axis=2) < disc.radius
            travel[covered] = np.subtract(disc.centre(now), disc.centre(before))
        px = travel * FRAME_WIDTH + rng.normal(0, noise_px, travel.shape)
        out[index] = np.rint(px * 4) / 4 / (now - before)
        out[index][rng.random((rows, cols)) < 0.05] = np.nan
    return out


def clip(
    at: NDArray[np.float64],
    thumbnails: NDArray[np.uint8] | None,
    motion_vectors: FloatArray | None = None,
    shots: tuple[int, ...] = (0,),
    video: VideoInfo = VIDEO,
) -> Clip:
    return Clip(video, at, np.isin(np.arange(len(at)), shots), thumbnails, motion_vectors)


def scene(camera: Camera, disc: Disc | None, use_vectors: bool, photo: str = "coffee", count: int = 7) -> Clip:
    at = times(count)
    return clip(at, video(photo, camera, at, disc), vectors(camera, at, disc) if use_vectors else None)


def pieces(whole: Clip, cuts: set[int]) -> list[Clip]:
    """The same instants in several clips."""
    edges = sorted({0, len(whole), *cuts})
    return [part(whole, first, last) for first, last in pairwise(edges)]


def part(whole: Clip, first: int, last: int) -> Clip:
    """Some of the instants."""
    kept = slice(first, last)
    return replace(
        whole,
        pts_seconds=whole.pts_seconds[kept],
        shot_starts=whole.shot_starts[kept],
        thumbnails=None if whole.thumbnails is None else whole.thumbnails[kept],
        motion_vectors=None if whole.motion_vectors is None else whole.motion_vectors[kept],
    )


def attend_in_pieces(source: AttentionSource, whole: Clip, cuts: set[int]) -> SaliencyTrack:
    session = source.open(whole.video)
    tracks = [session.attend(part) for part in pieces(whole, cuts)]
    last = session.finish()
    return concatenate([*tracks, *([] if last is None else [last])])


def densities(track: SaliencyTrack) -> NDArray[np.float64]:
    """[T, h, w], each of sum 1."""
    saliency = track.saliency.astype(np.float64)
    return np.asarray(saliency / saliency.sum(axis=(1, 2), keepdims=True))
