"""Pictures as H.264 that browsers play: 8 bits, 4:2:0, so fine that nobody sees what the encoder did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec.media.paths import file_error, local_url
from stcodec.media.planes import Plane, is_full_range
from stcodec.types import Colour, VideoInfo

PLAYABLE_PIX_FMT = "yuv420p"
_FALLBACK_RATE = Fraction(25)


def write_playable(
    pictures: Iterable[tuple[int, Sequence[Plane]]], path: Path, video: VideoInfo, colour: Colour, qp: int
) -> None:
    """Write an MP4 of pictures: their times, in ticks of the video that they come from, and planes with even sides.

    The first is shown at 0. colour: the tags to show them by. Raises MediaError.
    """
    try:
        with av.open(local_url(path), "w", format="mp4", container_options={"movflags": "+faststart"}) as container:
            stream = _add_stream(container, video, colour, qp)
            start = None
            for pts, planes in pictures:
                start = pts if start is None else start
                frame = _frame(planes)
                frame.pts, frame.time_base = pts - start, video.time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (FFmpegError, OSError, ValueError) as error:
        raise file_error(path, "can't be written", error) from None


def _frame(planes: Sequence[Plane]) -> VideoFrame:
    height, width = planes[0].shape
    flat = np.concatenate([plane.reshape(-1) for plane in planes])
    return VideoFrame.from_ndarray(flat.reshape(height * 3 // 2, width), format=PLAYABLE_PIX_FMT)


def _add_stream(container: OutputContainer, video: VideoInfo, colour: Colour, qp: int) -> VideoStream:
    # Key frames at the same QP; no CABAC, so that any machine plays the many bits without dropping frames; no B-frames, so
    # that no player has to know where the first picture lies.
    options = {"preset": "veryfast", "x264-params": f"qp={qp}:ipratio=1:bframes=0:cabac=0"}
    stream = container.add_stream("libx264", video.frame_rate or _FALLBACK_RATE, options)
    stream.width, stream.height, stream.pix_fmt = video.width_px // 2 * 2, video.height_px // 2 * 2, PLAYABLE_PIX_FMT
    context = stream.codec_context
    context.time_base = stream.time_base = video.time_base
    if video.sample_aspect_ratio:
        context.sample_aspect_ratio = video.sample_aspect_ratio
    context.color_range = 2 if is_full_range(video) else 1
    context.color_primaries, context.color_trc, context.colorspace = colour.primaries, colour.transfer, colour.space
    if video.rotation_degrees:
        stream.set_display_rotation(-video.rotation_degrees)
    return stream
