"""The proof that offsets reached the file: the same frames of a plain encode are the baseline.

H.264: at key frames of the finished file the QP of each block is read back and compared with that of a plain encode of the
same frames with the same options (content-adaptive QP and mbtree are in both, so that the difference is the offsets').
VP9: the QP of each block relative to its frame's is in the file itself; frames behind key frames are read. HEVC: no decoder
exports its QP; the effect is measured instead, the error of each block against the plain encode's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from stcodec.encoders.encoder import Encoder, ReadBack
from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.readback import EXPORT, qp_blocks
from stcodec.encoders.session import EncoderSession
from stcodec.encoders.verdict import LEAST_SPREAD, BlockReading, Gain, judge, pool
from stcodec.media.decode import VideoReader
from stcodec.media.seek import frames_from, frames_of
from stcodec.report import OffsetsApplied
from stcodec.types import Arrays, BlockGrid, FloatArray

FrameAt = Callable[[float], VideoFrame | None]


@dataclass(frozen=True, eq=False, repr=False)
class Requested(Arrays):
    """The offsets that went in with one frame."""

    pts_seconds: float
    delta_qp: FloatArray
    """[rows, cols] in QP steps."""
    crf: str = ""
    """Of the encoder that the frame went to, where shots have their own."""


@dataclass(frozen=True)
class Frames:
    """The frames that a verdict needs; each function gives the one at a time of the samples, None if there is none."""

    encoder: Encoder | None
    """Of the file; None if it is none of ours."""
    codec: str
    grid: BlockGrid
    bit_depth: int
    way: ReadBack
    coded: FrameAt
    """Of the file, decoded with `EXPORT`."""
    plain: FrameAt
    """Of the same frames encoded without offsets, decoded with `EXPORT`."""
    original: FrameAt


def verify_offsets(
    plan: EncoderPlan,
    source: VideoReader,
    output: Path,
    samples: Sequence[Requested],
    shift_seconds: float = 0.0,
) -> OffsetsApplied:
    """Read the offsets of some frames back from a finished file; samples are key frames, except for VP9.

    source: what was encoded; it is read again. shift_seconds: how much later the frames are in the output.
    """
    frames = Frames(
        plan.encoder,
        plan.encoder.codec,
        plan.grid,
        plan.bit_depth,
        plan.encoder.read_back if plan.encoder.exports_qp else "effect",
        coded=lambda seconds: frame_at(output, seconds + shift_seconds, EXPORT),
        plain=lambda seconds: _plain_frame(plan, source, seconds),
        original=lambda seconds: _first(frames_of(source, seconds)),
    )
    applied = verdict_on(frames, samples)
    # At a bitrate a plain encode of the frame alone would not have the bits that it has in the whole.
    return replace(applied, attended_db=None, whole_db=None) if plan.bitrate_bps else applied


def verdict_on(frames: Frames, samples: Sequence[Requested]) -> OffsetsApplied:
    """Verdict on the offsets of some frames."""
    method = "effect" if frames.way == "effect" else "bitstream"
    worthy = [sample for sample in samples if float(sample.delta_qp.std()) >= LEAST_SPREAD]
    if not worthy:
        return OffsetsApplied(method, "flat", f"no sampled frame has offsets that vary by {LEAST_SPREAD} QP or more")
    readings = [
        reading
        for sample in worthy
        if (coded := frames.coded(sample.pts_seconds)) is not None
        and (reading := _READINGS[frames.way](frames, coded, sample)) is not None
    ]
    if not readings:
        return OffsetsApplied(method, "not-measured", "the sampled frames were not found in the file, or carry no QP")
    applied = judge(pool(readings), len(readings), frames.way, frames.codec)
    gains = [reading.gain for reading in readings if reading.gain is not None]
    if not gains:
        return applied
    return replace(
        applied,
        attended_db=float(np.mean([one.attended_db for one in gains])),
        whole_db=float(np.mean([one.whole_db for one in gains])),
    )


def _against_plain(frames: Frames, coded: VideoFrame, sample: Requested) -> BlockReading | None:
    plain = frames.plain(sample.pts_seconds)
    if plain is None:
        return None
    in_file, baseline = qp_blocks(coded, frames.grid), qp_blocks(plain, frames.grid)
    if in_file is None or baseline is None:
        return None
    low, high = _limits(frames)
    # Of a plain encode that is at the end of the range nobody knows how far beyond it would have gone.
    known = np.where((baseline > low) & (baseline < high), baseline, np.float32(np.nan))
    original = frames.original(sample.pts_seconds)
    gain = None if original is None else _gain(frames.grid, sample, original, coded, plain)
    return BlockReading(sample.delta_qp, in_file - known, in_file, (low, high), gain)


def _against_frame(frames: Frames, coded: VideoFrame, sample: Requested) -> BlockReading | None:
    if coded.key_frame and frames.encoder is not None and not frames.encoder.offsets_on_key_frames:
        return None
    in_file = qp_blocks(coded, frames.grid)
    if in_file is None:  # a frame without segments: all blocks have the same QP
        return BlockReading(sample.delta_qp, np.zeros_like(sample.delta_qp))
    return BlockReading(sample.delta_qp, in_file, in_file, _limits(frames))


def _effect(frames: Frames, coded: VideoFrame, sample: Requested) -> BlockReading | None:
    original, plain = frames.original(sample.pts_seconds), frames.plain(sample.pts_seconds)
    if original is None or plain is None:
        return None
    ours, theirs = (_around(_block_error(original, one, frames.grid)) for one in (coded, plain))
    gain = _gain(frames.grid, sample, original, coded, plain)
    return BlockReading(_around(sample.delta_qp), (10 * np.log10(ours / theirs)).astype(np.float32), gain=gain)


def _gain(grid: BlockGrid, sample: Requested, original: VideoFrame, coded: VideoFrame, plain: VideoFrame) -> Gain | None:
    if (original.width, original.height) != (coded.width, coded.height):
        return None  # a rendition in another size
    ours, theirs = (_block_error(original, one, grid) for one in (coded, plain))
    # The weights that the offsets were made of (D ~ 2^(QP/3), qp/law.py), less the share that counts everywhere.
    weights = 2 ** (-sample.delta_qp / 3)
    attended = float(((weights - weights.min()) * theirs).sum() / ((weights - weights.min()) * ours).sum())
    return Gain(10 * math.log10(attended), 10 * math.log10(theirs.mean() / ours.mean()))


def _limits(frames: Frames) -> tuple[float, float]:
    return (-np.inf, np.inf) if frames.encoder is None else frames.encoder.qp_limits(frames.bit_depth)


_READINGS: Mapping[ReadBack, Callable[[Frames, VideoFrame, Requested], BlockReading | None]] = {
    "against-plain": _against_plain,
    "against-frame": _against_frame,
    "effect": _effect,
}


def _around(values: FloatArray) -> FloatArray:
    """The mean over each block and its eight neighbours: the error of one block alone is mostly chance."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1, mode="edge"), (3, 3))
    return np.asarray(windows.mean(axis=(2, 3)), np.float32)


def _block_error(original: VideoFrame, coded: VideoFrame, grid: BlockGrid) -> FloatArray:
    """[rows, cols] mean squared luma error on the 8-bit scale, at least 0.01 (rounding)."""
    error = np.square(_luma(original) - _luma(coded))
    rows, cols = (np.arange(count) * grid.block_px for count in grid.shape)
    sums = np.add.reduceat(np.add.reduceat(error, rows, axis=0), cols, axis=1)
    height, width = error.shape
    counts = np.outer(np.diff(rows, append=height), np.diff(cols, append=width))
    return np.asarray(np.maximum(sums / counts, 0.01), np.float32)


def _luma(frame: VideoFrame) -> NDArray[np.float32]:
    return frame.reformat(format="gray").to_ndarray().astype(np.float32)


def frame_at(path: Path, seconds: float, export: str = "") -> VideoFrame | None:
    """The first frame of a video at a time or behind it."""
    return _first(frames_from(path, seconds, export=export))


def _first(frames: Generator[VideoFrame, None, None]) -> VideoFrame | None:
    with closing(frames):
        return next(frames, None)


def _plain_frame(plan: EncoderPlan, source: VideoReader, seconds: float) -> VideoFrame | None:
    """The first frame of a plain encode that begins at a time; no more is encoded than the first packet needs."""
    session = EncoderSession(replace(plan, has_offsets=False))
    decoder = av.CodecContext.create(plan.encoder.decoder or plan.encoder.codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.options = {"export_side_data": EXPORT}
    with closing(frames_of(source, seconds)) as frames:
        for frame in frames:
            for packet in session.send(frame, None):
                return _decode_one(decoder, packet)
    for packet in session.flush():
        return _decode_one(decoder, packet)
    return None


def _decode_one(decoder: VideoCodecContext, packet: Packet[Any]) -> VideoFrame | None:
    frames = [*decoder.decode(packet), *decoder.decode(None)]
    return frames[0] if frames else None
