"""Common ground of x264 and x265: parameter lists, adaptive quantisation that carries the offsets, presets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from stcodec.encoders.encoder import Encoder
from stcodec.encoders.params import FALSE, is_off, join_params, number, parse_params
from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions

if TYPE_CHECKING:
    from stcodec.encoders.hdr import HdrMetadata

_NAMES = {"qpmin": "qmin", "qpmax": "qmax", "qp-min": "qmin", "qp-max": "qmax"}
_NEGATED = re.compile(r"no-?(.+)")
"""Both read "no-mbtree=1" and "nombtree=1" as "mbtree=0"."""
_BETWEEN_TUNES = re.compile(r"[,./+-]")
"""What is taken between several tunes."""
_GENTLE_AQ = {"aq-mode": "1", "aq-strength": "0.01"}
"""Adaptive quantisation that is on, so that offsets count, and so weak that it changes nothing by itself."""
_START_CODE = b"\0\0\1"


class X26x(Encoder):
    """x264 or x265."""

    params: ClassVar[str]
    """ffmpeg's option that holds the encoder's own."""
    tree: ClassVar[str]
    """The encoder's name for propagating quality along references."""
    hdr_names: ClassVar[tuple[str, str]]
    """Its names for mastering display and content light level."""

    presets = (
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
    )  # fmt: skip
    containers = (".mp4", ".mkv", ".mov", ".m4v", ".ts")
    target_kinds = ("hls", "dash", "rtmp", "srt", "rtsp", "mpegts", "pipe", "file")
    joins_parts = True

    def check(self, options: EncodeOptions) -> None:
        for key in self.parameter_lists:
            if not {"pass", "stats"}.isdisjoint(parse_params(options.extra.get(key, ""))):
                raise OptionsError(f"--opt {key}=...: pass and stats are set by --two-pass: use that", value=key)

    def with_params(self, options: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
        """The options with these among the encoder's own, over what stands there."""
        return {**options, self.params: join_params({**parse_params(options.get(self.params, "")), **params})}

    def with_default_params(self, options: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
        """The options with these among the encoder's own, below what stands there."""
        return {**options, self.params: join_params({**params, **parse_params(options.get(self.params, ""))})}

    def with_hdr(self, options: Mapping[str, str], hdr: HdrMetadata) -> tuple[dict[str, str], list[str]]:
        params = parse_params(options.get(self.params, ""))
        for name, value in zip(self.hdr_names, (hdr.mastering, hdr.light_level), strict=True):
            if value:
                params.setdefault(name, value)
        return {**options, self.params: join_params(params)}, []

    def live_options(self, extra: Mapping[str, str], bitrate_kbps: float, preset: str, first_preset: str) -> dict[str, str]:
        tune = f"{extra['tune']},zerolatency" if "tune" in extra else "zerolatency"
        # Headers before every key frame as well: who joins late, and targets without a place for them, need them there.
        params = {"scenecut": "0", **parse_params(extra.get(self.params, "")), "repeat-headers": "1"}
        params = {**self.header_params(preset, first_preset), **params}
        return {**extra, "tune": tune, "forced-idr": "1", self.params: join_params(params)}

    def header_params(self, preset: str, first_preset: str) -> dict[str, str]:
        """Options with which a preset writes the header of another."""
        del preset, first_preset
        return {}

    def effective(self, options: Mapping[str, str]) -> dict[str, str]:
        """Options of ffmpeg's wrapper and of the encoder's own lists under one spelling; the own win, as in ffmpeg."""
        merged = {key.replace("_", "-"): value for key, value in options.items() if key not in self.parameter_lists}
        for key in ("aq-mode", "aq-strength"):
            if merged.get(key, "").startswith("-"):
                del merged[key]  # the wrapper's word for "the encoder's default"
        for name in self.parameter_lists:
            for key, value in parse_params(options.get(name, "")).items():
                plain, meant = key.replace("_", "-"), value
                negated = _NEGATED.fullmatch(plain)
                if negated:
                    plain, meant = negated[1], "1" if value.lower() in FALSE else "0"
                merged[_NAMES.get(plain, plain)] = meant
        return merged

    def check_aq(self, seen: Mapping[str, str]) -> None:
        """Raise OptionsError if adaptive quantisation is off or has nothing to choose from."""
        if is_off(seen, "aq-mode"):
            raise self.refusal("aq-mode=0", "offsets ride on adaptive quantisation", "leave aq-mode out")
        if number(seen.get("aq-strength", "1")) <= 0:
            # Presets, tunes, the lookahead and keyint=1 turn the tree off too, so that nobody can tell.
            why = f"it turns adaptive quantisation off wherever {self.tree} is off"
            raise self.refusal(f"aq-strength={seen['aq-strength']}", why, "use aq-strength=0.01")
        if "qmin" in seen and seen["qmin"] == seen.get("qmax"):
            why = "it leaves a single QP to choose from"
            raise self.refusal(f"qmin=qmax={seen['qmin']}", why, "leave room between the two")


def kept_on(seen: Mapping[str, str], losing: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], list[str]]:
    """Options that keep adaptive quantisation on under presets and tunes that turn it off, and a message; else nothing."""
    for key, values in losing.items():
        if "aq-mode" not in seen and not set(values).isdisjoint(_BETWEEN_TUNES.split(seen.get(key, ""))):
            said = f"{key}={seen[key]} turns adaptive quantisation off: kept on at strength 0.01 to carry the offsets"
            return dict(_GENTLE_AQ), [said]
    return {}, []


def nal_units(header: bytes) -> Iterator[bytes]:
    """The NAL units of a header in Annex B."""
    for piece in header.split(_START_CODE)[1:]:
        unit = piece.rstrip(b"\0")
        if len(unit) > 3:
            yield unit
