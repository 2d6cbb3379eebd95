"""Options of an encode: how saliency becomes offsets, what changes the bitstream, and what does not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from stcodec.errors import OptionsError, check_choice, check_range
from stcodec.keep import AudioCoding, KeepOptions, SubtitleCoding
from stcodec.view import WHOLE, View

if TYPE_CHECKING:
    from stcodec.attention.base import AttentionSource

DEFAULT_ATTENTION = "neural"
"""The source that is used when the user names none."""

Anchor = Literal["attended", "half", "mean"] | float


@dataclass(frozen=True)
class OffsetPolicy:
    """Policy by which saliency becomes QP offsets: delta = -3 * strength * log2(weight / anchor), see `stcodec.qp`.

    The defaults were calibrated on gaze recordings; docs/calibration.md says how.
    """

    strength: float = 1.0
    """Share of the optimal slope, 0 (no map) to 1 (all of it); up to 2 for experiments."""
    floor: float = 0.9
    """Weight of a place that nobody looks at, as a share of the mean weight, > 0: how much the whole picture counts."""
    min_delta_qp: float = -12.0
    """Best quality: the offsets of a frame are clipped to this about their mean, QP steps, <= 0."""
    max_delta_qp: float = 12.0
    """Worst quality: the offsets of a frame are clipped to this about their mean, QP steps, >= 0."""
    anchor: Anchor = "half"
    """"attended": the attended quality of a plain encode is kept and all of the gain is a smaller file; "mean": the offsets
    of a frame average 0 and all of it is quality where viewers look; "half": half of the shift of "attended"; a number: the
    "mean" offsets, shifted by so many QP steps."""
    smoothing_seconds: float = 0.2
    """Time constant of the smoothing of maps over time, forward and back within a shot, no farther than that; 0 = none."""
    step_qp: float = 1.0
    """Offsets are rounded to multiples of this, QP steps: a whole step is one that the encoder's own rounding keeps. 0 =
    not rounded."""

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0, 2)
        check_range("floor", self.floor, 1e-3, 1)
        check_range("min_delta_qp", self.min_delta_qp, -51, 0)
        check_range("max_delta_qp", self.max_delta_qp, 0, 51)
        check_range("smoothing_seconds", self.smoothing_seconds, 0, 10)
        check_range("step_qp", self.step_qp, 0, 12)
        if isinstance(self.anchor, str):
            check_choice("anchor", self.anchor, ("attended", "half", "mean"), note=" or a number of QP steps")
        else:
            check_range("anchor", float(self.anchor), -25, 25)


DEFAULT_POLICY = "balanced"
POLICIES: Mapping[str, OffsetPolicy] = {
    "gentle": OffsetPolicy(floor=0.95),
    "balanced": OffsetPolicy(),
    "strong": OffsetPolicy(floor=0.6),
}
"""Named policies. What each saves where viewers look, and costs elsewhere, by four metrics: docs/calibration.md."""


def policy_named(name: str) -> OffsetPolicy:
    """The policy with a name. Raises OptionsError for a name that there is not."""
    check_choice("policy", name, POLICIES)
    return POLICIES[name]


@dataclass(frozen=True)
class EncodeOptions:
    """Everything that changes what is in the file."""

    encoder: str = "libx264"
    """ffmpeg's name of the encoder."""
    crf: float | None = None
    """Constant rate factor; None = the encoder's own default, unless a bitrate is given."""
    bitrate_kbps: float | None = None
    """Average bitrate; excludes crf."""
    two_pass: bool = False
    """Two passes with the same map in both; needs a bitrate."""
    preset: str | None = None
    """The encoder's preset; None = the encoder's default ("medium" for x264 and x265)."""
    keyint: int | None = None
    """Longest distance of key frames, frames; None = the encoder's default."""
    pix_fmt: str | None = None
    """Pixel format to encode in; None = the input's, or the nearest the encoder takes."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Any other option of the encoder, by ffmpeg's name: {"tune": "film", "x264-params": "aq-mode=3"}."""
    attention: str = DEFAULT_ATTENTION
    """The source of attention as `stcodec.attention.open_source` reads it; "none" = the plain encode."""
    policy: OffsetPolicy = OffsetPolicy()
    levels: int | None = None
    """Number of distinct offsets in a frame, 0 included, where the encoder limits it; None = the encoder's limit."""
    view: View = WHOLE
    """What of the input is encoded: a stretch of its time, through filters."""
    keep: KeepOptions = field(default_factory=KeepOptions)
    """What becomes of audio, subtitles and tags."""

    def __post_init__(self) -> None:
        if self.crf is not None and self.bitrate_kbps is not None:
            raise OptionsError(
                f"crf {self.crf:g} and bitrate {self.bitrate_kbps:g} kbit/s exclude each other: give one", value=self.crf
            )
        check_range("bitrate", self.bitrate_kbps, 1, 10_000_000, unit="kbit/s")
        if self.two_pass and self.bitrate_kbps is None:
            raise OptionsError("two passes need a bitrate to aim at: add --bitrate, or leave --two-pass out")
        check_range("keyint", self.keyint, 1, 1_000_000)
        check_range("levels", self.levels, 2, 256)
        _check_keep(self.keep)


def _check_keep(keep: KeepOptions) -> None:
    check_choice("audio", keep.audio, get_args(AudioCoding))
    check_choice("subtitles", keep.subtitles, get_args(SubtitleCoding))
    check_range("audio bitrate", keep.audio_bitrate_kbps, 6, 1024, unit="kbit/s")
    if keep.audio == "none" and (keep.audio_tracks or keep.audio_bitrate_kbps):
        raise OptionsError("audio is none: a bitrate or tracks for it contradict that; leave them out", value="none")


@dataclass(frozen=True)
class RunOptions:
    """Everything that does not change what is in the file."""

    overwrite: bool = False
    """Replace the output if it exists."""
    verify: bool | None = None
    """Read the offsets back from the finished file; None = where the encoder's bitstream lets it be done cheaply."""
    keep_partial: bool = False
    """Keep what could be decoded of a broken input instead of failing."""
    report_path: str | os.PathLike[str] | None = None
    """Also write the report to this JSON file."""


class EncodeFields(TypedDict, total=False):
    """Fields of EncodeOptions, View, KeepOptions, OffsetPolicy and RunOptions that `encode` and `match` take by name."""

    encoder: str
    crf: float | None
    bitrate_kbps: float | None
    two_pass: bool
    preset: str | None
    keyint: int | None
    pix_fmt: str | None
    extra: Mapping[str, str]
    attention: str | AttentionSource
    """A name, or a source itself."""
    policy: OffsetPolicy | str
    """A policy, or the name of one: gentle, balanced, strong."""
    levels: int | None
    view: View
    start_seconds: float
    end_seconds: float | None
    filters: str
    strength: float
    floor: float
    min_delta_qp: float
    max_delta_qp: float
    anchor: Anchor
    smoothing_seconds: float
    step_qp: float
    keep: KeepOptions
    audio: AudioCoding
    audio_bitrate_kbps: float | None
    audio_tracks: tuple[str, ...]
    subtitles: SubtitleCoding
    strip_location: bool
    faststart: bool | None
    fragmented: bool
    ignore_dolby_vision: bool
    overwrite: bool
    verify: bool | None
    keep_partial: bool
    report_path: str | os.PathLike[str] | None


def with_fields(options: EncodeOptions, run: RunOptions, given: Mapping[str, Any]) -> tuple[EncodeOptions, RunOptions]:
    """The options with fields replaced by name; those of OffsetPolicy, View and KeepOptions go into the options' own.

    Raises OptionsError for a name that none of them has.
    """
    policy = given.get("policy", options.policy)
    policy = policy_named(policy) if isinstance(policy, str) else policy
    policy = replace(policy, **_belonging(OffsetPolicy, given))
    view = replace(given.get("view", options.view), **_belonging(View, given))
    keep = replace(given.get("keep", options.keep), **_belonging(KeepOptions, given))
    kinds = (EncodeOptions, View, KeepOptions, OffsetPolicy, RunOptions)
    unknown = set(given) - {one.name for kind in kinds for one in fields(kind)}
    if unknown:
        raise OptionsError(
            f"unknown option {', '.join(sorted(unknown))}: see {', '.join(one.__name__ for one in kinds)}",
            value=sorted(unknown),
        )
    options = replace(options, **{**_belonging(EncodeOptions, given), "policy": policy, "view": view, "keep": keep})
    return options, replace(run, **_belonging(RunOptions, given))


def _belonging(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in given.items() if name in names}
