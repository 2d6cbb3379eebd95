"""The encoders that stcodec drives, and those that it doesn't, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stcodec.encoders import svtav1, vp9, x264, x265
from stcodec.encoders.encoder import Encoder
from stcodec.errors import OptionsError

ENCODERS: dict[str, Encoder] = {module.ENCODER.name: module.ENCODER for module in (x264, x265, vp9, svtav1)}
"""Encoders that take per-block offsets, by name: a file for each."""

_NO_CODE = "ffmpeg's wrapper has no code for QP offsets"


@dataclass(frozen=True)
class NoWay:
    """An encoder that ffmpeg gives no way to."""

    why: str = _NO_CODE
    trial_options: Mapping[str, str] = field(default_factory=dict)
    """With which it is quick."""


_NVENC = NoWay(f"{_NO_CODE}, though NVENC has maps of its own")
NO_WAY: dict[str, NoWay] = {
    "libaom-av1": NoWay(trial_options={"cpu-used": "8"}),
    "librav1e": NoWay(trial_options={"speed": "10"}),
    "libvvenc": NoWay(trial_options={"preset": "faster"}),
    "h264_nvenc": _NVENC,
    "hevc_nvenc": _NVENC,
    "av1_nvenc": _NVENC,
    "h264_amf": NoWay(),
    "hevc_amf": NoWay(),
    "av1_amf": NoWay(),
}
"""By name. `stcodec doctor` tries those that run here."""

NOT_DRIVEN: dict[str, str] = {
    "libvpx": "VP8 takes 4 offset levels, libvpx-vp9 8",
    "libkvazaar": "it takes offsets from a file and at constant QP only",
    "h264_qsv": "it takes offsets on Intel hardware, which nobody has tried with stcodec",
    "hevc_qsv": "it takes offsets on Intel hardware, which nobody has tried with stcodec",
    "h264_vaapi": "it takes as many offsets as the driver does, which nobody has tried with stcodec",
    "hevc_vaapi": "it takes as many offsets as the driver does, which nobody has tried with stcodec",
}
"""Encoders that could take offsets but that this version does not drive, with the reason."""


def find_encoder(name: str) -> Encoder:
    """The encoder of that name. Raises OptionsError, with what to use instead, for any other name."""
    if name in ENCODERS:
        return ENCODERS[name]
    known = ", ".join(ENCODERS)
    if name in NO_WAY or name in NOT_DRIVEN:
        near = [one.name for one in ENCODERS.values() if any(word in name for word in one.stands_in_for)]
        advice = f"Use {near[0]}; allowed are {known}"
        if name in NO_WAY:
            raise OptionsError(
                f"{name} can't be given QP offsets: {NO_WAY[name].why}. {advice}", value=name, allowed=tuple(ENCODERS)
            )
        raise OptionsError(
            f"{name} is not driven by this version: {NOT_DRIVEN[name]}. {advice}", value=name, allowed=tuple(ENCODERS)
        )
    meant = next((one.name for one in ENCODERS.values() if name.lower() in one.aliases), None)
    hint = f"; did you mean {meant}?" if meant else ""
    raise OptionsError(f"unknown encoder {name!r}: allowed are {known}{hint}", value=name, allowed=tuple(ENCODERS))


def encoder_of(codec: str) -> Encoder | None:
    """The encoder that knows a codec (ffmpeg's name); None if there is none."""
    return next((encoder for encoder in ENCODERS.values() if encoder.codec == codec), None)


def names_where(holds: Callable[[Encoder], bool]) -> str:
    """The encoders of which something holds, for messages: "libx264 or libx265"."""
    return " or ".join(encoder.name for encoder in ENCODERS.values() if holds(encoder))
