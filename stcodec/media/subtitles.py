"""Text subtitles rewritten for a container that has another format for them."""

from __future__ import annotations

from typing import Any

from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from stcodec.media.probe import stream_codec

PICTURE_SUBTITLES = frozenset(
    (
        *("dvbsub", "dvb_subtitle", "pgssub", "hdmv_pgs_subtitle", "dvdsub", "dvd_subtitle", "xsub"),
        *("dvb_teletext", "libzvbi_teletextdec"),
    )
)
"""Subtitles that are pictures, or that only a decoder of pictures makes text of."""
_TEXT = {"srt", "subrip", "ass", "ssa", "mov_text", "webvtt", "text"}
_TARGETS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}


class SubtitleConverter:
    """Rewrites one stream of text subtitles; what is said and when stays, styles may not.

    Raises ValueError if the subtitles are pictures or the container has no format of its own for text.
    """

    def __init__(self, container: OutputContainer, source: Stream) -> None:
        codec, target = stream_codec(source), _TARGETS.get(container.format.name)
        if codec in PICTURE_SUBTITLES:
            raise ValueError("pictures can't be made text here")
        if codec not in _TEXT or target is None or not isinstance(source, SubtitleStream):
            raise ValueError("it has no place for text")
        self._decoder = source.codec_context
        self._source = source
        stream = container.add_stream(target)
        assert isinstance(stream, SubtitleStream)
        self.stream = stream
        self.codec = target
        self.overlaps = 0
        """Cues that begin before the one before is over."""
        self._end = 0
        # The encoder wants the style header; a decoder has it once it is open.
        self._decoder.open(strict=False)
        stream.codec_context.subtitle_header = self._decoder.subtitle_header
        assert source.time_base is not None
        stream.codec_context.time_base = source.time_base
        stream.time_base = source.time_base

    def convert(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """The packet rewritten; none if it says nothing or can't be read."""
        try:
            found = self._decoder.decode2(packet)
            if found is None:
                return []
            rewritten = self.stream.codec_context.encode_subtitle(found)
        except (FFmpegError, ValueError):
            return []
        rewritten.time_base = packet.time_base
        rewritten.pts, rewritten.dts, rewritten.duration = packet.pts, packet.dts, packet.duration
        rewritten.stream = self.stream
        rewritten.is_keyframe = True
        if packet.pts is not None:
            self.overlaps += packet.pts < self._end
            self._end = max(self._end, packet.pts + (packet.duration or 0))
        return [rewritten]

    def finish(self) -> list[Packet[Any]]:
        """The packets still to come: none."""
        return []
