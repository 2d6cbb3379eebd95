"""Limits on what a media file may ask for: it comes from anybody, and its header is trusted no further than this."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from stcodec.errors import OptionsError

ENVIRONMENT = "STCODEC_LIMITS"


@dataclass(frozen=True)
class Limits:
    """Limits on every file that is opened to be read. Those of a process stand in its environment, and its workers'."""

    allow_playlists: bool = False
    """Files that name other files (HLS playlists, ffconcat) are opened, and those that they name."""
    max_pixels: int = 8192 * 4320
    """Area of a frame."""
    max_fps: int = 1000
    """Frames a second."""
    max_streams: int = 200
    """Tracks of one file, of any kind."""
    max_chapters: int = 2000
    """Chapters of one file."""

    @property
    def decoder_options(self) -> dict[str, str]:
        """Options of libavcodec: a picture that grows in mid-stream is refused, too, before it takes memory."""
        return {"max_pixels": str(self.max_pixels)}


def limits() -> Limits:
    """The limits of this process: $STCODEC_LIMITS ("max_pixels=100000000,allow_playlists=1"), else the defaults.

    Raises OptionsError.
    """
    text = os.environ.get(ENVIRONMENT, "")
    known = [one.name for one in fields(Limits)]
    given: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in known or not (value.isascii() and value.isdecimal()):
            raise OptionsError(
                f"{ENVIRONMENT}: {part!r} is no limit: write NAME=NUMBER, with {', '.join(known)}", value=part
            )
        given[name] = int(value)
    return Limits(bool(given.pop("allow_playlists", 0)), **given)


def set_limits(chosen: Limits) -> None:
    """Have this process, and workers that it starts, keep to these limits."""
    os.environ[ENVIRONMENT] = ",".join(f"{one.name}={int(getattr(chosen, one.name))}" for one in fields(Limits))
