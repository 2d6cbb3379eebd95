"""A video in several sizes and bitrates, whose players choose and change between them: `--ladder 1080p@5M,720p@3M`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from stcodec.encoders.table import find_encoder, names_where
from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions

if TYPE_CHECKING:
    from stcodec.types import VideoInfo

AUTO: Final = "auto"
SEGMENT_SECONDS = 4.0
_RENDITION = re.compile(r"(\d+)p@(\d+(?:\.\d+)?)([kKmM])")
_PEAK, _BUFFER_SECONDS = 1.2, 2.0
"""Of the bitrate: what a segment may reach, and the buffer that a player needs for it."""


@dataclass(frozen=True)
class LadderRendition:
    """One size and bitrate of a video that players choose from."""

    lines: int
    """Of the shorter side of the picture."""
    kbps: float

    @property
    def name(self) -> str:
        return f"{self.lines}p@{self.kbps:g}k"


Ladder = tuple[LadderRendition, ...] | Literal["auto"]
"""The renditions of all videos, or that they are chosen for each."""


def parse_ladder(text: str) -> Ladder:
    """The renditions of "1080p@5M,720p@3M", or "auto". Raises OptionsError."""
    if text.strip() == AUTO:
        return AUTO
    renditions = []
    for part in text.split(","):
        match = _RENDITION.fullmatch(part.strip())
        if match is None:
            raise OptionsError(
                f"--ladder {part.strip()!r}: write auto, or LINESp@RATE for each rendition, for instance "
                "1080p@5M,720p@3M,480p@1200k",
                value=part.strip(),
            )
        renditions.append(LadderRendition(int(match[1]), float(match[2]) * (1000 if match[3] in "mM" else 1)))
    renditions.sort(key=lambda rendition: (rendition.lines, rendition.kbps), reverse=True)
    return tuple(renditions)


def check_ladder(ladder: Ladder, options: EncodeOptions) -> None:
    """Raise OptionsError unless renditions of those options can be changed between."""
    if ladder == AUTO:
        if options.attention == "none":
            raise OptionsError("--ladder auto goes by the quality where viewers look: leave --attention none out")
    else:
        _check_renditions(ladder)
    if find_encoder(options.encoder).with_key_frames_every(1, {}) is None:
        allowed = names_where(lambda one: one.with_key_frames_every(1, {}) is not None)
        raise OptionsError(
            f"--ladder takes {allowed}, whose key frames can be placed; {options.encoder} was given",
            value=options.encoder,
            allowed=allowed,
        )
    if options.crf is not None or options.bitrate_kbps is not None or options.keyint is not None:
        raise OptionsError("--ladder sets bitrates and key frames: leave --crf, --bitrate and --keyint out")


def _check_renditions(renditions: tuple[LadderRendition, ...]) -> None:
    if len(set(renditions)) < len(renditions):
        raise OptionsError("--ladder: a rendition is given twice: once is enough", value=renditions)
    for rendition in renditions:
        if rendition.lines % 2 or not 64 <= rendition.lines <= 8192:
            raise OptionsError(
                f"--ladder {rendition.name}: allowed are even numbers of lines from 64 to 8192",
                value=rendition.lines,
                allowed=(64, 8192),
            )
        if not 10 <= rendition.kbps <= 1_000_000:
            raise OptionsError(
                f"--ladder {rendition.name}: allowed are rates from 10k to 1000M",
                value=rendition.kbps,
                allowed=(10, 1_000_000),
            )


def fitting_renditions(renditions: tuple[LadderRendition, ...], video: VideoInfo) -> tuple[LadderRendition, ...]:
    """The renditions that don't enlarge a video; of a smaller one than all, the lowest with the video's own lines."""
    lines = own_lines(video)
    fitting = tuple(rendition for rendition in renditions if rendition.lines <= lines)
    return fitting or (replace(renditions[-1], lines=lines),)


def own_lines(video: VideoInfo) -> int:
    """The lines of a rendition as large as the video, but for what makes them even."""
    lines = min(video.width_px, video.height_px)
    return lines - lines % 2


def rendition_options(options: EncodeOptions, rendition: LadderRendition, video: VideoInfo) -> EncodeOptions:
    """The options of a rendition: its bitrate, and a key frame every few seconds, at the same frames in all of them."""
    placed = placed_options(options, video)
    encoder = find_encoder(options.encoder)
    extra = encoder.with_peak(placed.extra, rendition.kbps * _PEAK, rendition.kbps * _BUFFER_SECONDS)
    return replace(placed, bitrate_kbps=rendition.kbps, extra=extra)


def placed_options(options: EncodeOptions, video: VideoInfo) -> EncodeOptions:
    """The options with a key frame every few seconds and nowhere else."""
    interval = max(1, round(float(video.frame_rate or 25) * SEGMENT_SECONDS))
    extra = find_encoder(options.encoder).with_key_frames_every(interval, options.extra)
    assert extra is not None  # checked by `check_ladder`
    return replace(options, keyint=interval, extra=extra)
