"""What goes from the encoders to the targets: tracks and their packets, owned by nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

from stcodec.stream.observe.snapshot import TargetState

TICK = Fraction(1, 90_000)
"""Unit of all times in packets, seconds: the clock of MPEG, which every target's container can say."""


@dataclass(frozen=True)
class Track:
    """One video rendition, or the sound, as it is offered to every target."""

    kind: Literal["video", "audio"]
    name: str
    """As shown: "720p", "360p", "audio"."""
    codec: str
    """ffmpeg's name of the codec, not of the encoder: "h264", "hevc", "aac"."""
    extradata: bytes
    """The global header. H.264 and HEVC are in Annex B, headers and packets; the packets of key frames carry the header
    too. AAC is raw (no ADTS), and this is its AudioSpecificConfig."""
    bitrate_bps: int
    """What the track aims at; 0 = not known."""
    width_px: int = 0
    height_px: int = 0
    frame_rate: Fraction | None = None
    pix_fmt: str = ""
    sample_rate_hz: int = 0
    channels: int = 0
    channel_layout: str = ""
    profile: str = ""


@dataclass(frozen=True)
class LivePacket:
    """An encoded frame. Times go on for ever: whatever the source does, they never go back."""

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


class Outlet(Protocol):
    """A target at work on a thread of its own. Nothing here waits for the network or the disk."""

    def put(self, packet: LivePacket) -> None:
        """Take a packet. When the target can't keep up its oldest are dropped up to the next key frame, and counted."""

    def restart(self, tracks: tuple[Track, ...]) -> None:
        """From the next packet on (a key frame) the tracks are these: the source's size or the header has changed."""

    def state(self) -> TargetState:
        """How it is doing; from any thread."""

    def close(self, seconds: float) -> None:
        """End files and playlists properly with what was put; give up after so many seconds. Never raises."""
