"""Properties of a container's video, as a VideoInfo."""

from __future__ import annotations

import re
from fractions import Fraction

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stcodec.types import Colour, StreamInfo, VideoInfo

_CLOCK = re.compile(r"(\d{1,9}):(\d\d):(\d\d(?:\.\d{1,12})?)", re.ASCII)


def stream_codec(stream: Stream) -> str:
    """ffmpeg's codec name, or "unknown" for a stream that has no codec known to this build."""
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else "unknown"


def is_cover(stream: Stream) -> bool:
    """True for cover art: a picture that the container stores as a video stream."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def main_video(container: InputContainer) -> VideoStream | None:
    """The video stream that ffmpeg would choose, never cover art; None if there is none."""
    videos = [stream for stream in container.streams.video if not is_cover(stream) and stream.codec_context is not None]
    default = [stream for stream in videos if stream.disposition & av.stream.Disposition.default]
    return max(default or videos, key=lambda stream: stream.width * stream.height, default=None)


def video_info(container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
    """Everything known before the encode; the first frame tells what only the decoder knows (rotation, real format)."""
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    duration = duration_seconds(container, stream)
    frames = stream.frames or (round(duration * rate) if duration and rate else None)
    aspect = stream.sample_aspect_ratio
    return VideoInfo(
        width_px=first.width,
        height_px=first.height,
        time_base=stream.time_base or Fraction(1, 1000),
        frame_rate=rate,
        duration_seconds=duration,
        frames=frames,
        pix_fmt=first.format.name,
        bit_depth=first.format.components[0].bits,
        codec=stream_codec(stream),
        rotation_degrees=-round(first.rotation / 90) * 90 % 360,
        sample_aspect_ratio=aspect if aspect and aspect > 0 else None,
        colour=Colour(int(first.color_range), int(first.color_primaries), int(first.color_trc), int(first.colorspace)),
        streams=tuple(_stream_info(one) for one in container.streams),
        container=container.format.name,
        start_seconds=float((stream.start_time or 0) * (stream.time_base or 0)),
    )


def _stream_info(stream: Stream) -> StreamInfo:
    cover = stream.type == "video" and is_cover(stream)
    return StreamInfo(stream.index, stream.type, stream_codec(stream), stream.language, cover)


def duration_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """Duration of a stream, or of its container; None if neither says.

    Matroska's is that of the longest stream, which may be a subtitle without an end; of each there is a tag.
    """
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    whole = container.duration / av.time_base if container.duration else None
    tagged = _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))
    if whole is None or tagged is None:
        return whole
    own = int(tagged[1]) * 3600 + int(tagged[2]) * 60 + float(tagged[3])
    return min(whole, own) if own > 0 else whole
