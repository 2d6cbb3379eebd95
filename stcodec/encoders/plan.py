"""Settings of one encode, made from the user's options and checked before the first frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import av

from stcodec.encoders.encoder import Encoder
from stcodec.encoders.hdr import HdrMetadata
from stcodec.encoders.table import find_encoder, names_where
from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions
from stcodec.types import BlockGrid, VideoInfo

_OWN = {
    "crf": "--crf", "b": "--bitrate", "preset": "--preset", "g": "--keyint", "pix_fmt": "--pix-fmt", "pass": "--two-pass",
    "stats": "--two-pass", "passlogfile": "--two-pass", "pixel_format": "--pix-fmt",
}  # fmt: skip
_FROM_THE_SOURCE = ("video_size", "time_base")
"""Options that would encode a corner of the picture, or at other times."""


@dataclass(frozen=True)
class EncoderPlan:
    """All that one encode needs to open its encoder; the same plan opens the plain encode of a check."""

    encoder: Encoder
    video: VideoInfo
    pix_fmt: str
    bit_depth: int
    options: Mapping[str, str]
    """Options of ffmpeg's wrapper, by name."""
    bitrate_bps: int
    """0 = constant quality."""
    keyint: int | None
    has_offsets: bool
    shifts_crf: bool
    """Whether a shift is another CRF, of an encoder opened anew."""
    levels: int | None
    """Most distinct offsets in a frame, 0 among them."""
    messages: tuple[str, ...] = field(default=())
    """What was changed or can't be kept, for people."""
    searched_kbps: float | None = None
    """Bitrate to be reached by a search of the CRF, which is not done yet: a session refuses such a plan."""
    is_live: bool = False
    """Each frame comes out before the next goes in: threads share a picture's slices, not several pictures."""
    threads: int = 0
    """Threads of the encoder; 0 = its own choice."""

    @property
    def grid(self) -> BlockGrid:
        """The blocks that can have offsets of their own."""
        return BlockGrid(self.video.width_px, self.video.height_px, self.encoder.block_px)

    @property
    def qp_range(self) -> float:
        """QP steps of a qoffset of 1."""
        return self.encoder.range_for(self.bit_depth)

    def at_crf(self, crf: int) -> EncoderPlan:
        """The plan with a CRF, found by the search for a bitrate or on the way."""
        return replace(self, options={**self.options, "crf": f"{crf}"}, searched_kbps=None)

    @property
    def shifts(self) -> bool:
        """Whether each frame can be given a shift."""
        return self.shifts_crf or (self.has_offsets and self.encoder.shifts_frames)

    def for_pass(self, number: int, stats: Path) -> EncoderPlan:
        """The plan of pass 1 or 2, with the encoder's statistics in a file."""
        return replace(self, options=self.encoder.for_pass(self.options, number, stats))


def make_plan(options: EncodeOptions, video: VideoInfo, hdr: HdrMetadata | None = None) -> EncoderPlan:
    """Check the options against the encoder and the video. Raises OptionsError, or returns what will be done."""
    encoder = find_encoder(options.encoder)
    has_offsets = encoder.gives_offsets(options)
    searched_kbps = None
    if (constant := encoder.without_bitrate(options)) is not None:
        options, searched_kbps = constant, options.bitrate_kbps
    _check_ranges(options, encoder, video)
    chosen = _base_options(options, encoder)
    pix_fmt, said = _pixel_format(options, encoder, video)
    bit_depth = av.VideoFormat(pix_fmt).components[0].bits
    messages = list[str]()
    if has_offsets:
        chosen, messages = encoder.guarded(chosen, bit_depth)
    if hdr is not None and (hdr.mastering or hdr.light_level):
        chosen, more = encoder.with_hdr(chosen, hdr)
        messages += more
    return EncoderPlan(
        encoder=encoder,
        video=video,
        pix_fmt=pix_fmt,
        bit_depth=bit_depth,
        options=chosen,
        bitrate_bps=round((options.bitrate_kbps or 0) * 1000),
        keyint=options.keyint,
        has_offsets=has_offsets,
        shifts_crf=encoder.begins_anew and options.attention != "none" and options.crf is not None,
        levels=_levels(options, encoder),
        messages=tuple(messages + said),
        searched_kbps=searched_kbps,
    )


def _check_ranges(options: EncodeOptions, encoder: Encoder, video: VideoInfo) -> None:
    if options.crf is not None:
        encoder.check_crf(options.crf)
    if options.preset is not None and options.preset not in encoder.presets:
        raise OptionsError(
            f"preset {options.preset!r} is unknown to {encoder.name}: allowed are {', '.join(encoder.presets)}",
            value=options.preset,
            allowed=encoder.presets,
        )
    if min(video.width_px, video.height_px) < encoder.min_side_px:
        raise OptionsError(
            f"the video is {video.width_px}x{video.height_px} px: {encoder.name} needs at least "
            f"{encoder.min_side_px}x{encoder.min_side_px}; scale it up or choose another encoder",
            value=(video.width_px, video.height_px),
            allowed=(encoder.min_side_px, encoder.min_side_px),
        )
    encoder.check(options)
    for key in options.extra:
        if key in _OWN:
            raise OptionsError(f"--opt {key}=... is set by {_OWN[key]}: use that", value=key)
        if key in _FROM_THE_SOURCE:
            raise OptionsError(
                f"--opt {key}=...: the size and the clock are the source's; change the video first", value=key
            )


def _base_options(options: EncodeOptions, encoder: Encoder) -> dict[str, str]:
    chosen = encoder.base_options(options.extra)
    crf = options.crf if options.crf is not None or options.bitrate_kbps is not None else encoder.default_crf
    if crf is not None:
        chosen["crf"] = f"{crf:g}"
    if options.preset is not None:
        chosen[encoder.preset_option] = options.preset
    return chosen


def _pixel_format(options: EncodeOptions, encoder: Encoder, video: VideoInfo) -> tuple[str, list[str]]:
    odd = video.width_px % 2 or video.height_px % 2
    if options.pix_fmt is not None:
        if options.pix_fmt not in encoder.pixel_formats:
            raise OptionsError(
                f"{encoder.name} can't encode {options.pix_fmt!r}: allowed are {', '.join(encoder.pixel_formats)}",
                value=options.pix_fmt,
                allowed=encoder.pixel_formats,
            )
        if odd and not encoder.takes_odd_sizes and _is_subsampled(options.pix_fmt):
            raise OptionsError(
                f"{video.width_px}x{video.height_px} px can't be {options.pix_fmt} in {encoder.codec}, whose subsampled "
                "chroma needs even sizes: leave --pix-fmt out, or scale the video first"
            )
        return options.pix_fmt, []
    wanted = (
        video.pix_fmt if video.pix_fmt in encoder.pixel_formats else nearest_format(video.pix_fmt, encoder.pixel_formats)
    )
    messages = [] if wanted == video.pix_fmt else [f"{encoder.name} can't encode {video.pix_fmt}: encoded as {wanted}"]
    if odd and not encoder.takes_odd_sizes and _is_subsampled(wanted):
        full = nearest_format(wanted.replace("420", "444").replace("422", "444"), encoder.pixel_formats)
        messages.append(
            f"{video.width_px}x{video.height_px} px can't be {wanted} in {encoder.codec}, whose subsampled chroma needs "
            f"even sizes: encoded as {full}, so that no pixel is lost"
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


def _levels(options: EncodeOptions, encoder: Encoder) -> int | None:
    if options.levels is None or encoder.max_levels is None:
        return options.levels or encoder.max_levels
    if options.levels > encoder.max_levels:
        raise OptionsError(
            f"{encoder.name} takes at most {encoder.max_levels} offset levels, {options.levels} given: "
            f"pass --levels {encoder.max_levels} or use {names_where(lambda one: one.shifts_frames)}",
            value=options.levels,
            allowed=(2, encoder.max_levels),
        )
    return options.levels
