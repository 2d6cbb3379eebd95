"""Options of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stcodec.errors import OptionsError, check_range
from stcodec.evaluate.catalogue import DEFAULT_METRICS, check_viewing_distance
from stcodec.evaluate.results import HUMAN, PLAIN
from stcodec.metrics.foveated import VIEWING_DISTANCE
from stcodec.options import EncodeOptions

CLIP = "{clip}"
"""Name of the clip in a source's text. "map:maps/{clip}.mkv" is another file for each."""
HALVE_FROM_LINES = 720
_MOST_CRFS = 100


@dataclass(frozen=True)
class ArmChoice:
    """One way of encoding, as it was asked for."""

    name: str
    source: str
    """A source of attention, in which "{clip}" stands for the clip's name; "none" = plain; "human" = half the observers."""

    def for_clip(self, clip: str) -> str:
        """The source for one clip."""
        return self.source.replace(CLIP, clip)


@dataclass(frozen=True)
class EvaluateOptions:
    """Everything that the figures depend on."""

    encoders: tuple[str, ...] = ("libx264",)
    """ffmpeg's names."""
    presets: Mapping[str, str] = field(default_factory=lambda: {"": "medium"})
    """Preset by encoder; "" stands for all that are not named."""
    crfs: tuple[float, ...] = (22.0, 26.0, 30.0, 34.0, 38.0)
    arms: tuple[ArmChoice, ...] = (ArmChoice(PLAIN, "none"), ArmChoice("center", "center"), ArmChoice("motion", "motion"))
    """The plain one first."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    """Everything else about the encodes: policy, keyint, pix_fmt, further options of the encoder."""
    threads: int = 1
    """Threads of each encoder. More change the bits (x264, x265), so that the number is fixed and not the machine's."""
    gaze: Path | None = None
    """Folder of NAME.csv, or the one CSV file of the one clip; None = beside each clip."""
    weights: str | None = None
    """Source that the attended scores are weighted by, instead of gaze; may hold "{clip}"."""
    metrics: tuple[str, ...] = DEFAULT_METRICS
    viewing_distance: float = VIEWING_DISTANCE
    """Of the eyes from the screen in heights of the picture, for foveated metrics."""
    observers: int = 2
    """Viewers along whose scanpaths `fvvdp` looks; the result is their mean."""
    frames: int | None = None
    """Only so many frames from the start of each clip; None = all."""
    scale: float = 1.0
    """Size of the frames that are encoded, as a share of the clip's, > 0 to 1."""
    halve: bool = False
    """Clips of 720 lines or more at half size (and not at `scale`)."""
    split_seed: int = 0
    """Of the split of the observers into those who guide the human arm and those who judge."""
    instants: int = 12
    """Instants a clip of which the report shows pictures; 0 = none."""

    def __post_init__(self) -> None:
        if not self.encoders or not self.crfs:
            raise OptionsError("an evaluation needs an encoder and a CRF")
        _unique("encoder", self.encoders)
        _unique("CRF", [f"{crf:g}" for crf in self.crfs])
        _unique("arm", [arm.name for arm in self.arms])
        if not self.arms or self.arms[0].source != "none":
            raise OptionsError("the first arm must be the plain one: all others are compared with it")
        check_viewing_distance(self.viewing_distance)
        if not 0 < self.scale <= 1:
            raise OptionsError(f"scale is {self.scale:g}: allowed is more than 0, up to 1", value=self.scale, allowed=(0, 1))
        least = {"frames": 1, "observers": 1, "threads": 1, "instants": 0}
        for name, low in least.items():
            value: int | None = getattr(self, name)
            check_range(name, value, low)

    def scale_for(self, lines: int) -> float:
        """The scale of a clip with so many lines."""
        return 0.5 if self.halve and lines >= HALVE_FROM_LINES else self.scale

    def preset_for(self, encoder: str) -> str | None:
        """The preset of an encoder; None = its default."""
        return self.presets.get(encoder, self.presets.get(""))


def parse_arms(texts: Sequence[str]) -> tuple[ArmChoice, ...]:
    """Arms from "plain", "human", SOURCE or NAME=SOURCE, each; plain comes first, asked for or not.

    Raises OptionsError for a name or a source that is empty.
    """
    arms = [ArmChoice(PLAIN, "none")]
    for text in texts:
        # "=" may be part of a file name: only what is before the first ":" can be a name.
        name, equals, source = text.partition("=")
        if not equals or ":" in name:
            name, source = text, text
        name, source = name.strip(), source.strip()
        if not name or not source:
            raise OptionsError(f"arm {text!r}: write a source of attention, or NAME=SOURCE", value=text)
        if source in (PLAIN, "none"):
            continue
        if name in (PLAIN, HUMAN) and source != name:
            raise OptionsError(f"arm {text!r}: the name {name} is taken: choose another", value=name)
        arms.append(ArmChoice(name, source))
    return tuple(arms)


def parse_crfs(text: str) -> tuple[float, ...]:
    """CRFs from "22:38:4" (from, to and step) or "22,26,30". Raises OptionsError."""
    try:
        crfs = _steps(text) if ":" in text else [float(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError, OverflowError):
        crfs = []
    if not crfs or not all(map(math.isfinite, crfs)):
        raise OptionsError(f"crf {text!r}: write FIRST:LAST:STEP, for instance 22:38:4, or a list: 22,26,30", value=text)
    return tuple(crfs)


def _steps(text: str) -> list[float]:
    first, last, step = (float(part) for part in text.split(":"))
    count = math.floor((last - first) / step + 1e-6) + 1
    return [first + step * index for index in range(min(count, _MOST_CRFS))]


def parse_presets(text: str) -> dict[str, str]:
    """Presets by encoder from "medium" or "medium,libvpx-vp9=8"; "" stands for all that are not named."""
    presets = {}
    for part in text.split(","):
        encoder, equals, preset = part.partition("=")
        presets[encoder.strip() if equals else ""] = (preset if equals else encoder).strip()
    return presets


def _unique(what: str, values: Sequence[str]) -> None:
    doubled = sorted({value for value in values if values.count(value) > 1})
    if doubled:
        raise OptionsError(f"{what} {', '.join(doubled)} is given twice: once is enough", value=doubled)
