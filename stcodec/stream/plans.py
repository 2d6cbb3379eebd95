"""Encoder plans of a stream, from its options."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.encoders.table import find_encoder
from stcodec.errors import OptionsError
from stcodec.media.lossless import scaled_size
from stcodec.options import EncodeOptions
from stcodec.stream.options import Rendition, StreamOptions
from stcodec.stream.packet import TICK
from stcodec.types import VideoInfo

PIX_FMT = "yuv420p"
"""Pixel format that every player and server takes."""
_SPARE_KEY_DISTANCE = 4
"""Key frames are asked for by time; the encoder's own limit lies so many times further, should it ever be needed."""
_LEAST_FILL = 0.02
"""0 would mean that nothing is known."""


def live_plan(options: StreamOptions, rendition: Rendition, canvas: VideoInfo, preset: str) -> EncoderPlan:
    """The plan of one encoder. Raises OptionsError."""
    video = _sized(rendition, canvas)
    fps = video.frame_rate or Fraction(30)
    wanted = EncodeOptions(
        encoder=options.encoder,
        bitrate_kbps=rendition.bitrate_kbps,
        preset=preset,
        keyint=max(2, round(_SPARE_KEY_DISTANCE * options.keyint_seconds * fps)),
        pix_fmt=PIX_FMT,
        extra=_extra(options, rendition, preset),
        attention=options.attention,
        policy=options.policy,
        levels=options.levels,
    )
    encoder = find_encoder(options.encoder)
    if encoder.without_bitrate(wanted) is not None:
        way = "a stream can't be encoded again and again in search of a crf: choose another encoder"
        raise encoder.refusal("a bitrate", "its rate control ignores the map", way)
    plan = make_plan(wanted, video)
    return replace(plan, is_live=True, threads=_threads(len(options.renditions)))


def continued_plan(plan: EncoderPlan, rendition: Rendition, buffer_fill: float) -> EncoderPlan:
    """The plan of an encoder that takes over from another: it begins with the decoder's buffer as that left it, 0 to 1.

    By itself it would take the buffer for nearly full, and spend what is not there.
    """
    there_bits = 1000 * rendition.buffer_kbit * max(_LEAST_FILL, buffer_fill)
    return replace(plan, options={**plan.options, "rc_init_occupancy": f"{there_bits:.0f}"})


def first_preset(options: StreamOptions) -> str:
    """The preset to begin with."""
    return options.preset or find_encoder(options.encoder).live_preset


def easier_presets(options: StreamOptions) -> tuple[str, ...]:
    """The presets that are easier than the first, the next one first."""
    encoder, first = find_encoder(options.encoder), first_preset(options)
    if first not in encoder.presets:
        raise OptionsError(
            f"preset {first!r} is unknown to {encoder.name}: allowed are {', '.join(encoder.presets)}",
            value=first,
            allowed=encoder.presets,
        )
    return encoder.easier_presets(first)


def _sized(rendition: Rendition, canvas: VideoInfo) -> VideoInfo:
    """The canvas in the rendition's size. Raises OptionsError if that is larger."""
    if rendition.lines is None:
        return canvas
    shorter = min(canvas.width_px, canvas.height_px)
    if rendition.lines > shorter:
        raise OptionsError(
            f"rendition {rendition.lines}p is larger than the source, {canvas.width_px}x{canvas.height_px}: "
            f"at most {shorter}p",
            value=rendition.lines,
            allowed=shorter,
        )
    width, height = scaled_size(canvas.width_px, canvas.height_px, rendition.lines / shorter)
    aspect = (canvas.sample_aspect_ratio or 1) * Fraction(canvas.width_px * height, canvas.height_px * width)
    return replace(canvas, width_px=width, height_px=height, sample_aspect_ratio=aspect)


def encoded_video(video: VideoInfo, frame_rate: Fraction) -> VideoInfo:
    """The video that is encoded from a source: upright, even sizes, 8 bits, the stream's clock."""
    width, height = video.display_width_px // 2 * 2, video.display_height_px // 2 * 2
    aspect = video.sample_aspect_ratio
    if aspect and video.rotation_degrees in (90, 270):
        aspect = 1 / aspect
    return replace(
        video,
        width_px=max(16, width),
        height_px=max(16, height),
        time_base=TICK,
        frame_rate=frame_rate,
        pix_fmt=PIX_FMT,
        bit_depth=8,
        rotation_degrees=0,
        sample_aspect_ratio=aspect,
        start_seconds=0.0,
    )


def _extra(options: StreamOptions, rendition: Rendition, preset: str) -> dict[str, str]:
    """Encoder options for live use, over those of the user."""
    for key in ("maxrate", "bufsize"):
        if key in options.extra:
            raise OptionsError(f"--opt {key}=... is set by --{key}: use that", value=key)
    live = find_encoder(options.encoder).live_options(options.extra, rendition.bitrate_kbps, preset, first_preset(options))
    return {
        **live,
        "maxrate": f"{rendition.peak_kbps * 1000:.0f}",
        "bufsize": f"{rendition.buffer_kbit * 1000:.0f}",
        "flags": live.get("flags", "") + "+global_header",
    }


def _threads(renditions: int) -> int:
    """The cores, shared by the encoders; 0 = as many as the encoder likes."""
    return 0 if renditions == 1 else max(1, (os.cpu_count() or 1) // renditions)
