"""Report of one encode, as measured. docs/json.md is the contract of its JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REPORT_SCHEMA = 1
"""Version of the JSON; raised when a field changes its meaning or goes away."""


@dataclass(frozen=True)
class OffsetsApplied:
    """Measurement of the offsets in the finished file against those asked for."""

    method: str
    """"bitstream": QP of each block read back; "effect": error of each block against a plain encode's; "headers": the
    levels that frames list, not which blocks have them; "none"."""
    verdict: str
    """applied, weak (measurable, but less than half of what was asked), not-applied, flat (too little was asked for to
    measure) or not-measured."""
    why: str = ""
    """For people: what was compared, or why it was not."""
    frames: int = 0
    """Frames looked at."""
    blocks: int = 0
    """Blocks looked at."""
    slope: float | None = None
    """bitstream: QP steps in the file for each step asked for (1 = all); headers: of the range of the levels; effect: dB of
    error for each step asked for."""
    correlation: float | None = None
    """Pearson correlation of what is in the file with what was asked for, over blocks."""
    share_applied: float | None = None
    """Share of blocks whose QP is within one step of what was asked for (bitstream), or for which there is such a level
    (headers)."""
    share_snapped: float | None = None
    """Share of the other blocks that took their left neighbour's QP: x264 does so below subme 10, and where nothing is
    coded."""
    share_clipped: float | None = None
    """Share of blocks at the end of the encoder's QP range."""
    attended_db: float | None = None
    """PSNR of the looked-at frames against a plain encode's with the same options, blocks weighed by the attention that
    their offsets were made of (the map that guided the encode: no independent eye), dB; negative = lost."""
    whole_db: float | None = None
    """The same over whole frames, dB."""


@dataclass(frozen=True)
class Checks:
    """Findings of reading the finished file once more."""

    frames_sent: int
    frames_in_file: int
    duration_source_seconds: float
    duration_file_seconds: float
    frames_decoded: int
    """Frames decoded as a sample: from the first key frame on, from one in the middle and from the last."""
    shift_seconds: float
    """Delay of the file's first frame against the source's: Matroska moves all streams together where audio begins
    before zero."""
    timestamps_kept: bool
    """True if every frame has the time it had in the source, but for that shift, to the container's resolution."""


@dataclass(frozen=True)
class ShotMatch:
    """Result of a search for one shot."""

    start_seconds: float
    end_seconds: float
    """Time of the last frame."""
    frames: int
    frames_tried: int
    """Number of frames that each encode of the search took."""
    shift_qp: float
    """QP steps added to all offsets of the shot, beyond the base crf."""
    wanted: float | None
    """The quality to reach, on the frames compared; None if none of them is in this shot."""
    reached: float | None
    difference: float | None
    """reached - wanted."""
    encodes: int
    """Encodes of it with offsets that were tried."""


@dataclass(frozen=True)
class MatchReport:
    """A search for a quality: what it was to reach, what the finished file has, what it cost."""

    target: str
    """"crf=23": the quality of the plain encode with that crf; "attended-vmaf=93": a value."""
    metric: str
    unit: str
    """Of the qualities and differences here."""
    tolerance: float
    control: str
    """"shots": the QP or crf of each shot was searched; "file": the encoder can't shift frames, so one crf for all."""
    base_crf: float
    """The crf that the encoder was given in the end; the shots' shifts are on top."""
    wanted: float
    reached: float
    """Of the finished file, decoded, on the frames compared."""
    difference: float
    """reached - wanted."""
    within_tolerance: bool
    percentile_5: float
    """The quality that 95 % of the frames compared reach."""
    percentile_5_difference: float | None
    """Of that to the plain encode's; None if no plain encode was asked for."""
    frames_compared: int
    """All frames, or in a longer video parts of it."""
    misses: tuple[float, ...]
    """Differences of the files that were not kept: made before shifts were corrected, or no better after that."""
    encodes: int
    """Runs of an encoder that the search and the comparison took; the output's own left out."""
    encoded_frames: int
    """Frames that they encoded."""
    cost_in_encodes: float
    """The same as a multiple of the video's frames."""
    seconds: float
    """Wall time of all but the output's own encode (the last, if it was corrected)."""
    plain_bytes: int | None
    """Video bytes of the plain encode; None if it was not encoded whole."""
    saving_percent: float | None
    """By how much the output's video is smaller than the plain encode's."""
    shots: tuple[ShotMatch, ...]


@dataclass(frozen=True)
class EncodeReport:
    """One encode: what was asked for, what was done, what it cost, what was proven."""

    source: str
    output: str
    encoder: str
    options: Mapping[str, Any]
    """`EncodeOptions`, with the policy."""
    encoder_options: Mapping[str, str]
    """Options that ffmpeg's wrapper finally got."""
    attention: str
    width_px: int
    height_px: int
    pix_fmt: str
    frames: int
    duration_seconds: float
    source_bytes: int
    output_bytes: int
    video_bytes: int
    """The encoded video's packets alone."""
    video_kbps: float
    wall_seconds: float
    frames_per_second: float
    """Of wall time, verification left out."""
    maps: int
    """Saliency maps made or read."""
    looks: int
    """Pictures that the source looked at for them: fewer than maps where a picture hardly differs from an earlier one."""
    shots: int
    confidence: float | None
    """Mean over the maps of the NSS to expect of each (0 = no better than a uniform map); None if the source can't tell, and
    for maps that were read from a file."""
    confidence_lowest: float | None
    """That of the map that is least sure."""
    mean_delta_qp: float | None
    """Mean of the offsets over all blocks and frames, QP steps; None for a plain encode."""
    spread_delta_qp: float | None
    """Mean over frames of the standard deviation of the offsets within a frame, QP steps."""
    offsets_applied: OffsetsApplied
    checks: Checks | None
    """None if verification was left out."""
    messages: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    """True if the source was damaged and only what could be decoded is in the file."""
    match: MatchReport | None = None
    """Result of a search for a quality; None without one."""

    def to_json(self) -> str:
        """One line of JSON, keys as the fields here plus "schema"; numbers that are not finite become null."""
        return json.dumps({"schema": REPORT_SCHEMA, **json_value(dataclasses.asdict(self))}, ensure_ascii=True)


def json_value(value: Any, digits: int = 6) -> Any:
    """A value of mappings, sequences and numbers for JSON: rounded; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): json_value(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one, digits) for one in value]
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    return value
