"""Excerpts of a file that is compared, as files that browsers play picture for picture.

A file can't be cut at any frame without encoding its pictures again. They are encoded as H.264 of 8 bits, 4:2:0, so finely
that no plane of any picture differs from the decoded original by more than `LEAST_PSNR_DB` says; each is measured.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stcodec.errors import MediaError, VerifyError
from stcodec.media.decode import VideoReader
from stcodec.media.paths import display_name
from stcodec.media.planes import Plane, PlaneReader
from stcodec.media.playable import PLAYABLE_PIX_FMT, write_playable
from stcodec.types import Colour, VideoInfo
from stcodec.viewing.excerpts import Excerpt

LEAST_PSNR_DB = 50.0
"""Of each plane of each picture of an excerpt against the file that it was taken from, in the same 8 bits."""
_QPS = (8, 4, 1)
"""Tried in turn; 8 gives 52 dB and more on nearly everything."""
_HDR_TRANSFERS = (16, 18)
"""PQ and HLG, as ffmpeg numbers them."""
_BOX_BYTES = 8
"""Header of an MP4 box."""
_SLACK_SECONDS = 1e-3


class _DecodedPicture(NamedTuple):
    """A decoded picture of a file that is compared."""

    pts: int
    seconds: float
    planes: list[Plane]
    """8 bits, 4:2:0, even sides."""


@dataclass(frozen=True)
class CopiesTask:
    """The excerpts of one file to be written."""

    path: Path
    excerpts: tuple[Excerpt, ...]
    """In the order of the video, apart from each other."""
    targets: tuple[Path, ...]
    """A file for each."""
    colour: Colour
    """The reference's: all files that are compared are shown by the same."""

    def run(self) -> tuple[float, ...]:
        """Write them; the lowest PSNR of any plane of each excerpt, dB. Raises MediaError or VerifyError."""
        for qp in _QPS:
            self._write(qp)
            found = self._measured()
            if min(found) > LEAST_PSNR_DB:
                return found
        raise VerifyError(
            f"{display_name(self.path)}: an excerpt differs from its file by {min(found):.1f} dB at the finest setting "
            f"({LEAST_PSNR_DB:g} dB are needed): it can't be shown faithfully",
            path=self.path,
        )

    def _write(self, qp: int) -> None:
        with VideoReader(self.path) as reader:
            pictures = _pictures(reader, self.excerpts)
            for excerpt, target in zip(self.excerpts, self.targets, strict=True):
                run = islice(pictures, excerpt.frames)
                write_playable(((one.pts, one.planes) for one in run), target, reader.info, self.colour, qp)

    def _measured(self) -> tuple[float, ...]:
        with VideoReader(self.path) as reader:
            pictures = _pictures(reader, self.excerpts)
            return tuple(
                _least_psnr(islice(pictures, excerpt.frames), target)
                for excerpt, target in zip(self.excerpts, self.targets, strict=True)
            )


def check_shown(video: VideoInfo, name: str) -> None:
    """Raises MediaError for a video that no page shows as it is."""
    if video.colour.transfer in _HDR_TRANSFERS:
        raise MediaError(f"{name}: is HDR, and browsers show that as they like: convert all files to SDR, the same way")


def pad_alike(files: Sequence[Path]) -> None:
    """Give MP4 files one size and one time, so that these don't tell which is which; players skip what is added."""
    largest = max(file.stat().st_size for file in files)
    for path in files:
        length = largest + _BOX_BYTES - path.stat().st_size
        with path.open("ab") as file:
            file.write(length.to_bytes(4, "big") + b"free" + bytes(length - _BOX_BYTES))
        os.utime(path, (0, 0))


def _pictures(reader: VideoReader, excerpts: Sequence[Excerpt]) -> Iterator[_DecodedPicture]:
    """All frames of all excerpts."""
    planes = PlaneReader(PLAYABLE_PIX_FMT)
    frames, place = reader.frames(), 0
    for excerpt in excerpts:
        for frame in islice(frames, excerpt.first_frame - place, excerpt.end_frame - place):
            assert frame.pts is not None
            yield _DecodedPicture(frame.pts, frame.time, _even(planes(frame)))
        place = excerpt.end_frame


def _even(planes: Sequence[Plane]) -> list[Plane]:
    """Without the last line or column of an odd size, which H.264 has no half a chroma sample for."""
    height, width = planes[0].shape[0] // 2, planes[0].shape[1] // 2
    return [planes[0][: 2 * height, : 2 * width], *(plane[:height, :width] for plane in planes[1:])]


def _least_psnr(pictures: Iterator[_DecodedPicture], copy: Path) -> float:
    """The lowest PSNR of any plane, dB. Raises VerifyError unless each picture is there at its time."""
    least, start = math.inf, None
    with VideoReader(copy) as reader:
        planes, frames = PlaneReader(PLAYABLE_PIX_FMT), reader.frames()
        for wanted in pictures:
            start = wanted.seconds if start is None else start
            frame = next(frames, None)
            if frame is None or abs(frame.time - (wanted.seconds - start)) > _SLACK_SECONDS:
                raise VerifyError(f"an excerpt came out without its picture at {wanted.seconds:.3f} s")
            for one, other in zip(wanted.planes, planes(frame), strict=True):
                error = float(np.mean((one.astype(np.float32) - other) ** 2))
                least = min(least, math.inf if error == 0 else 10 * math.log10(255**2 / error))
    return least
