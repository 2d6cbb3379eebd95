"""Audio of a stream: AAC is copied, anything else is encoded to AAC; timed like the video."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from stcodec.stream.input.reader import AudioIn
from stcodec.stream.input.timeline import TICKS_PER_SECOND, StreamTimeline, to_ticks
from stcodec.stream.options import StreamOptions
from stcodec.stream.packet import LivePacket, Track

_AAC_RATES = 96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350
"""Sample rates by index in an AudioSpecificConfig (ISO/IEC 14496-3)."""
_FALLBACK_RATE = 48000
_SAMPLES = 1024
"""Samples in a packet of AAC."""
_LOOSE = TICKS_PER_SECOND // 40
"""Audio may come so much earlier or later than it should before silence is put in or samples are left out."""
_LONGEST_SILENCE = 10 * TICKS_PER_SECOND


class LiveAudio:
    """The one audio track of a stream, whatever the source gives, now and after it is opened again."""

    def __init__(self, stream: AudioStream, options: StreamOptions, index: int) -> None:
        self._index = index
        self._choice = options.audio
        self._options = options
        self._coder: _AudioCopy | _AacEncoder
        self._coder = _AudioCopy(stream) if self._can_copy(stream) else _AacEncoder(stream, options.audio_bitrate_kbps)
        self.track = self._coder.track

    def source_changed(self, stream: AudioStream | None) -> None:
        """Go on with a source that was opened again; audio of another format is encoded to the old one."""
        if stream is None:
            return
        if isinstance(self._coder, _AacEncoder):
            self._coder.source_changed(stream)
        elif not self._can_copy(stream) or _AudioCopy(stream).track != self.track:
            self._coder = _AacEncoder(stream, self._options.audio_bitrate_kbps, self.track)

    def packets(self, item: AudioIn, timeline: StreamTimeline, arrived: int | None) -> Iterator[LivePacket]:
        """Packets for the targets, from a packet of the source."""
        packet = item.packet
        base = packet.time_base or item.stream.time_base or Fraction(1, TICKS_PER_SECOND)
        rate = item.stream.sample_rate or _FALLBACK_RATE
        length = round((packet.duration or 0) * base * TICKS_PER_SECOND) or _SAMPLES * TICKS_PER_SECOND // rate
        source = None if packet.pts is None else round(packet.pts * base * TICKS_PER_SECOND)
        placed = timeline.place("audio", source, length, arrived)
        if placed is None:
            return
        for pts, data in self._coder.packets(packet, placed):
            if pts >= 0:
                yield self._packet(pts, data, item.arrived)

    def silence(self, timeline: StreamTimeline, until: int, now: float) -> Iterator[LivePacket]:
        """Silence from where the audio ended to a time of the stream: a gap would stop players, as one in the picture."""
        while (last := timeline.placed("audio")) is not None and last + 2 * self._length <= until:
            timeline.hold("audio", last + self._length, to_ticks(now))
            for pts, data in self._coder.silent(last + self._length):
                yield self._packet(pts, data, now)

    @property
    def _length(self) -> int:
        """Ticks of a packet."""
        return _SAMPLES * TICKS_PER_SECOND // self.track.sample_rate_hz

    def _packet(self, pts: int, data: bytes, arrived: float) -> LivePacket:
        return LivePacket(self._index, data, pts, pts, self._length, True, arrived)

    def _can_copy(self, stream: AudioStream) -> bool:
        context = stream.codec_context
        plain = context.name == "aac" and context.profile == "LC" and context.sample_rate in _AAC_RATES
        return self._choice == "auto" and plain and context.channels <= 2


class _AudioCopy:
    """AAC as it came, without the ADTS headers that MPEG-TS puts before each packet; gaps are filled with silence."""

    def __init__(self, stream: AudioStream) -> None:
        context = stream.codec_context
        config = bytes(context.extradata or b"") or _audio_specific_config(context.sample_rate, context.channels)
        self.track = _track(config, context.sample_rate, context.channels, context.bit_rate or 0)
        self._newest: int | None = None
        """Time of the last packet that was given."""

    def packets(self, packet: Packet[Any], placed: int) -> Iterator[tuple[int, bytes]]:
        """The packet, at its time, after as many of silence as are missing before it."""
        length = _SAMPLES * TICKS_PER_SECOND // self.track.sample_rate_hz
        if self._newest is not None and placed - self._newest <= _LONGEST_SILENCE:
            for missing in range(self._newest + length, placed - length + 1, length):
                yield from self.silent(missing)
        self._newest = placed
        yield placed, _without_adts(bytes(packet))

    def silent(self, placed: int) -> Iterator[tuple[int, bytes]]:
        """A packet of silence."""
        self._newest = placed
        yield placed, _silent_packet(self.track.sample_rate_hz, self.track.channels)


class _AacEncoder:
    """Decoded and encoded to AAC; gaps are filled with silence, so that sample counts are times."""

    def __init__(self, stream: AudioStream, bitrate_kbps: float, like: Track | None = None) -> None:
        rate = stream.sample_rate if stream.sample_rate in _AAC_RATES else _FALLBACK_RATE
        channels = min(2, max(1, stream.codec_context.channels))
        if like is not None:
            rate, channels = like.sample_rate_hz, like.channels
        layout = "mono" if channels == 1 else "stereo"
        encoder = _aac_encoder(rate, layout, bitrate_kbps)
        self._encoder = encoder
        self._rate, self._layout = rate, layout
        self._fifo = AudioFifo()
        self._resampler = AudioResampler("fltp", layout, rate)
        self._stream = stream
        self._start: int | None = None
        """Time of sample 0."""
        self._taken = self._given = 0
        """Samples that went in and came out since then."""
        config = bytes(encoder.extradata or b"")
        self.track = like or _track(config, rate, channels, round(bitrate_kbps * 1000))

    def source_changed(self, stream: AudioStream) -> None:
        """Take another source; the packets go on as before."""
        self._stream = stream
        self._resampler = AudioResampler("fltp", self._layout, self._rate)

    def packets(self, packet: Packet[Any], placed: int) -> Iterator[tuple[int, bytes]]:
        """Packets that are complete with this one, with their times."""
        try:
            frames = [ready for frame in self._stream.decode(packet) for ready in self._resampled(frame)]
        except FFmpegError:
            return  # a broken packet becomes silence with the next good one
        for frame in frames:
            self._take(frame, placed)
            placed += self._ticks(frame.samples)
        yield from self._complete()

    def silent(self, placed: int) -> Iterator[tuple[int, bytes]]:
        """Packets that are complete after a packet of silence."""
        self._take(self._silence(_SAMPLES), placed)
        yield from self._complete()

    def _complete(self) -> Iterator[tuple[int, bytes]]:
        while (block := self._fifo.read(_SAMPLES)) is not None:
            yield from self._encoded(block)

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        frame.pts = None
        return self._resampler.resample(frame)

    def _take(self, frame: AudioFrame, placed: int) -> None:
        if self._start is None:
            self._start = placed
        missing = placed - (self._start + self._ticks(self._taken))
        if missing > _LONGEST_SILENCE:
            self._start += missing
        elif missing > _LOOSE:
            self._write(self._silence(missing * self._rate // TICKS_PER_SECOND))
        elif missing < -_LOOSE:
            return
        self._write(frame)

    def _write(self, frame: AudioFrame) -> None:
        frame.pts = None
        self._taken += frame.samples
        self._fifo.write(frame)

    def _silence(self, samples: int) -> AudioFrame:
        return _silence(samples, self._rate, self._layout)

    def _encoded(self, block: AudioFrame) -> Iterator[tuple[int, bytes]]:
        assert self._start is not None
        block.pts, block.time_base = self._given, Fraction(1, self._rate)
        self._given += block.samples
        for packet in self._encoder.encode(block):
            yield self._start + self._ticks(packet.pts or 0), bytes(packet)

    def _ticks(self, samples: int) -> int:
        return samples * TICKS_PER_SECOND // self._rate


def _aac_encoder(rate: int, layout: str, bitrate_kbps: float) -> AudioCodecContext:
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
    encoder.bit_rate = round(bitrate_kbps * 1000)
    encoder.time_base = Fraction(1, rate)
    encoder.options = {"flags": "+global_header"}
    encoder.open()
    return encoder


def _silence(samples: int, rate: int, layout: str) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.zeros((1 if layout == "mono" else 2, samples), np.float32), "fltp", layout)
    frame.sample_rate = rate
    return frame


@cache
def _silent_packet(rate: int, channels: int) -> bytes:
    """Silence in AAC LC, for any stream of this rate with so many channels."""
    layout = "mono" if channels == 1 else "stereo"
    encoder = _aac_encoder(rate, layout, 64.0)
    found = b""
    for _ in range(4):  # the first is that of an encoder that has just begun
        for packet in encoder.encode(_silence(_SAMPLES, rate, layout)):
            found = bytes(packet)
    return found


def _track(config: bytes, rate: int, channels: int, bitrate_bps: int) -> Track:
    return Track("audio", "audio", "aac", config, bitrate_bps, sample_rate_hz=rate, channels=channels)


def _audio_specific_config(rate: int, channels: int) -> bytes:
    """AAC LC, in 2 bytes: object type (5 bits), rate's index (4), channels (4), three zeros."""
    return (2 << 11 | _AAC_RATES.index(rate) << 7 | channels << 3).to_bytes(2, "big")


def _without_adts(data: bytes) -> bytes:
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    return data[7 if data[1] & 1 else 9 :]  # without or with a checksum
