"""Options for everything in a file that is not its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AudioCoding = Literal["copy", "aac", "opus", "none"]
SubtitleCoding = Literal["copy", "text", "none"]


@dataclass(frozen=True)
class KeepOptions:
    """Options for the audio, subtitles and tags of a file; by default all is kept as it is."""

    audio: AudioCoding = "copy"
    """"copy": what the container can't hold is encoded to AAC, to Opus in WebM; "aac" and "opus": tracks that are in another
    format are encoded, all of them if a bitrate is given."""
    audio_bitrate_kbps: float | None = None
    """Of each track that is encoded, kbit/s; None = 80 a channel for AAC, 64 for Opus."""
    audio_tracks: tuple[str, ...] = ()
    """Numbers of tracks, counted from 1, and languages ("eng", "de"); empty = all."""
    subtitles: SubtitleCoding = "copy"
    """"text": all become the container's plain text; pictures can't, and are dropped."""
    strip_location: bool = False
    """Leave out the tags that say where the video was taken."""
    faststart: bool | None = None
    """The index at the front of an MP4 or MOV, so that players begin before they have it all; None = as in the source, and
    at the front if the source is of another kind."""
    fragmented: bool = False
    """MP4 and MOV in fragments, one a key frame, for players that get it piece by piece."""
    ignore_dolby_vision: bool = False
    """Encode a Dolby Vision video of profile 5, although nothing can make its colours right here."""
