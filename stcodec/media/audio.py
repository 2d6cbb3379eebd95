"""Audio encoded anew, for a container that can't hold it as it is or because it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import BlockingIOError as NotYetError, EOFError as EndError, FFmpegError
from av.filter import Graph
from av.packet import Packet

ENCODERS: Final = {"aac": "aac", "opus": "libopus"}
"""libavcodec's encoder of each format."""
_KBPS_PER_CHANNEL = {"aac": 80, "opus": 64}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "7.0", 8: "7.1"}
_OPUS_LAYOUTS = {**_LAYOUTS, 4: "quad", 7: "6.1"}
"""Those that its channel mapping 1 has (RFC 7845, section 5.1.1.2)."""
_RATES = {
    "aac": (7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    "opus": (48000,),
}
_GAP_SECONDS = 0.04
"""What eyes and ears notice: a gap or an overlap that is longer is mended, by silence or by a cut."""


class AudioEncoder:
    """Decodes one stream of audio and encodes it; where it has gaps there is silence, so that it stays in step.

    Raises ValueError if it can't be decoded, FFmpegError or ValueError if the container does not take the format.
    """

    def __init__(self, container: OutputContainer, source: AudioStream, codec: str, bitrate_kbps: float | None) -> None:
        """codec: a key of `ENCODERS`; bitrate_kbps: None = 80 a channel for AAC, 64 for Opus."""
        context = source.codec_context
        if context is None or not context.channels or not context.sample_rate:
            raise ValueError("it can't be decoded here")
        self._decoder = context
        rates = _RATES[codec]
        self._rate = next((one for one in rates if one >= context.sample_rate), rates[-1])
        channels = min(context.channels, 8)
        self._layout = (_OPUS_LAYOUTS if codec == "opus" else _LAYOUTS)[channels]
        stream = container.add_stream(ENCODERS[codec], rate=self._rate)
        assert isinstance(stream, AudioStream)
        self.stream, self.codec = stream, codec
        self._encoder = stream.codec_context
        self._encoder.layout = self._layout
        self._encoder.format = "fltp" if codec == "aac" else "flt"
        self._encoder.time_base = Fraction(1, self._rate)
        self._encoder.bit_rate = round(1000 * (bitrate_kbps or _KBPS_PER_CHANNEL[codec] * channels))
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        self._end = -(2**62)
        """Where the audio that was encoded ends, in samples."""
        self.lost_packets = 0
        """Packets that could not be decoded."""

    def convert(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """The packets that are ready after one more of the source."""
        try:
            frames = self._decoder.decode(packet)
        except FFmpegError:
            self.lost_packets += 1
            return []
        return [made for frame in frames for made in self._encode(self._shaped(frame, packet.time_base))]

    def finish(self) -> list[Packet[Any]]:
        """The packets still to come."""
        try:
            rest = self._decoder.decode(None)
        except FFmpegError:
            rest = []
        made = [one for frame in rest for one in self._encode(self._shaped(frame, self.stream.time_base))]
        made += self._encode(self._pushed(None))
        return [*made, *self._bound(self.stream.encode(None))]

    def _shaped(self, frame: AudioFrame, time_base: Fraction | None) -> Iterator[AudioFrame]:
        """A decoded frame as the encoder wants it: its rate, layout and size, without gaps."""
        if frame.time_base is None and time_base is not None:
            frame.time_base = time_base
        shape = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate, frame.time_base)
        if shape != self._shape:
            yield from self._pushed(None)
            self._graph, self._shape = self._new_graph(frame), shape
        yield from self._pushed(frame)

    def _new_graph(self, frame: AudioFrame) -> Graph:
        channels = frame.layout.nb_channels
        layout = frame.layout.name
        if not layout or "channels" in layout:  # the file does not say which is which
            layout = _LAYOUTS.get(channels, f"{channels}C")
        graph = Graph()
        source = graph.add(
            "abuffer",
            f"sample_rate={frame.sample_rate}:sample_fmt={frame.format.name}:channel_layout={layout}:"
            f"time_base={frame.time_base}",
        )
        wanted = f"sample_fmts={self._encoder.format.name}:sample_rates={self._rate}:channel_layouts={self._layout}"
        nodes = [
            source,
            graph.add("aresample", f"{self._rate}:async=1:min_hard_comp={_GAP_SECONDS}"),
            graph.add("aformat", wanted),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        # Both codecs take blocks of a fixed size; Opus of 20 ms.
        graph.set_audio_frame_size(1024 if self.codec == "aac" else self._rate // 50)
        return graph

    def _pushed(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        if self._graph is None:
            return
        try:
            self._graph.push(frame)
            while True:
                made = self._graph.pull()
                assert isinstance(made, AudioFrame)
                yield made
        except (NotYetError, EndError):
            return

    def _encode(self, frames: Iterator[AudioFrame]) -> list[Packet[Any]]:
        made: list[Packet[Any]] = []
        for frame in frames:
            if frame.pts is None or frame.pts < self._end:
                continue  # behind a change of format some may come twice
            self._end = frame.pts + frame.samples
            made += self._bound(self.stream.encode(frame))
        return made

    def _bound(self, packets: list[Packet[Any]]) -> list[Packet[Any]]:
        for packet in packets:
            packet.stream = self.stream
        return packets
