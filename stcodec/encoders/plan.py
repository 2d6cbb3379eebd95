"""From what the user asked for to what the encoder is given, checked before the first frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import av

from stcodec.encoders.guards import guard_vp9, guard_x264, guard_x265, join_params, parse_params
from stcodec.encoders.hdr import HdrMetadata
from stcodec.encoders.table import EncoderSpec, find_encoder
from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions
from stcodec.types import BlockGrid, VideoInfo

_PARAMS = {"libx264": "x264-params", "libx265": "x265-params"}
_PARAMETER_LISTS = (*_PARAMS.values(), "x264opts")
_OWN = {
    "crf": "--crf", "b": "--bitrate", "preset": "--preset", "g": "--keyint", "pix_fmt": "--pix-fmt", "pass": "--two-pass",
    "stats": "--two-pass", "passlogfile": "--two-pass", "pixel_format": "--pix-fmt",
}  # fmt: skip
_FROM_THE_SOURCE = ("video_size", "time_base")
"""Options that would encode a corner of the picture, or at other times."""


@dataclass(frozen=True)
class EncoderPlan:
    """All that one encode needs to open its encoder; the same plan opens the plain encode of a check."""

    spec: EncoderSpec
    video: VideoInfo
    pix_fmt: str
    bit_depth: int
    options: Mapping[str, str]
    """Options of ffmpeg's wrapper, by name."""
    bitrate_bps: int
    """0 = constant quality."""
    keyint: int | None
    has_offsets: bool
    levels: int | None
    """Most distinct offsets in a frame, 0 among them."""
    messages: tuple[str, ...] = field(default=())
    """What was changed or can't be kept, for people."""
    is_live: bool = False
    """Each frame comes out before the next goes in: threads share a picture's slices, not several pictures."""
    threads: int = 0
    """Threads of the encoder; 0 = its own choice."""

    @property
    def grid(self) -> BlockGrid:
        """The blocks that can have offsets of their own."""
        return BlockGrid(self.video.width_px, self.video.height_px, self.spec.block_px)

    @property
    def qp_range(self) -> float:
        """What a qoffset of 1 means to the encoder, QP steps: deeper video has 6 more for each bit."""
        return self.spec.qp_range + 6 * (self.bit_depth - 8)

    def for_pass(self, number: int, stats: Path) -> EncoderPlan:
        """The plan of pass 1 or 2, with the encoder's statistics in a file."""
        if self.spec.name == "libx264":
            own = {"flags": f"{self.options.get('flags', '')}+pass{number}", "stats": str(stats)}
            return replace(self, options={**self.options, **own})
        params = parse_params(self.options.get("x265-params", ""))
        params |= {"pass": str(number), "stats": str(stats)}
        return replace(self, options={**self.options, "x265-params": join_params(params)})


def make_plan(options: EncodeOptions, video: VideoInfo, hdr: HdrMetadata | None = None) -> EncoderPlan:
    """Check the options against the encoder and the video. Raises OptionsError, or returns what will be done."""
    spec = find_encoder(options.encoder)
    has_offsets = options.attention != "none"
    _check_ranges(options, spec, video)
    chosen = _base_options(options, spec)
    pix_fmt, said = _pixel_format(options, spec, video)
    bit_depth = av.VideoFormat(pix_fmt).components[0].bits
    messages = _add_guarded(chosen, spec, bit_depth) if has_offsets else []
    if hdr is not None and (hdr.mastering or hdr.light_level):
        messages += hdr.add_to(chosen, _PARAMS.get(spec.name))
    return EncoderPlan(
        spec=spec,
        video=video,
        pix_fmt=pix_fmt,
        bit_depth=bit_depth,
        options=chosen,
        bitrate_bps=round((options.bitrate_kbps or 0) * 1000),
        keyint=options.keyint,
        has_offsets=has_offsets,
        levels=_levels(options, spec),
        messages=tuple(messages + said),
    )


def _check_ranges(options: EncodeOptions, spec: EncoderSpec, video: VideoInfo) -> None:
    low, high = spec.crf_range
    if options.crf is not None and not low <= options.crf <= high:
        raise OptionsError(f"crf is {options.crf:g}: {spec.name} takes {low:g} to {high:g}")
    if options.preset is not None and options.preset not in spec.presets:
        raise OptionsError(f"preset {options.preset!r} is unknown to {spec.name}: allowed are {', '.join(spec.presets)}")
    if options.two_pass and not spec.two_pass:
        raise OptionsError(f"{spec.name} takes offsets in real-time mode, which has no second pass: leave --two-pass out")
    if min(video.width_px, video.height_px) < spec.min_side_px:
        raise OptionsError(
            f"the video is {video.width_px}x{video.height_px} px: {spec.name} needs at least "
            f"{spec.min_side_px}x{spec.min_side_px}"
        )
    if options.keyint == 1 and spec.codec == "vp9" and options.attention != "none":
        raise OptionsError(
            f"keyint is 1: {spec.name} takes no offsets on key frames, so that all would be lost; use 2 or more"
        )
    for key, value in options.extra.items():
        if key in _OWN:
            raise OptionsError(f"--opt {key}=... is set by {_OWN[key]}: use that")
        if key in _FROM_THE_SOURCE:
            raise OptionsError(f"--opt {key}=...: the size and the clock are the source's; change the video first")
        if key in _PARAMETER_LISTS and not {"pass", "stats"}.isdisjoint(parse_params(value)):
            raise OptionsError(f"--opt {key}=...: pass and stats are set by --two-pass: use that")


def _base_options(options: EncodeOptions, spec: EncoderSpec) -> dict[str, str]:
    chosen = dict(options.extra)
    crf = options.crf if options.crf is not None or options.bitrate_kbps is not None else spec.default_crf
    if crf is not None:
        chosen["crf"] = f"{crf:g}"
    if options.preset is not None:
        chosen["cpu-used" if spec.codec == "vp9" else "preset"] = options.preset
    if spec.name == "libx265":  # x265 writes to the terminal by itself
        chosen["x265-params"] = join_params({"log-level": "error", **parse_params(chosen.get("x265-params", ""))})
    return chosen


def _add_guarded(chosen: dict[str, str], spec: EncoderSpec, bit_depth: int) -> list[str]:
    if spec.name == "libx265":
        added, messages = guard_x265(chosen)
        chosen["x265-params"] = join_params({**added, **parse_params(chosen.get("x265-params", ""))})
        return messages
    added, messages = guard_x264(chosen, bit_depth) if spec.name == "libx264" else guard_vp9(chosen)
    chosen.update(added)
    return messages


def _pixel_format(options: EncodeOptions, spec: EncoderSpec, video: VideoInfo) -> tuple[str, list[str]]:
    odd = video.width_px % 2 or video.height_px % 2
    if options.pix_fmt is not None:
        if options.pix_fmt not in spec.pixel_formats:
            raise OptionsError(f"{spec.name} can't encode {options.pix_fmt!r}: allowed are {', '.join(spec.pixel_formats)}")
        if odd and spec.codec != "vp9" and _is_subsampled(options.pix_fmt):
            raise OptionsError(
                f"{video.width_px}x{video.height_px} px can't be {options.pix_fmt} in {spec.codec}, whose subsampled chroma "
                "needs even sizes: leave --pix-fmt out, or scale the video first"
            )
        return options.pix_fmt, []
    wanted = video.pix_fmt if video.pix_fmt in spec.pixel_formats else nearest_format(video.pix_fmt, spec.pixel_formats)
    messages = [] if wanted == video.pix_fmt else [f"{spec.name} can't encode {video.pix_fmt}: encoded as {wanted}"]
    if odd and spec.codec != "vp9" and _is_subsampled(wanted):
        full = nearest_format(wanted.replace("420", "444").replace("422", "444"), spec.pixel_formats)
        messages.append(
            f"{video.width_px}x{video.height_px} px can't be {wanted} in {spec.codec}, whose subsampled chroma needs even "
            f"sizes: encoded as {full}, so that no pixel is lost"
        )
        wanted = full
    return wanted, messages


def _is_subsampled(pix_fmt: str) -> bool:
    return "420" in pix_fmt or "422" in pix_fmt


def nearest_format(pix_fmt: str, allowed: tuple[str, ...]) -> str:
    """The allowed format that loses least: chroma resolution and bit depth are kept if they can be, then range."""
    source = av.VideoFormat(pix_fmt)
    depth = max(component.bits for component in source.components)
    chroma = (source.chroma_width(16), source.chroma_height(16)) if len(source.components) > 2 else (0, 0)
    if source.is_rgb or "pal8" in pix_fmt:
        chroma = (16, 16)

    def loss(name: str) -> tuple[bool, int, bool, int, bool]:
        target = av.VideoFormat(name)
        bits = target.components[0].bits
        got = (target.chroma_width(16), target.chroma_height(16)) if len(target.components) > 2 else (0, 0)
        missing = max(0, chroma[0] - got[0]) + max(0, chroma[1] - got[1])
        return missing > 0, missing, bits < depth, abs(bits - depth) + sum(got), name.startswith("yuvj")

    return min(allowed, key=loss)


def _levels(options: EncodeOptions, spec: EncoderSpec) -> int | None:
    if options.levels is None or spec.max_levels is None:
        return options.levels or spec.max_levels
    if options.levels > spec.max_levels:
        raise OptionsError(
            f"{spec.name} takes at most {spec.max_levels} offset levels, {options.levels} given: "
            f"pass --levels {spec.max_levels} or use libx264"
        )
    return options.levels
