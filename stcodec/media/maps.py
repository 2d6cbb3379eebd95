"""Reads saliency maps from what other programs make: a video of any codec, a folder of pictures, one picture.

Times here are seconds since the start of the video that the maps belong to (`VideoInfo.start_seconds`).
`MapWriter`, of `stcodec.media.map_writer`, is the way back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.limits import limits
from stcodec.media.map_writer import FRAME_TAG, MAPS_TAG, MapWriter
from stcodec.media.open_input import open_input
from stcodec.media.paths import display_name, file_error
from stcodec.media.pictures import LumaReader, find_pictures, read_picture
from stcodec.media.probe import duration_seconds, main_video
from stcodec.media.timestamps import BestEffortPts
from stcodec.types import FloatArray

__all__ = ["MapReader", "MapWriter", "read_maps"]

_PROBED_PACKETS = 64


def read_maps(
    path: str | os.PathLike[str], *, fps: float | None = None, duration_seconds: float | None = None
) -> Iterator[tuple[float, FloatArray]]:
    """The maps of a file one after another, as `MapReader.maps` gives them."""
    return MapReader(path, fps=fps).maps(duration_seconds)


class MapReader:
    """Maps in a file: a video (its luma), a folder of pictures, `maps/%04d.png`, or one picture.

    What is known without reading it all stands in the fields; `maps` may be called again and again.
    Raises MediaError if the file is missing, broken or holds no picture.
    """

    def __init__(self, path: str | os.PathLike[str], *, fps: float | None = None) -> None:
        """fps: rate of pictures, 1/s; without it they spread evenly over the video. A video has its own times."""
        if fps is not None and not 0 < fps < float("inf"):
            raise MediaError(f"fps is {fps:g}: it must be a number greater than 0")
        self.name = display_name(path)
        """The path, printable."""
        self.tags: dict[str, str] = {}
        """The container's metadata; empty for pictures."""
        self.maps_per_second: float | None = fps
        """The file's own rate (median of its first maps); 0 = one map only; None = pictures of no given rate."""
        self.duration_seconds: float | None = None
        """None if the file does not say, or has no times."""
        self.shot_starts_seconds: tuple[float, ...] = ()
        """Starts of shots; empty for files that MapWriter did not make."""
        self._path = path
        self._luma = LumaReader()
        self._fps = fps
        self._pictures = find_pictures(path)
        if self._pictures is None and self._is_picture():
            self._pictures = [Path(path)]
        if self._pictures is None:
            self.frame_size = self._probe_video()
            """(width, height) in px that the maps cover: the tagged display size of the video, else the maps' own."""
        else:
            self.frame_size = self._probe_pictures(self._pictures)

    @property
    def is_static(self) -> bool:
        """True for a single picture: one map for the whole video."""
        return self._pictures is not None and len(self._pictures) == 1

    @property
    def is_ours(self) -> bool:
        """True for a file that MapWriter made: its times count from the start of the video."""
        return MAPS_TAG in self.tags

    def maps(self, duration_seconds: float | None = None) -> Iterator[tuple[float, FloatArray]]:
        """(time in seconds, map [h, w] float32 in [0, 1]), times increasing strictly; one map in memory at a time.

        duration_seconds: what pictures without a rate spread over. In a video that MapWriter did not make the first
        map is at 0, as in a player.
        """
        shape: tuple[int, ...] | None = None
        found = self._video_maps() if self._pictures is None else self._picture_maps(self._pictures, duration_seconds)
        for pts, saliency in found:
            shape = shape or saliency.shape
            if saliency.shape != shape:
                raise MediaError(
                    f"{self.name}: the map at {pts:.3f} s has {saliency.shape[1]}x{saliency.shape[0]} px, those before "
                    f"have {shape[1]}x{shape[0]}: all must have one size"
                )
            yield pts, saliency

    def _probe_pictures(self, pictures: list[Path]) -> tuple[int, int]:
        height, width = read_picture(pictures[0], self._luma).shape
        if len(pictures) == 1:
            self.maps_per_second = 0.0
        elif self._fps is not None:
            self.duration_seconds = len(pictures) / self._fps
        return width, height

    def _picture_maps(self, pictures: list[Path], duration_seconds: float | None) -> Iterator[tuple[float, FloatArray]]:
        span = len(pictures) / self._fps if self._fps else duration_seconds
        if span is None and len(pictures) > 1:
            raise MediaError(
                f"{self.name}: {len(pictures)} pictures have no times, and how long the video lasts is not known: "
                "give fps, or make a video of them"
            )
        for index, picture in enumerate(pictures):
            yield index * (span or 0.0) / len(pictures), read_picture(picture, self._luma)

    def _is_picture(self) -> bool:
        """True for a picture whose name does not end like one."""
        container, _ = self._open()
        with container:
            return container.format.name.endswith("_pipe")

    def _probe_video(self) -> tuple[int, int]:
        container, stream = self._open()
        with container:
            self.tags = dict(container.metadata)
            try:
                first, times = _probe_packets(container, stream)
            except (FFmpegError, OSError) as error:
                raise file_error(self.name, "no map can be decoded", error) from None
            if first is None:
                raise MediaError(f"{self.name}: no map can be decoded")
            self.maps_per_second = _rate(times)
            self.duration_seconds = duration_seconds(container, stream)
            if self.is_ours:
                chapters = container.chapters()
                self.shot_starts_seconds = tuple(float(one["start"] * (one["time_base"] or 0)) for one in chapters)
            return _parse_size(self.tags.get(FRAME_TAG, "")) or (first.width, first.height)

    def _video_maps(self) -> Iterator[tuple[float, FloatArray]]:
        container, stream = self._open()
        with container:
            tick = float(stream.time_base or 1)
            step = 1 / self.maps_per_second if self.maps_per_second else tick
            timed = BestEffortPts(round(step / tick))
            origin = 0.0 if self.is_ours else None
            end, count = 0.0, 0
            for frame in self._decode(container, stream):
                pts = timed(frame.pts, frame.dts) * tick
                origin = pts if origin is None else origin
                end, count = pts - origin + max(step, (frame.duration or 0) * tick), count + 1
                yield pts - origin, self._luma(frame)
            self._check_end(count, end)

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        count = 0
        try:
            for frame in container.decode(stream):
                count += 1
                yield frame
        except (FFmpegError, OSError) as error:
            raise file_error(self.name, f"damaged after {count} maps", error) from None

    def _check_end(self, count: int, end: float) -> None:
        promised = self.duration_seconds
        if promised is not None and promised - end > max(0.5, 0.05 * promised):
            raise MediaError(
                f"{self.name}: ends after {count} maps, at {end:.2f} s of the {promised:.2f} s that its header "
                "promises: it is cut short or damaged"
            )

    def _open(self) -> tuple[InputContainer, VideoStream]:
        container = open_input(self._path, what="not a video or picture")
        stream = main_video(container)
        if stream is None:
            kinds = ", ".join(sorted({one.type for one in container.streams})) or "nothing"
            container.close()
            raise MediaError(f"{self.name}: has no video to read maps from (it holds {kinds})")
        stream.codec_context.thread_count = 1
        stream.codec_context.options = limits().decoder_options
        return container, stream


def _probe_packets(container: InputContainer, stream: VideoStream) -> tuple[VideoFrame | None, list[float]]:
    """The first frame that decodes, and the presentation times of the first packets in order, in seconds."""
    first: VideoFrame | None = None
    times: list[float] = []
    for packet in container.demux(stream):
        if packet.pts is not None and stream.time_base is not None:
            times.append(float(packet.pts * stream.time_base))
        if first is None:
            first = next(iter(stream.decode(packet)), None)
        if first is not None and len(times) >= _PROBED_PACKETS:
            break
    return first, sorted(set(times))


def _rate(times: list[float]) -> float:
    """Maps per second; 0 if there is one."""
    if len(times) < 2:
        return 0.0
    gaps = np.diff(times)
    usual = np.sort(gaps)[len(gaps) // 2]
    # Averaged over the jitter of times that were rounded to 1 ms.
    return 1 / float(gaps[np.abs(gaps - usual) <= 0.0015].mean())


def _parse_size(text: str) -> tuple[int, int] | None:
    width, _, height = text.partition("x")
    return (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None
