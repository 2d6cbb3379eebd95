"""Options of a live stream, checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from stcodec.errors import OptionsError, check_choice, check_range
from stcodec.options import DEFAULT_ATTENTION, OffsetPolicy

AudioChoice = Literal["auto", "aac", "none"]

_RENDITION = re.compile(r"(\d+)p@(\d+(?:\.\d+)?)([kM]?)")
_LINES = 16, 4320


@dataclass(frozen=True)
class Rendition:
    """One encode of the stream, beside others."""

    lines: int | None
    """Pixels of the shorter side; None = the source's size."""
    bitrate_kbps: float
    maxrate_kbps: float | None = None
    """Rate at which the decoder's buffer is filled; None = the bitrate (CBR)."""
    bufsize_kbit: float | None = None
    """The decoder's buffer; None = a second of maxrate."""

    def __post_init__(self) -> None:
        check_range("rendition", self.lines, *_LINES, unit="lines")
        check_range("bitrate", self.bitrate_kbps, 10, 1_000_000, unit="kbit/s")
        if self.maxrate_kbps is not None and not self.bitrate_kbps <= self.maxrate_kbps <= 1_000_000:
            raise OptionsError(
                f"maxrate is {self.maxrate_kbps:g} kbit/s: it must be at least the bitrate, {self.bitrate_kbps:g}",
                value=self.maxrate_kbps,
                allowed=(self.bitrate_kbps, 1_000_000),
            )
        check_range("bufsize", self.bufsize_kbit, self.bitrate_kbps / 10, self.bitrate_kbps * 60, unit="kbit")

    @property
    def peak_kbps(self) -> float:
        """The rate at which the decoder's buffer is filled."""
        return self.bitrate_kbps if self.maxrate_kbps is None else self.maxrate_kbps

    @property
    def buffer_kbit(self) -> float:
        """The size of the decoder's buffer."""
        return self.peak_kbps if self.bufsize_kbit is None else self.bufsize_kbit


def parse_rendition(text: str) -> Rendition:
    """ "720p@2500k" or "360p@0.6M". Raises OptionsError."""
    match = _RENDITION.fullmatch(text)
    if match is None:
        raise OptionsError(f"rendition {text!r}: write LINESp@RATE, for instance 720p@2500k", value=text)
    return Rendition(int(match[1]), float(match[2]) * {"": 0.001, "k": 1.0, "M": 1000.0}[match[3]])


LIVE_POLICY = OffsetPolicy(anchor="mean")
"""The rate is fixed, so offsets that average 0 are what the encoder's rate control expects."""


@dataclass(frozen=True)
class StreamOptions:
    """Everything that a user can choose about a live stream."""

    source: str
    targets: tuple[str, ...]
    renditions: tuple[Rendition, ...] = (Rendition(None, 2500.0),)
    encoder: str = "libx264"
    preset: str | None = None
    """None = "veryfast", or the fastest that takes offsets (VP9)."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Other options of the encoder, by ffmpeg's name."""
    keyint_seconds: float = 1.0
    """Distance of key frames: the same for all renditions, and the least length of a segment."""
    key_at_cuts: bool = False
    """A key frame at every cut, too."""
    attention: str = DEFAULT_ATTENTION
    policy: OffsetPolicy = LIVE_POLICY
    levels: int | None = None
    max_latency_seconds: float = 1.0
    """A frame that would wait longer for its encoder is dropped; what gives way before is set by shares of this."""
    audio: AudioChoice = "auto"
    """"auto": AAC as it is, anything else encoded to AAC; "aac": encoded in any case; "none"."""
    audio_bitrate_kbps: float = 128.0
    duration_seconds: float | None = None
    """End after so much of the stream; None = when the source ends, or when told to."""
    is_paced: bool = True
    """Files come in at the pace of their timestamps; False: as fast as the encoders take them, nothing is dropped."""
    loops: bool = False
    """A file begins anew when it ends."""
    input_options: Mapping[str, str] = field(default_factory=dict)
    """Options of ffmpeg's demuxer and protocol: {"rtsp_transport": "tcp"}."""
    stall_seconds: float = 5.0
    """A source that says nothing for so long is given up and opened again."""
    give_up_seconds: float | None = None
    """A source that stays away for so long ends the stream; None = it is waited for."""
    record: str | None = None
    """A file beside the targets."""
    is_served: bool = False
    """A server of this program gives HLS and DASH out: low-latency playlists, and the time for DASH's players."""
    overwrite: bool = False
    """Replace files, playlists and manifests that are there already."""

    def __post_init__(self) -> None:
        if not self.targets and self.record is None:
            raise OptionsError("nowhere to stream to: give a target, or --record FILE")
        if not self.renditions:
            raise OptionsError("no rendition: give at least one, for instance 720p@2500k")
        names = [one.lines for one in self.renditions]
        if len(set(names)) < len(names):
            raise OptionsError("two renditions have the same number of lines: players could not tell them apart")
        check_range("keyint", self.keyint_seconds, 0.1, 60, unit="s")
        check_range("max latency", self.max_latency_seconds, 0.05, 60, unit="s")
        check_range("audio bitrate", self.audio_bitrate_kbps, 8, 512, unit="kbit/s")
        check_range("stall", self.stall_seconds, 0.2, 3600, unit="s")
        check_choice("audio", self.audio, get_args(AudioChoice))
        check_range("duration", self.duration_seconds, 0.1, 1e9, unit="s")
        check_range("give up", self.give_up_seconds, 0, 1e9, unit="s")
