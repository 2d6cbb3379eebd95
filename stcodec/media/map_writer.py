"""Writes saliency maps as a file that other programs open: gray FFV1 in Matroska."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from stcodec.errors import MediaError
from stcodec.media.paths import display_name, file_error, local_url
from stcodec.types import FloatArray, SaliencyTrack, VideoInfo

if TYPE_CHECKING:
    from av.container.core import Chapter

_TICK = Fraction(1, 1000)
"""Seconds: Matroska's time step."""
MAPS_TAG = "STCODEC_MAPS"
"""Marks a file as ours (value: number of the layout): its times are exact and its chapters are shots."""
FRAME_TAG = "STCODEC_FRAME"
"""Display size of the frames that the maps cover, "1280x720"; the maps' own shape may be rounded to blocks."""
_LAYOUT = "1"


class MapWriter:
    """Writes maps as 8-bit gray FFV1 in Matroska, each a key frame that is shown until the next one's time.

    Values are rounded to n / 255 (error at most 1 / 510); times, since the start of the video, to 1 ms (error at most
    0.5 ms; instants that fall on one millisecond are moved on to the next). The starts of shots are chapters named
    "shot 1", "shot 2", ...; the frame rate in the header is nominal: that of the first two maps.
    Raises MediaError if the file can't be written. The caller sees to temporary names.
    """

    def __init__(
        self, path: str | os.PathLike[str], video: VideoInfo, tags: Mapping[str, str], name: str | None = None
    ) -> None:
        """tags: provenance for the container's metadata, e.g. STCODEC_SOURCE, STCODEC_VERSION.

        name: what messages call the file, if the path is a temporary one.
        """
        self.name = name or display_name(path)
        self._url = local_url(path)
        self._video = video
        size = f"{video.display_width_px}x{video.display_height_px}"
        self._tags = {**tags, MAPS_TAG: _LAYOUT, FRAME_TAG: size}
        self._held: tuple[int, FloatArray] | None = None
        """The last map; it is written when its duration is known."""
        self._step = 40
        self._shots: list[int] = []
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        elif self._container is not None:
            with suppress(FFmpegError, OSError):  # what went wrong first is what counts
                self._container.close()

    def add(self, pts_seconds: float, saliency: FloatArray, shot_start: bool = False) -> None:
        """Add the map at a presentation time of the video; saliency [h, w] in [0, 1], one shape for all."""
        if saliency.ndim != 2 or (self._held is not None and saliency.shape != self._held[1].shape):
            expected = "[h, w]" if self._held is None else str(self._held[1].shape)
            raise MediaError(f"{self.name}: a map has the shape {saliency.shape}, not {expected}")
        if not np.isfinite(saliency).all():
            raise MediaError(f"{self.name}: the map at {pts_seconds:.3f} s has values that are not finite")
        ticks = round((pts_seconds - self._video.start_seconds) * 1000)
        if self._held is not None:
            ticks = max(ticks, self._held[0] + 1)
            self._step = ticks - self._held[0]
            self._flush(ticks)
        self._held = max(0, ticks), saliency
        if shot_start:
            self._shots.append(self._held[0])

    def write(self, track: SaliencyTrack) -> None:
        """Add all maps of a track."""
        for pts, saliency, start in zip(track.pts_seconds, track.saliency, track.shot_starts, strict=True):
            self.add(float(pts), saliency, bool(start))

    def close(self) -> None:
        """Write what is held back and finish the file; the last map lasts until the end of the video."""
        if self._held is None:
            raise MediaError(f"{self.name}: there is no map to write")
        end = round((self._video.sure_duration_seconds or 0) * 1000)
        if end <= self._held[0]:
            end = self._held[0] + self._step
        self._flush(end)
        assert self._container is not None
        self._container.set_chapters([self._chapter(number, end) for number in range(len(self._shots))])
        try:
            self._container.close()
        except (FFmpegError, OSError) as error:
            raise self._failed(error) from None

    def _chapter(self, number: int, end: int) -> Chapter:
        following = self._shots[number + 1] if number + 1 < len(self._shots) else end
        title = {"title": f"shot {number + 1}"}
        return {"id": number + 1, "start": self._shots[number], "end": following, "time_base": _TICK, "metadata": title}

    def _flush(self, end: int) -> None:
        """Write the map that is held back; `end` is the tick at which it gives way."""
        assert self._held is not None
        start, saliency = self._held
        gray = np.rint(np.clip(saliency, 0, 1) * 255).astype(np.uint8)
        try:
            stream, container = self._open(gray.shape[1], gray.shape[0])
            frame = VideoFrame.from_ndarray(gray, format="gray")
            frame.pts, frame.time_base, frame.color_range = start, _TICK, ColorRange.JPEG
            for packet in stream.encode(frame):
                packet.duration = end - start
                container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise self._failed(error) from None

    def _open(self, width: int, height: int) -> tuple[VideoStream, OutputContainer]:
        if self._container is None or self._stream is None:
            # bitexact: the same maps give the same bytes (no random ids).
            self._container = av.open(self._url, "w", format="matroska", options={"fflags": "+bitexact"})
            self._container.metadata.update(self._tags)
            # Large pictures must be cut into slices, pictures one pixel wide can't be.
            slices = "1" if width <= 352 and height <= 288 else "4"
            options = {"level": "3", "g": "1", "slices": slices}
            stream = self._container.add_stream("ffv1", Fraction(1000, self._step), options)
            stream.width, stream.height, stream.pix_fmt = width, height, "gray"
            stream.time_base = stream.codec_context.time_base = _TICK
            stream.codec_context.color_range = ColorRange.JPEG
            stream.codec_context.thread_count = 1
            self._stream = stream
        return self._stream, self._container

    def _failed(self, error: FFmpegError | OSError) -> MediaError:
        return file_error(self.name, "the maps can't be written", error)
