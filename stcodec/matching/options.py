"""Goal of a search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from stcodec.encoders.encoder import Encoder
from stcodec.encoders.table import find_encoder
from stcodec.errors import OptionsError, check_range
from stcodec.matching.quality import METRICS, QualityMetric
from stcodec.options import EncodeOptions

DEFAULT_METRIC = "attended-psnr"
MOST_ENCODES = 6
"""Of one shot, with offsets."""
LARGEST_SHIFT_QP = 12.0
"""Around the crf that is matched."""

Verification = Literal["parts", "full"]


@dataclass(frozen=True)
class MatchOptions:
    """A quality to reach: that of a plain encode, or a value."""

    crf: float | None = None
    """The quality of a plain encode with this constant rate factor is wanted; excludes value."""
    value: float | None = None
    """This quality is wanted, in the metric's unit; excludes crf."""
    metric: str = DEFAULT_METRIC
    """attended-psnr, attended-ssim, attended-vmaf, foveated-psnr, psnr or vmaf."""
    tolerance: float | None = None
    """Largest difference that is near enough, in the metric's unit; None = the metric's own (0.1 dB, 0.3 points of VMAF)."""
    verify: Verification = "parts"
    """Frames that the finished file is compared on: parts all over it (of a video of 20 s or less everything), or all.
    With crf they are encoded plainly, too."""

    def __post_init__(self) -> None:
        if (self.crf is None) == (self.value is None):
            raise OptionsError("a search has one goal: the crf of a plain encode (--match-crf), or a value (--target)")
        quality = self.quality
        check_range(self.metric, self.value, *quality.values, note=f" {quality.unit}")
        least, most = quality.tolerance / 10, quality.tolerance * 100
        if not least <= self.near <= most:
            raise OptionsError(
                f"the tolerance is {self.near:g}: for {self.metric} allowed is {least:g} to {most:g} {quality.unit}",
                value=self.near,
                allowed=(least, most),
            )
        if self.verify not in get_args(Verification):
            raise OptionsError(
                f"verify is {self.verify!r}: allowed are parts or full", value=self.verify, allowed=get_args(Verification)
            )

    @property
    def quality(self) -> QualityMetric:
        """The metric. Raises OptionsError if there is none of that name."""
        if self.metric not in METRICS:
            raise OptionsError(
                f"unknown metric {self.metric!r}: allowed are {', '.join(METRICS)}",
                value=self.metric,
                allowed=tuple(METRICS),
            )
        return METRICS[self.metric]

    @property
    def near(self) -> float:
        """The tolerance, in the metric's unit."""
        return self.quality.tolerance if self.tolerance is None else self.tolerance

    @property
    def text(self) -> str:
        """The goal as a user writes it."""
        return f"crf={self.crf:g}" if self.crf is not None else f"{self.metric}={self.value:g}"

    def base(self, options: EncodeOptions) -> EncodeOptions:
        """The options of the encode that the search begins with. Raises OptionsError if they leave nothing to search."""
        flag = "--target" if self.crf is None else "--match-crf"
        if options.bitrate_kbps is not None or options.two_pass:
            given = "--two-pass" if options.bitrate_kbps is None else "--bitrate"
            raise OptionsError(f"{flag} fixes the quality, {given} the size: leave one of them out")
        if options.crf is not None:
            raise OptionsError(f"{flag} finds the crf by itself: leave --crf {options.crf:g} out", value=options.crf)
        if options.attention == "none":
            raise OptionsError(f"{flag} needs to know where viewers look: leave --attention none out, or name a source")
        return replace(options, crf=find_encoder(options.encoder).usual_crf if self.crf is None else self.crf)

    def limits_qp(self, encoder: Encoder, crf: float) -> tuple[float, float]:
        """Range of the search around a crf, QP steps below (<= 0) and above (>= 0)."""
        if self.crf is None:
            low, high = encoder.searched_crf
            return low - crf, high - crf
        if encoder.shifts_frames:  # offsets reach beyond the ends of the crf's range
            return -LARGEST_SHIFT_QP, LARGEST_SHIFT_QP
        low, high = encoder.crf_range
        return max(low - crf, -LARGEST_SHIFT_QP), min(high - crf, LARGEST_SHIFT_QP)

    def planned(self, options: EncodeOptions) -> dict[str, Any]:
        """Plan of a search with those options, for people and as JSON. Raises what `base` raises."""
        base = self.base(options)
        assert base.crf is not None
        encoder = find_encoder(base.encoder)
        low, high = self.limits_qp(encoder, base.crf)
        return {
            "target": self.text,
            "metric": self.metric,
            "unit": self.quality.unit,
            "tolerance": self.near,
            "control": "shots" if encoder.shifts_frames or encoder.begins_anew else "file",
            "first_crf": base.crf,
            "lowest_qp": low,
            "highest_qp": high,
            "most_encodes": MOST_ENCODES,
            "verify": self.verify,
        }


def match_options(
    crf: float | None, target: str | None, metric: str | None, tolerance: float | None, verify: str | None
) -> MatchOptions | None:
    """Goal that the command line asks for, each None if not given; None if it asks for no search. Raises OptionsError."""
    if crf is None and target is None:
        given = {"--match-metric": metric, "--match-tolerance": tolerance, "--match-verify": verify}
        for flag, value in given.items():
            if value is not None:
                raise OptionsError(f"{flag} belongs to a search for a quality: add --match-crf or --target, or leave it out")
        return None
    value = None
    if target is not None:
        if metric is not None:
            raise OptionsError(f"--target {target} names the metric: leave --match-metric out")
        metric, value = parse_target(target)
    chosen: Verification = "full" if verify == "full" else "parts"
    return MatchOptions(crf, value, metric or DEFAULT_METRIC, tolerance, chosen)


def parse_target(text: str) -> tuple[str, float]:
    """The metric and the value of "attended-vmaf=93". Raises OptionsError."""
    name, equals, number = text.partition("=")
    if equals and name not in METRICS:
        raise OptionsError(
            f"target {text!r}: unknown metric {name!r}: allowed are {', '.join(METRICS)}", value=name, allowed=tuple(METRICS)
        )
    try:
        return name, float(number)
    except ValueError:
        example = f"{name if equals else 'attended-vmaf'}=93"
        raise OptionsError(f"target {text!r}: write METRIC=VALUE, for instance {example}", value=text) from None
