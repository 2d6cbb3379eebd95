"""Quantisers of AV1's frames, from their headers: the frame's, and what is added to it in each segment.

Which block is in which segment is coded with the blocks themselves, which no decoder exports. libavcodec's `trace_headers`
filter reads the headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from stcodec.encoders.encoder import Encoder
from stcodec.encoders.verify import Requested
from stcodec.media.paths import local_url
from stcodec.report import OffsetsApplied
from stcodec.types import BoolArray

_ELEMENT = re.compile(r"\d+\s+([\w.\[\]]+)\s+[01]*\s*= (-?\d+)")
_OFFSET = re.compile(r"feature_value\[(\d)\]\[0\]")
"""SEG_LVL_ALT_Q of a segment (AV1 bitstream specification, 5.9.14)."""
_NEAR_QP = 1.0
_BEFORE_SECONDS = 1e-3


@dataclass(frozen=True)
class FrameQuantisers:
    """One coded frame's."""

    seconds: float
    """Time of the picture that it came with: hidden frames come with one that is shown."""
    base_q_idx: int
    qindex_offsets: tuple[int, ...] | None
    """Of the segments, 0 where nothing is said; None = the frame has none."""
    is_key: bool


def frame_quantisers(path: Path, start_seconds: float | None = None) -> Iterator[FrameQuantisers]:
    """All coded frames of a video, in decoding order; from the key frame at or before a time."""
    with av.open(local_url(path)) as container:
        stream = container.streams.video[0]
        tracing = BitStreamFilterContext("trace_headers", stream)
        if start_seconds is not None and stream.time_base:
            container.seek(round(start_seconds / stream.time_base), stream=stream)
        for packet in container.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            seconds = float(packet.pts * packet.time_base)  # the filter takes the packet
            before = av.logging.get_level()
            av.logging.set_level(av.logging.INFO)
            try:
                with av.logging.Capture() as lines:
                    tracing.filter(packet)
            finally:
                av.logging.set_level(before)
            yield from _frames(seconds, (text for _, _, text in lines))


def _frames(seconds: float, lines: Iterable[str]) -> Iterator[FrameQuantisers]:
    seen = dict[str, int]()
    for line in lines:
        if line.startswith("OBU header"):
            yield from _frame(seconds, seen)
            seen = {}
        elif match := _ELEMENT.match(line.strip()):
            seen[match[1]] = int(match[2])
    yield from _frame(seconds, seen)


def _frame(seconds: float, seen: dict[str, int]) -> Iterator[FrameQuantisers]:
    if "base_q_idx" not in seen:
        return
    offsets = None
    if seen.get("segmentation_enabled"):
        found = {int(match[1]): value for name, value in seen.items() if (match := _OFFSET.match(name))}
        offsets = tuple(found.get(number, 0) for number in range(1 + max(found, default=0)))
    yield FrameQuantisers(seconds, seen["base_q_idx"], offsets, seen.get("frame_type", 0) == 0)


def verify_levels(
    encoder: Encoder,
    path: Path,
    samples: Sequence[Requested],
    shift_seconds: float = 0.0,
    options: Mapping[str, str] | None = None,
) -> OffsetsApplied:
    """Whether the offsets that some key frames were to have are among their segments'.

    shift_seconds: how much later the frames are in the file than the samples say.
    options: those that the encoder was given, so that the very numbers are known; None = another made the file.
    """
    worthy = [sample for sample in samples if float(sample.delta_qp.std()) > 0]
    if not worthy:
        return OffsetsApplied("headers", "flat", "no sampled frame has offsets that vary")
    pairs = [(sample, _frame_at(path, sample.pts_seconds + shift_seconds)) for sample in worthy]
    found = [(sample.delta_qp, sample.crf, frame) for sample, frame in pairs if frame is not None]
    if not found:
        return OffsetsApplied("headers", "not-measured", "the sampled frames were not found in the file")
    slopes, near = list[float](), list[BoolArray]()
    for requested, crf, frame in found:
        listed = np.array(frame.qindex_offsets or (0,), np.int32)
        steps = encoder.qp_steps(frame.base_q_idx + listed)
        slopes.append(float(np.ptp(steps)) / float(np.ptp(requested)))
        if options is None:
            near.append(np.abs((requested - requested.min())[..., None] - (steps - steps.min())).min(axis=-1) <= _NEAR_QP)
        else:
            own = {**options, "crf": crf} if crf else options
            near.append(np.isin(encoder.listed(own, requested), listed))
    slope, share = float(np.mean(slopes)), float(np.concatenate(near, axis=None).mean())
    verdict = "not-applied" if slope < 0.1 else "applied" if slope >= 0.5 and (options is None or share == 1) else "weak"
    why = "quantisers of the segments in each frame's header; which blocks are in them is not to be read"
    blocks = sum(one.size for one in near)
    return OffsetsApplied("headers", verdict, why, len(found), blocks, slope=slope, share_applied=share)


def _frame_at(path: Path, seconds: float) -> FrameQuantisers | None:
    first = next(frame_quantisers(path, seconds), None)
    return first if first is not None and abs(first.seconds - seconds) <= _BEFORE_SECONDS else None
