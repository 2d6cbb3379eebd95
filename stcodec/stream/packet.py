"""Tracks and packets, as they go from the encoders to the targets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

from stcodec.stream.observe.snapshot import TargetState

TICK = Fraction(1, 90_000)
"""Unit of all times in packets, in seconds: the 90 kHz clock of MPEG, which every container can express."""


@dataclass(frozen=True)
class Track:
    """One video rendition or the audio, as offered to every target."""

    kind: Literal["video", "audio"]
    name: str
    """As shown: "720p", "360p", "audio"."""
    codec: str
    """ffmpeg's name of the codec, not of the encoder: "h264", "hevc", "aac"."""
    extradata: bytes
    """The global header. H.264 and HEVC are in Annex B, headers and packets; the packets of key frames carry the header
    too. AAC is raw (no ADTS), and this is its AudioSpecificConfig."""
    bitrate_bps: int
    """Bitrate that the encoder aims at; 0 = not known."""
    width_px: int = 0
    height_px: int = 0
    frame_rate: Fraction | None = None
    pix_fmt: str = ""
    sample_rate_hz: int = 0
    channels: int = 0


Tracks = tuple[Track, ...]
"""All tracks of a stream; packets name theirs by its index."""


@dataclass(frozen=True)
class LivePacket:
    """An encoded frame. Times never go back, whatever the source does."""

    track: int
    """Index into the tracks that the target was opened with."""
    data: bytes
    pts: int
    """`TICK`s since the stream began."""
    dts: int
    duration: int
    is_key: bool
    captured_at: float
    """`time.monotonic()` when the frame came in: latency is counted from here."""


class Target(Protocol):
    """A target at work on a thread of its own. Nothing here waits for the network or the disk."""

    def put(self, packet: LivePacket) -> None:
        """Take a packet. When the target can't keep up its oldest are dropped up to the next key frame, and counted."""

    def restart(self, tracks: Tracks) -> None:
        """Change the tracks from the next packet on, which is a key frame: the size or the header has changed."""

    def state(self) -> TargetState:
        """The current state. Safe from any thread."""

    def close(self, seconds: float) -> None:
        """End files and playlists properly with what was put; give up after so many seconds. Never raises."""
