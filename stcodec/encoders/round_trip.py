"""Frames through an encoder and straight back: what a viewer of the encode would see, without a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import av
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.session import EncoderSession
from stcodec.errors import EncoderError
from stcodec.types import FloatArray

Pair = tuple[VideoFrame, VideoFrame]
"""A frame as the encoder took it (in the plan's pixel format), and as it is decoded."""


class AsEncoded:
    """Frames in the pixel format that an encoder is given them in."""

    def __init__(self, plan: EncoderPlan) -> None:
        self._pix_fmt = plan.pix_fmt
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame itself if it has that format."""
        if frame.format.name == self._pix_fmt:
            return frame
        pts, time_base = frame.pts, frame.time_base
        taken = self._scaler.reformat(frame, format=self._pix_fmt)
        taken.pts, taken.time_base = pts, time_base
        return taken


class RoundTrip:
    """An encoder with its decoder behind it. Frames wait, undisturbed, until their pictures come out."""

    def __init__(self, plan: EncoderPlan) -> None:
        self._plan = plan
        self._session = EncoderSession(plan)
        decoder = av.CodecContext.create(plan.encoder.decoder or plan.encoder.codec, "r")
        assert isinstance(decoder, VideoCodecContext)
        self._decoder = decoder
        self._as_encoded = AsEncoded(plan)
        self._waiting: dict[int, VideoFrame] = {}
        self.video_bytes = 0
        """Of the packets so far."""
        self.sizes: dict[int, int] = {}
        """Of each packet, bytes, by its pts."""

    def send(
        self, frame: VideoFrame, delta_qp: FloatArray | None, shift_qp: float = 0.0, *, key: bool = False
    ) -> list[Pair]:
        """Take a frame with its offsets as `EncoderSession.send` does; the pairs that are ready, in order of time."""
        taken = self._as_encoded(frame)
        assert taken.pts is not None
        self._waiting[taken.pts] = taken
        return self._back(self._session.send(taken, delta_qp, shift_qp=shift_qp, key=key))

    def flush(self) -> list[Pair]:
        """The pairs still under way. Raises EncoderError if a frame did not come back."""
        pairs = self._back(self._session.flush()) + self._pairs(self._decode(None))
        if self._waiting:
            raise EncoderError(f"{self._plan.encoder.name}: {len(self._waiting)} frames did not come back from the decoder")
        return pairs

    def _back(self, packets: Iterable[Packet[Any]]) -> list[Pair]:
        pairs = []
        for packet in packets:
            self.video_bytes += packet.size
            if packet.pts is not None:
                self.sizes[packet.pts] = packet.size
            pairs += self._pairs(self._decode(packet))
        return pairs

    def _decode(self, packet: Packet[Any] | None) -> list[VideoFrame]:
        try:
            return self._decoder.decode(packet)
        except (FFmpegError, OSError) as error:
            raise EncoderError(
                f"{self._plan.encoder.name}: its output can't be decoded ({error.strerror or error})"
            ) from None

    def _pairs(self, decoded: Iterable[VideoFrame]) -> list[Pair]:
        return [(self._waiting.pop(frame.pts), frame) for frame in decoded if frame.pts in self._waiting]
