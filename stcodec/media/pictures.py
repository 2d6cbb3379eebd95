"""Still pictures: the luma of those on disk (a folder, a numbered sequence, or one), and RGB written as WebP."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from stcodec.errors import MediaError
from stcodec.media.open_input import open_input
from stcodec.media.paths import check_input, display_name, file_error, local_url
from stcodec.types import FloatArray

_REC601 = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B (ITU-R BT.601), those of JPEG and PNG viewers."""


class LumaReader:
    """Turns frames into luma; keeps its scaler from frame to frame."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> FloatArray:
        """[h, w] float32 in [0, 1], exact for 8- and 16-bit gray.

        Untagged gray is full range, untagged YUV limited, as in swscale. RGB, palettes and gray with transparency are
        seen over black: a mask drawn white on transparent means what it shows.
        """
        layout = frame.format
        # pal8 and gray with alpha lose up to a level in swscale's way to gray.
        if layout.is_rgb or layout.name == "pal8" or len(layout.components) == 2:
            return self._over_black(frame)
        gray = self._array(frame, "gray16le") / np.float32(65535)
        if layout.name.startswith("gray") and frame.color_range == ColorRange.MPEG:
            # swscale takes gray as full range whatever the tag says.
            gray = (gray * 255 - 16) / 219
        luma: FloatArray = np.clip(gray, 0, 1).astype(np.float32, copy=False)
        return luma

    def _over_black(self, frame: VideoFrame) -> FloatArray:
        # From 8 to 16 bits swscale shifts instead of scaling, so white would turn 0.996: each depth stays its own.
        deep = frame.format.components[0].bits > 8
        rgba = self._array(frame, "rgba64le" if deep else "rgba") / np.float32(65535 if deep else 255)
        return np.clip(rgba[..., :3] @ _REC601 * rgba[..., 3], 0, 1).astype(np.float32, copy=False)

    def _array(self, frame: VideoFrame, pix_fmt: str) -> FloatArray:
        pixels: FloatArray = self._scaler.reformat(frame, format=pix_fmt, threads=1).to_ndarray().astype(np.float32)
        return pixels


SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp"})
"""File name endings, in lower case, that are taken for pictures."""


def find_pictures(path: str | os.PathLike[str]) -> list[Path] | None:
    """The pictures that a path stands for, in order; None if it is another kind of file.

    A folder stands for the pictures in it, in the order of their names, numbers in them counted as numbers. A path
    that does not exist and whose last part holds one `%d` or `%04d` stands for the numbered files, gaps allowed.
    Raises MediaError if there is no such file or no picture.
    """
    local_url(path)
    file = Path(path)
    if file.is_dir():
        return _in_folder(file)
    if not file.exists() and (pattern := _as_pattern(file.name)) is not None:
        return _numbered(file, pattern)
    check_input(path)
    return [file] if file.suffix.lower() in SUFFIXES else None


def read_picture(path: Path, luma: LumaReader) -> FloatArray:
    """The luma of a picture, [h, w] float32 in [0, 1]. Raises MediaError."""
    try:
        # The bytes, not the name: libav takes some names of pictures for patterns ("%d", "*").
        content = check_input(path).read_bytes()
        with open_input(content, name=os.fspath(path), what="not a picture that can be read") as container:
            frame = next(container.decode(video=0), None) if container.streams.video else None
    except (FFmpegError, OSError) as error:
        raise file_error(path, "not a picture that can be read", error) from None
    if frame is None:
        raise MediaError(f"{display_name(path)}: not a picture (it holds no image)", path=path)
    return luma(frame)


def _in_folder(folder: Path) -> list[Path]:
    found = [one for one in _listing(folder) if one.suffix.lower() in SUFFIXES and not one.name.startswith(".")]
    if not found:
        kinds = " ".join(sorted(SUFFIXES))
        raise MediaError(f"{display_name(folder)}: the folder holds no picture (looked for {kinds})", path=folder)
    return sorted(found, key=lambda one: [int(part) if part.isdecimal() else part for part in _split(one.name)])


def _numbered(file: Path, pattern: re.Pattern[str]) -> list[Path]:
    matches = [(int(match[1]), one) for one in _listing(file.parent) if (match := pattern.fullmatch(one.name))]
    if not matches:
        raise MediaError(
            f"{display_name(file)}: no such file, and as a pattern for numbered pictures it matches nothing in "
            f"{display_name(file.parent)}",
            path=file,
        )
    return [one for _, one in sorted(matches)]


def _as_pattern(name: str) -> re.Pattern[str] | None:
    """A regular expression for a name with one %d, %4d or %04d in it ("%%" is a percent sign)."""
    parts = re.split(r"%0?(\d*)d", name.replace("%%", "\0"))
    if len(parts) != 3:
        return None
    before, digits, after = (part.replace("\0", "%") for part in parts)
    number = rf"([0-9]{{{int(digits or 1)},}})"
    return re.compile(re.escape(before) + number + re.escape(after), re.DOTALL)


def _listing(folder: Path) -> list[Path]:
    try:
        return [one for one in folder.iterdir() if one.is_file()]
    except OSError as error:
        raise file_error(folder, "the folder can't be read", error) from None


def _split(name: str) -> list[str]:
    """Text and numbers by turns, text first, so that names can be compared part by part."""
    return re.split(r"([0-9]+)", name)


STILL_SUFFIX = ".webp"


def write_still(path: Path, rgb: NDArray[np.uint8], quality: int = 75) -> None:
    """Write a picture, uint8 [H, W, 3]; quality: 0 to 100, libwebp's. Raises MediaError."""
    try:
        path.write_bytes(still_bytes(rgb, quality))
    except (FFmpegError, OSError) as error:
        raise file_error(path, "the picture can't be written", error) from None


def still_bytes(rgb: NDArray[np.uint8], quality: int = 75, effort: int = 4) -> bytes:
    """The file of a picture, uint8 [H, W, 3]; effort: 0 (quick) to 6 (small), libwebp's. Raises FFmpegError."""
    context = av.CodecContext.create("libwebp", "w")
    assert isinstance(context, VideoCodecContext)
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuv420p", threads=1)
    frame.pts = 0
    context.width, context.height, context.pix_fmt = frame.width, frame.height, "yuv420p"
    context.time_base = Fraction(1)
    context.options = {"quality": str(quality), "compression_level": str(effort)}
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
