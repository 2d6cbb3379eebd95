"""The values that flow through stcodec: frozen, documented field by field, checked on construction.

Arrays are numpy; nothing here knows about PyAV or torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
TimeArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


class Arrays:
    """Base of dataclasses that hold arrays: told apart by identity, shown by the shapes of what they hold."""

    def __repr__(self) -> str:
        shown = (f"{name}={_shape(value)}" for name, value in vars(self).items())
        return f"{type(self).__name__}({', '.join(shown)})"


def _shape(value: object) -> str:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)


@dataclass(frozen=True)
class Colour:
    """Colour tags as ffmpeg's integers (ISO/IEC 23091-2 code points; 2 = unspecified, range 0 = unspecified)."""

    range: int = 0
    primaries: int = 2
    transfer: int = 2
    space: int = 2


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a container."""

    index: int
    """Position in the container."""
    kind: str
    """video, audio, subtitle, data, attachment or unknown."""
    codec: str
    """ffmpeg's codec name, or "unknown"."""
    language: str | None = None
    """ISO 639-2 code, if the container says."""
    is_cover: bool = False
    """True for an attached picture (cover art) that is stored as a video stream."""


_RUNNING_CLOCKS = ("mpegts", "mpeg")
"""Demuxers of containers that do not say how long they last."""


@dataclass(frozen=True)
class VideoInfo:
    """Facts of a video, known before its first frame is decoded."""

    width_px: int
    """Coded width, before any rotation."""
    height_px: int
    """Coded height, before any rotation."""
    time_base: Fraction
    """Seconds per tick of the stream's timestamps."""
    frame_rate: Fraction | None
    """Average frames per second; None if the container does not say."""
    duration_seconds: float | None
    """None if the container does not say."""
    frames: int | None
    """Number of frames, counted or estimated from duration and rate; None if unknown."""
    pix_fmt: str
    """ffmpeg's pixel format name."""
    bit_depth: int
    """Bits per luma sample."""
    codec: str
    """ffmpeg's codec name."""
    rotation_degrees: int = 0
    """Clockwise turn a player makes for display: 0, 90, 180 or 270."""
    sample_aspect_ratio: Fraction | None = None
    colour: Colour = Colour()
    streams: tuple[StreamInfo, ...] = ()
    """All streams of the container, this one included."""
    container: str = ""
    """ffmpeg's demuxer name(s)."""
    start_seconds: float = 0.0
    """Presentation time of the first frame, as the container says."""

    def __post_init__(self) -> None:
        _require(self.width_px > 0 and self.height_px > 0, f"frame size {self.width_px}x{self.height_px} is empty")
        _require(self.time_base > 0, f"time base {self.time_base} is not positive")
        _require(self.rotation_degrees in (0, 90, 180, 270), f"rotation {self.rotation_degrees} is not a multiple of 90")

    @property
    def sure_duration_seconds(self) -> float | None:
        """The duration; None where it is a guess from the first and last times of a clock that may jump in between."""
        return None if self.container in _RUNNING_CLOCKS else self.duration_seconds

    @property
    def display_width_px(self) -> int:
        """Width as a player shows it (before the sample aspect ratio)."""
        return self.height_px if self.rotation_degrees in (90, 270) else self.width_px

    @property
    def display_height_px(self) -> int:
        """Height as a player shows it."""
        return self.width_px if self.rotation_degrees in (90, 270) else self.height_px


@dataclass(frozen=True)
class ClipSpec:
    """Requirements of a source of attention: what it needs to see."""

    maps_per_second: float = 6.0
    """Instants a second at which the source is asked; 0 = only at the start of each shot."""
    thumbnail_side_px: int = 0
    """Longest side of the RGB thumbnails (aspect kept); 0 = no thumbnails are made."""
    motion_vectors: bool = False
    """True if the source can use the motion vectors of the input's own bitstream."""
    shots: bool = True
    """False if scene cuts make no difference to the source."""

    @property
    def looks_at_pictures(self) -> bool:
        """Whether the source has to see the video at all."""
        return self.thumbnail_side_px > 0 or self.motion_vectors

    def merge(self, other: ClipSpec) -> ClipSpec:
        """The spec that serves both: the larger of each need."""
        return ClipSpec(
            max(self.maps_per_second, other.maps_per_second),
            max(self.thumbnail_side_px, other.thumbnail_side_px),
            self.motion_vectors or other.motion_vectors,
            self.shots or other.shots,
        )


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Arrays):
    """A run of instants of one video, in display orientation, as a source of attention sees it."""

    video: VideoInfo
    pts_seconds: TimeArray
    """[T], strictly increasing; the presentation times of the frames that the thumbnails were made of."""
    shot_starts: BoolArray
    """[T], True where the frame is the first of a shot (the first of the video too)."""
    thumbnails: NDArray[np.uint8] | None = None
    """[T, h, w, 3] RGB, or None if the source asked for none."""
    motion_vectors: FloatArray | None = None
    """[T, rows, cols, 2]: velocity (x, y) in px/s on 16 px blocks, since the instant before; NaN where the bitstream
    has none. None if not asked for, or if the codec exports none."""

    def __post_init__(self) -> None:
        count = len(self.pts_seconds)
        _require(bool(np.all(np.diff(self.pts_seconds) > 0)), "pts_seconds must increase strictly")
        _require(self.shot_starts.shape == (count,), f"shot_starts has shape {self.shot_starts.shape}, not ({count},)")
        if self.thumbnails is not None:
            _require(
                self.thumbnails.ndim == 4 and self.thumbnails.shape[0] == count and self.thumbnails.shape[3] == 3,
                f"thumbnails have shape {self.thumbnails.shape}, not ({count}, h, w, 3)",
            )
            _require(self.thumbnails.dtype == np.uint8, f"thumbnails are {self.thumbnails.dtype}, not uint8")
        if self.motion_vectors is not None:
            _require(
                self.motion_vectors.ndim == 4 and self.motion_vectors.shape[::3] == (count, 2),
                f"motion_vectors have shape {self.motion_vectors.shape}, not ({count}, rows, cols, 2)",
            )

    def __len__(self) -> int:
        return len(self.pts_seconds)


@dataclass(frozen=True, eq=False, repr=False)
class SaliencyTrack(Arrays):
    """Saliency maps over time, in display orientation. Relative importance, not a density."""

    saliency: FloatArray
    """[T, h, w] in [0, 1]; any h and w, covering the whole frame."""
    pts_seconds: TimeArray
    """[T], strictly increasing."""
    shot_starts: BoolArray
    """[T], True where a new shot begins: nothing is interpolated or smoothed across it."""
    frame_width_px: int
    """Display width of the frames that the maps cover."""
    frame_height_px: int
    source: str
    """The source that made the maps, as the user would write it."""
    looked_at: BoolArray | None = None
    """[T], False where the source let what it saw in an earlier picture stand for one that hardly differs; None = it
    looked at each."""
    confidence: FloatArray | None = None
    """[T] expected NSS of each map: 0 = no better than a uniform one; None = the source can't tell."""

    def __post_init__(self) -> None:
        count = len(self.pts_seconds)
        _require(
            self.saliency.ndim == 3 and self.saliency.shape[0] == count,
            f"saliency has shape {self.saliency.shape}, not ({count}, h, w)",
        )
        _require(self.looked_at is None or self.looked_at.shape == (count,), f"looked_at is not of shape ({count},)")
        _require(self.confidence is None or self.confidence.shape == (count,), f"confidence is not of shape ({count},)")
        _require(self.saliency.dtype == np.float32, f"saliency is {self.saliency.dtype}, not float32")
        _require(self.saliency.shape[1] > 0 and self.saliency.shape[2] > 0, "saliency maps are empty")
        _require(self.shot_starts.shape == (count,), f"shot_starts has shape {self.shot_starts.shape}, not ({count},)")
        _require(bool(np.all(np.diff(self.pts_seconds) > 0)), "pts_seconds must increase strictly")
        if count:
            low, high = float(self.saliency.min()), float(self.saliency.max())
            _require(low >= 0 and high <= 1, f"saliency spans [{low:.3g}, {high:.3g}], not within [0, 1]")

    def __len__(self) -> int:
        return len(self.pts_seconds)

    @property
    def looks(self) -> BoolArray:
        """`looked_at`, of every source."""
        return np.ones(len(self), np.bool_) if self.looked_at is None else self.looked_at


@dataclass(frozen=True)
class BlockGrid:
    """The grid of square blocks that an encoder can give different QPs to."""

    width_px: int
    height_px: int
    block_px: int

    def __post_init__(self) -> None:
        _require(min(self.width_px, self.height_px, self.block_px) > 0, f"impossible grid {self}")

    @property
    def rows(self) -> int:
        return -(-self.height_px // self.block_px)

    @property
    def cols(self) -> int:
        return -(-self.width_px // self.block_px)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.rows, self.cols
