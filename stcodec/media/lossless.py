"""A part of a video, scaled or not, as a file that holds exactly those pictures at exactly those times."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.codec import Codec
from av.codec.codec import find_best_pix_fmt_of_list
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from stcodec.media.decode import VideoReader
from stcodec.media.paths import file_error, local_url
from stcodec.media.scaling import Scaler

SUFFIX = ".mp4"
"""MP4 keeps any clock and the rotation (Matroska would round times to 1 ms)."""
_OF_X264 = ("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p")
"""Formats that libx264 keeps without loss in a third of the time that FFV1 takes to decode; others become FFV1."""
_X264_OPTIONS = {"qp": "0", "preset": "ultrafast"}
_FALLBACK_RATE = Fraction(25)
_LEAST_SIDE_PX = 16


def scaled_size(width_px: int, height_px: int, scale: float) -> tuple[int, int]:
    """The size of scaled pictures, px: even, at least 16; unscaled it stays as it is."""
    if scale == 1:
        return width_px, height_px
    return max(_LEAST_SIDE_PX, round(width_px * scale / 2) * 2), max(_LEAST_SIDE_PX, round(height_px * scale / 2) * 2)


def write_lossless(reader: VideoReader, path: Path, *, frames: int | None = None, scale: float = 1.0) -> int:
    """Write the first frames (all if None) of a video, averaged over areas where they shrink; how many there were.

    Times are the reader's, from 0. Raises MediaError if the video can't be read or the file not be written.
    """
    width, height = scaled_size(reader.info.width_px, reader.info.height_px, scale)
    scaler = Scaler(width, height)
    count, start = 0, None
    try:
        with av.open(local_url(path), "w", format="mp4") as container:
            stream = _add_stream(container, reader, width, height)
            _configure(stream, reader, width, height)
            for frame in islice(reader.frames(), frames):
                assert frame.pts is not None
                start = frame.pts if start is None else start
                if scale != 1:
                    frame = scaler(frame)  # noqa: PLW2901
                frame.pts = (frame.pts or 0) - start
                container.mux(stream.encode(frame))
                count += 1
            container.mux(stream.encode(None))
    except (FFmpegError, OSError, ValueError) as error:
        raise file_error(reader.path, "can't be copied without loss", error) from None
    return count


def _add_stream(container: OutputContainer, reader: VideoReader, width: int, height: int) -> VideoStream:
    rate = reader.info.frame_rate or _FALLBACK_RATE
    if reader.info.pix_fmt in _OF_X264 and width % 2 == 0 and height % 2 == 0:
        return container.add_stream("libx264", rate, _X264_OPTIONS)
    return container.add_stream("ffv1", rate)


def _same_without_loss(encoder: Codec, pix_fmt: str) -> str:
    """The format itself if an encoder takes it, else another that holds the same values: bgra for argb."""
    formats = [one.name for one in encoder.video_formats or ()]
    if pix_fmt in formats or pix_fmt.startswith("yuvj"):
        return pix_fmt
    nearest, _ = find_best_pix_fmt_of_list(formats, pix_fmt, True)
    return pix_fmt if nearest is None else nearest.name


def _configure(stream: VideoStream, reader: VideoReader, width: int, height: int) -> None:
    video, context = reader.info, stream.codec_context
    stream.width, stream.height, stream.pix_fmt = width, height, _same_without_loss(context.codec, video.pix_fmt)
    context.time_base = stream.time_base = video.time_base
    context.thread_count = 1
    if video.sample_aspect_ratio:
        context.sample_aspect_ratio = video.sample_aspect_ratio
    colour = video.colour
    context.color_range, context.color_primaries = colour.range, colour.primaries
    context.color_trc, context.colorspace = colour.transfer, colour.space
    if video.rotation_degrees:
        stream.set_display_rotation(-video.rotation_degrees)
