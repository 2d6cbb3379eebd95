"""State of a stream at one moment, as shown by the status line, the JSON lines, the metrics and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stcodec.types import Arrays, FloatArray

SourceCondition = Literal["connecting", "open", "stalled", "retrying", "ended", "failed"]
TargetCondition = Literal["connecting", "open", "retrying", "failed", "closed"]
MapCondition = Literal["fresh", "held", "fading", "center", "none"]
"""Origin of the newest frame's map; "none" without attention."""


class Pressure(IntEnum):
    """Level of what has given way, in a fixed order; each includes those before."""

    NONE = 0
    OLDER_MAPS = 1
    FEWER_MAPS = 2
    EASIER_PRESET = 3
    DROPPED_FRAMES = 4


@dataclass(frozen=True)
class PressureCounts:
    """Times that each level came in since the start; for presets, steps eased."""

    older_maps: int = 0
    fewer_maps: int = 0
    easier_preset: int = 0
    dropped_frames: int = 0


@dataclass(frozen=True)
class RenditionState:
    """State of one encoder."""

    name: str
    """"720p"."""
    width_px: int
    height_px: int
    fps: float
    """Frames encoded a second, over the last seconds."""
    kbps: float
    """Bitrate over the last seconds."""
    target_kbps: float
    buffer_fill: float | None
    """Fullness of the VBV decoder buffer, 0 (a player would stall) to 1; None without one."""
    buffer_underflows: int
    preset: str
    frames: int
    frames_dropped: int
    mean_qp_attended: float | None
    """Read back from the bitstream, over the most attended fifth of the newest key frame read; None = not read yet."""
    mean_qp_elsewhere: float | None
    bits_attended: float | None
    """Share of the picture's bits, 0 to 1, in the most attended fifth, estimated from the newest key frame."""
    offsets_slope: float | None
    """QP read back against offset asked for: about 1 when the map was applied."""


@dataclass(frozen=True)
class TargetState:
    """State of one target."""

    name: str
    """As the user wrote it, without credentials or stream keys."""
    kind: str
    """"hls", "dash", "rtmp", "srt", "rtsp", "mpegts", "pipe", "file"."""
    condition: TargetCondition
    bytes: int
    packets_dropped: int
    reconnects: int
    message: str = ""
    """The last error, in one line; empty without one."""
    reason: str = ""
    """Of `message`, why it went wrong, without what is done about it."""


@dataclass(frozen=True)
class StreamSnapshot:
    """State of a stream at one moment."""

    running_seconds: float
    source: str
    """Without credentials."""
    source_condition: SourceCondition
    source_message: str
    source_reconnects: int
    timestamp_jumps: int
    fps_in: float
    frames_in: int
    frames_damaged: int
    latency_seconds: float
    """From a frame's arrival to its packet leaving the encoder, the newest."""
    latency_p99_seconds: float
    """Over the last minute."""
    map_condition: MapCondition
    map_age_seconds: float | None
    """Time of the newest encoded frame less that of the picture that its map was made of."""
    map_age_p99_seconds: float | None
    maps_per_second: float
    maps: int
    attention_restarts: int
    pressure: Pressure
    renditions: tuple[RenditionState, ...]
    targets: tuple[TargetState, ...]
    pressure_counts: PressureCounts = PressureCounts()
    attention_message: str = ""
    """Reason of the last restart of attention, in one line; empty without one."""


@dataclass(frozen=True, eq=False, repr=False)
class LivePreview(Arrays):
    """A small picture of what goes out, and the map that it was encoded with."""

    seconds: float
    """Time in the stream."""
    picture: NDArray[np.uint8]
    """[h, w, 3] RGB."""
    saliency: FloatArray | None
    """[rows, cols] in [0, 1], display orientation."""


class Observed(Protocol):
    """A running stream as observers see it. Safe from any thread."""

    def snapshot(self) -> StreamSnapshot:
        """The current state."""

    def preview(self) -> LivePreview | None:
        """The newest picture kept (about two a second); None before the first. Made only while somebody asks."""
