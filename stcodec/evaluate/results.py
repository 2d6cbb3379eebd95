"""A finished evaluation: what was encoded, what it cost, how good it was, and what follows from that.

`stcodec.evaluate.output` turns it into `results.json` and back. A number that is not known is None, never NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RESULTS_SCHEMA = 1
"""Version of the JSON; raised when a field changes its meaning or goes away."""
PLAIN = "plain"
"""The arm that all others are compared with."""
HUMAN = "human"
"""The arm guided by the gaze of half of the observers: the ceiling that a model can be expected to reach."""
WORST = "-worst5"
"""Ending of the name of a score: the mean over the worst 5 % of frames ("psnr-attended-worst5")."""

Region = Literal["attended", "foveated", "whole", "background"]


@dataclass(frozen=True)
class Metric:
    """One measure of quality, as it stands in scores, series and tables."""

    name: str
    """Key of scores and series: "psnr-attended", "ssim-foveated", "vmaf-whole", "xpsnr-whole"."""
    label: str
    """For people: "attended PSNR"."""
    unit: str
    """"dB", or "" for a number without unit."""
    region: Region
    higher_is_better: bool = True
    """False for CAMBI, of which no BD-rate is made."""
    decimals: int = 2
    """Digits worth printing."""
    note: str = ""
    """Caveats for a reader: "non-standard: ..."."""


@dataclass(frozen=True)
class ClipInfo:
    """A clip as it was scored."""

    name: str
    """Unique among the clips: the file name without its ending."""
    path: str
    """Name given by the user, printable."""
    width_px: int
    """Of the frames that were encoded and scored, in display orientation."""
    height_px: int
    frames_per_second: float | None
    seconds: tuple[float, ...]
    """[T] presentation time of each frame since the first one; the series of all points stand on these."""
    scored: tuple[bool, ...]
    """[T] False where a frame is left out of the pooled scores (the first 0.3 s, when gaze says nothing yet)."""
    prepared: str
    """Changes before encoding: "" or "first 90 frames, halved to 640x360"."""
    weights: str
    """Weights of the attended scores: "gaze of 16 of 32 observers"; "" = nothing, no attended scores."""
    weights_source: str
    """The same as the user would write it: "gaze:NAME.csv", "map:FILE"; "" if there are no weights."""
    shots: tuple[float, ...] = ()
    """Seconds at which shots begin, if known."""


@dataclass(frozen=True)
class Arm:
    """One way of encoding."""

    name: str
    """"plain", "center", "human", or what the user called it; in a comparison of files the file's name."""
    attention: str
    """The source as the user would write it; "none" for plain; "" for a file that was only scored."""
    description: str
    """For people, one line."""
    policy: Mapping[str, float | str] = field(default_factory=dict)
    """Fields of OffsetPolicy by name; empty for plain."""


@dataclass(frozen=True)
class Point:
    """One encode, scored. In a comparison of files: one file."""

    crf: float | None
    """None for a file that was only scored."""
    kbps: float
    """The video packets' own bits over the duration of the video."""
    video_bytes: int
    frames: int
    scores: Mapping[str, float | None]
    """Pooled over the scored frames, by `Metric.name`; also NAME + "-worst5". None = the metric failed, or infinite."""
    series: Mapping[str, tuple[float | None, ...]]
    """Each frame's value by `Metric.name`, [T] as `ClipInfo.seconds`; None where a frame has none."""
    mean_delta_qp: float | None = None
    """QP steps over all blocks and frames; None for a plain encode."""
    encode_seconds: float | None = None
    """Wall time of the encode, as it ran beside others: for orientation only."""
    offsets_verdict: str = ""
    """EncodeReport.offsets_applied.verdict; "" if it was not measured."""
    name: str = ""
    """The scored file, printable; "" for an encode made here."""


@dataclass(frozen=True)
class Curve:
    """All points of one clip, encoder and arm."""

    clip: str
    """`ClipInfo.name`."""
    encoder: str
    """ffmpeg's name; "" in a comparison of files."""
    arm: str
    """`Arm.name`."""
    self_weighted: bool
    """True if the attended scores are weighted by (a part of) the very source that guided the encode: no result."""
    points: tuple[Point, ...]
    """By rising bitrate."""


@dataclass(frozen=True)
class Saving:
    """One clip, encoder, arm and metric against the plain arm."""

    clip: str
    encoder: str
    arm: str
    metric: str
    """`Metric.name`."""
    self_weighted: bool
    bd_rate_percent: float | None
    """Bits at equal quality (Akima), negative = saving; None = none could be made, see `refused`."""
    bd_rate_pchip_percent: float | None
    """The same by PCHIP, to see how far the interpolation matters."""
    bd_quality: float | None
    """Quality at equal bits, in the metric's unit (BD-PSNR), positive = better."""
    overlap: float | None
    """Share of the two curves' quality range that both have, 0 to 1."""
    refused: str = ""
    """Reason why there is no BD-rate, one sentence; "" if there is one."""


@dataclass(frozen=True)
class Headline:
    """One encoder, arm and metric over all clips."""

    encoder: str
    arm: str
    metric: str
    """`Metric.name`."""
    self_weighted: bool
    """True if it is for any of the clips."""
    bd_rate_percent: float | None
    """Mean over the clips that have one; None if none has."""
    bd_rate_pchip_percent: float | None
    low_percent: float | None
    """Bootstrap 95 % interval of the mean over clips; None with fewer than two clips."""
    high_percent: float | None
    bd_quality: float | None
    """Mean over clips, in the metric's unit."""
    clips: int
    """Clips in the mean."""
    refused: tuple[str, ...] = ()
    """Clips that are not in the mean, each with its reason: "NAME: why"."""
    share_of_human: float | None = None
    """The arm's mean saving as a share of the human arm's, over the clips that both have (1 = all of it)."""


@dataclass(frozen=True)
class FramePictures:
    """One instant of one clip. Pictures are paths relative to the folder of results.json; "" = there is none."""

    seconds: float
    """Since the clip's first frame."""
    source: str
    gaze: str
    """The source, with the density that the attended scores are weighted by."""
    map: str
    """The map that guided the encode (bright = attended)."""
    qp: str
    """QP read back from the guided file; "" for codecs that export none."""
    plain: str
    guided: str
    error: str
    """Comparison of errors: blue where the guided encode is nearer to the source than the plain one, red where farther."""
    scores: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """(plain, guided) of this very frame, by `Metric.name`."""


@dataclass(frozen=True)
class Viewer:
    """Pictures of one clip: a guided encode beside the plain one of (nearly) the same bitrate."""

    clip: str
    encoder: str
    arm: str
    """The guided arm."""
    plain_crf: float
    plain_kbps: float
    guided_crf: float
    guided_kbps: float
    frames: tuple[FramePictures, ...]
    note: str = ""
    """Caveats for a reader: how far the rates differ, why there is no QP."""
    qp_range: tuple[float, float] | None = None
    """Lowest and highest QP in the pictures' colours (dark to bright), None without read-back."""


@dataclass(frozen=True)
class Failure:
    """Something that did not work; all the rest went on. Fields that don't apply are "" or None."""

    clip: str
    what: str
    """"prepare", "maps", "encode", "pair", a metric's name, "pictures"."""
    message: str
    """One line, for people."""
    encoder: str = ""
    arm: str = ""
    crf: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """Everything that `stcodec evaluate` found out; `stcodec compare` fills the same fields with files as arms."""

    kind: Literal["evaluate", "compare"]
    command: str
    """The command line, printable."""
    created: str
    """UTC, ISO 8601."""
    machine: Mapping[str, str]
    """"system", "processor", "cores"."""
    versions: Mapping[str, str]
    """stcodec, python, numpy, av, ffmpeg, libx264, ..., by name."""
    settings: Mapping[str, str]
    """Settings by flag name without dashes: "preset": "medium", "crf": "22 26 30 34 38", "jobs": "2"."""
    metrics: tuple[Metric, ...]
    """Those that were asked for, the headline's first."""
    headline_metric: str
    """`Metric.name` that the page leads with: "psnr-attended" with weights, else "psnr-whole"."""
    clips: tuple[ClipInfo, ...]
    arms: tuple[Arm, ...]
    """Arms in the order given, "plain" first."""
    curves: tuple[Curve, ...]
    savings: tuple[Saving, ...]
    headlines: tuple[Headline, ...]
    viewers: tuple[Viewer, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()
    """Caveats for a reader: how the observers were split, that one CRF point gives no BD-rate."""

    @property
    def self_weighted(self) -> bool:
        """True if any attended score is weighted by the source that guided the encode."""
        return any(curve.self_weighted for curve in self.curves)
