"""`verify`: what any encoder did with a map."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from stcodec.attention.base import AttentionSource
from stcodec.attention.map_file import MapFileSource
from stcodec.encoders.av1_headers import verify_levels
from stcodec.encoders.encoder import ReadBack
from stcodec.encoders.levels import quantise_levels
from stcodec.encoders.readback import EXPORT
from stcodec.encoders.table import encoder_of
from stcodec.encoders.verify import FrameAt, Frames, Requested, frame_at, verdict_on
from stcodec.errors import OptionsError
from stcodec.media.decode import VideoReader
from stcodec.media.paths import check_input
from stcodec.options import OffsetPolicy
from stcodec.pipeline.attend import frames_with_maps
from stcodec.pipeline.maps import smoothed
from stcodec.qp import QpLaw
from stcodec.report import OffsetsApplied
from stcodec.types import BlockGrid

_MOST_FRAMES = 8
_USUAL_BLOCK_PX = 16

PathText = str | os.PathLike[str]


def verify(
    file: PathText,
    *,
    maps: PathText,
    plain: PathText | None = None,
    reference: PathText | None = None,
    policy: OffsetPolicy | None = None,
) -> OffsetsApplied:
    """Verdict on whether the QP of a video's blocks follows a map, whoever encoded it.

    maps: a file of saliency maps, as `map:FILE` reads it, from which offsets are made by a policy (None = the default); a
    slope of 1 says that the file has them fully.
    plain: the same frames from the same encoder without offsets. For H.264 it takes the encoder's own adaptive QP out.
    reference: what was encoded. Where no decoder tells QP (HEVC, AV1) the error of blocks is compared with that of the
    plain encode, which takes both.

    Reads up to 8 key frames spread over the video (of VP9 the frames behind them, for it takes no offsets on key frames).
    Raises MediaError, AttentionError for maps that do not belong to the video, OptionsError if files are missing for it.
    """
    path = check_input(file)
    other = {name: None if one is None else check_input(one) for name, one in (("plain", plain), ("reference", reference))}
    with VideoReader(path) as reader:
        video = reader.info
        encoder = encoder_of(video.codec)
        way = _way(video.codec, other["plain"], other["reference"])
        grid = BlockGrid(video.width_px, video.height_px, _USUAL_BLOCK_PX if encoder is None else encoder.block_px)
        policy = policy or OffsetPolicy()
        source = smoothed(MapFileSource(maps), policy.smoothing_seconds)
        law = QpLaw(grid, policy)
        samples = _samples(reader, source, law, on_key=encoder is None or encoder.offsets_on_key_frames)
        start = reader.first_frame.time
    if encoder is not None:
        samples = [replace(one, delta_qp=np.maximum(one.delta_qp, -encoder.most_boost_qp)) for one in samples]
    if encoder is not None and way == "levels":
        listed = [replace(one, delta_qp=quantise_levels(one.delta_qp, encoder.max_levels)) for one in samples]
        return verify_levels(encoder, path, listed)
    frames = Frames(
        encoder,
        video.codec,
        grid,
        video.bit_depth,
        way,
        coded=partial(frame_at, path, export=EXPORT),
        plain=_at_same_place(other["plain"], start),
        original=_at_same_place(other["reference"], start),
    )
    return verdict_on(frames, samples)


def _way(codec: str, plain: Path | None, reference: Path | None) -> ReadBack:
    encoder = encoder_of(codec)
    if encoder is None or not encoder.exports_qp:
        if encoder is not None and encoder.read_back == "levels" and plain is None and reference is None:
            return "levels"
        if plain is None or reference is None:
            raise OptionsError(
                f"no decoder tells the QP of {codec}: give the plain encode and the reference too (--plain, --reference), "
                "so that the effect can be measured",
                value=codec,
            )
        return "effect"
    return "against-frame" if plain is None else encoder.read_back


def _samples(reader: VideoReader, source: AttentionSource, law: QpLaw, *, on_key: bool) -> list[Requested]:
    """Key frames, or those behind them, with the offsets that the maps ask for; spread evenly over the video."""
    found: list[Requested] = []
    stride = 1
    for number, candidate in enumerate(_candidates(reader, source, law, on_key=on_key)):
        if number % stride == 0:
            found.append(candidate)
            if len(found) > _MOST_FRAMES:
                found, stride = found[::2], stride * 2
    return found


def _candidates(reader: VideoReader, source: AttentionSource, law: QpLaw, *, on_key: bool) -> Iterator[Requested]:
    after_key = False
    for frame, blocks in frames_with_maps(reader.frames(), reader.info, source, law.blocks):
        if frame.key_frame if on_key else after_key:
            yield Requested(frame.time, law.offsets(blocks))
        after_key = bool(frame.key_frame)


def _at_same_place(path: Path | None, start_seconds: float) -> FrameAt:
    """The frames of a video at the times of another that begins at such a time: containers move beginnings."""
    if path is None:
        return lambda seconds: None
    with VideoReader(path) as reader:
        later = reader.first_frame.time - start_seconds
    return lambda seconds: frame_at(path, seconds + later, EXPORT)
