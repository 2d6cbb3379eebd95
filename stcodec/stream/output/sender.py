"""Interface of each kind of target, and the choice of the tracks that go there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stcodec.errors import StcodecError
from stcodec.stream.packet import LivePacket, Track, Tracks


class ReaderGoneError(StcodecError):
    """The reader has gone and can't come back: the target ends, without an error."""


class Sender(Protocol):
    """A kind of target, used by one thread. OSError, FFmpegError and MediaError mean that it is lost and may come back."""

    @property
    def bytes(self) -> int:
        """Taken so far, over all connections."""

    @property
    def is_connected(self) -> bool:
        """Whether somebody, or a disk, takes what is written."""

    def open(self, tracks: Tracks) -> None:
        """Begin, or begin again; the next packet of each video track is a key frame."""

    def write(self, packet: LivePacket) -> None:
        """Pass a packet on."""

    def change(self, tracks: Tracks) -> None:
        """The tracks are these from the next packet on, which is a key frame."""

    def close(self) -> None:
        """End properly."""

    def abandon(self) -> None:
        """Give up what was lost. Never raises."""

    def interrupt(self) -> None:
        """Stop any wait. Safe from any thread; never raises."""


def chosen_tracks(tracks: Sequence[Track], rendition: str | None) -> list[int]:
    """One video track, by name or else the first, and the audio: indices of the tracks for a target that has no ladder."""
    video = [index for index, track in enumerate(tracks) if track.kind == "video"]
    named = [index for index in video if tracks[index].name == rendition]
    audio = [index for index, track in enumerate(tracks) if track.kind == "audio"]
    return (named or video)[:1] + audio[:1]
