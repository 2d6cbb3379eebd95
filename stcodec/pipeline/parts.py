"""A long video in parts that begin with shots: found in one look at it, encoded each by itself, joined to one video.

A part is encoded as the whole is at constant quality, with the same maps; only what an encoder looks ahead and back ends
with the part. Its ends are cuts, behind which an encoder begins anew anyway.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stcodec.encoders.plan import EncoderPlan
from stcodec.encoders.session import EncoderSession
from stcodec.encoders.table import find_encoder
from stcodec.errors import EncoderError, MediaError, VerifyError
from stcodec.media.mux import Muxer
from stcodec.media.part_file import PartFile, joined_packets, write_part
from stcodec.media.paths import display_name
from stcodec.media.seek import frames_from, frames_of
from stcodec.media.shots import mark_shots
from stcodec.options import EncodeOptions
from stcodec.pipeline.attend import AttentionCounts, attend
from stcodec.pipeline.encode import Job, send_frame
from stcodec.pipeline.feed import fed_frames
from stcodec.pipeline.summary import Tally
from stcodec.qp import QpLaw

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_RATE_CONTROL = ("maxrate", "bufsize", "vbv")
"""Options that look at more than the part that is encoded."""
_DECODED_AT_A_JOIN = 4
_NEAR_SECONDS = 0.002
"""Matroska keeps milliseconds."""
_WITHOUT_HEADER = (".ts",)
"""Containers whose packets carry what the header says."""


@dataclass(frozen=True)
class Part:
    """Frames of a video that follow each other, from the start of a shot on."""

    first_pts: int
    seconds: float
    """Time of the first frame."""
    frames: int


def can_be_cut(options: EncodeOptions) -> bool:
    """True if parts encoded by themselves are worth the same as the whole: at constant quality, without a buffer to obey."""
    buffered = any(word in f"{key}={value}" for key, value in options.extra.items() for word in _RATE_CONTROL)
    joins = find_encoder(options.encoder).joins_parts
    return joins and options.bitrate_kbps is None and not options.two_pass and not buffered


def find_parts(job: Job, least_seconds: float) -> list[Part]:
    """The parts of a job's video, each about that long or longer; one alone if it can't be cut.

    The source of attention sees the whole video on the way: a `CachedSource` has its maps afterwards.
    """
    times, starts = array("d"), list[int]()
    ticks = array("q")
    with job.reopened().reader as reader:
        marked: Iterator[tuple[VideoFrame, bool, *tuple[bool, ...]]]
        if job.source is None:
            marked = mark_shots(reader.frames(), reader.info)
        else:
            marked = attend(reader.frames(), reader.info, job.source, lambda track: None, mark=mark_shots)
        for frame, begins, *_ in marked:
            if begins:
                starts.append(len(times))
            assert frame.pts is not None
            ticks.append(frame.pts)
            times.append(frame.time)
        sure = not (reader.repaired_times or reader.damaged_packets or reader.reads_from_start)
    cuts = _cuts(times, starts, least_seconds) if sure else [0]
    return [Part(ticks[first], times[first], end - first) for first, end in pairwise([*cuts, len(times)])]


def _cuts(times: Sequence[float], starts: Sequence[int], least_seconds: float) -> list[int]:
    cuts = [0]
    for start in starts:
        if times[start] - times[cuts[-1]] >= least_seconds and times[-1] - times[start] >= least_seconds / 2:
            cuts.append(start)
    return cuts


def encode_part(job: Job, part: Part, path: Path) -> None:
    """Encode a part of a job's video into a file for `join_parts`. Raises what `encode` raises."""
    plan = _with_header(job.plan, job.target)
    session = EncoderSession(plan)
    law = QpLaw(plan.grid, job.options.policy)
    tally = Tally(plan.encoder, AttentionCounts())
    packets: list[Packet[Any]] = []
    with closing(frames_of(job.reader, part.seconds)) as frames:
        for fed in fed_frames(_exactly(frames, part), job.reader.info, job.source, law.blocks, tally.counts):
            packets += send_frame(job, session, law, tally, fed)
    if tally.frames != part.frames:
        found = f"{tally.frames} of {part.frames} frames were found from {part.seconds:.3f} s on"
        raise MediaError(f"{job.reader.name}: {found}")
    rest = session.flush()
    tally.packets(rest)
    write_part(path, [*packets, *rest], session.header, tally.facts())


def join_parts(job: Job, paths: Sequence[Path], written: Path) -> Tally:
    """Write the parts of a job's video as one file, with everything else of the source; what was counted.

    Raises EncoderError if the encoder did not make them alike.
    """
    parts = [PartFile(path) for path in paths]
    tally = Tally(job.plan.encoder, AttentionCounts())
    for part in parts:
        tally.add(part.facts())
    muxer = Muxer(written, job.plan.encoder.name, job.reader.info.frame_rate, shown_name=display_name(job.target))
    with muxer:
        muxer.copy_from(job.reader, job.options.keep)
        header = EncoderSession(job.plan, muxer.video).header
        if any(part.header != header for part in parts):
            raise EncoderError(
                f"{job.plan.encoder.name} gave the parts of the video different headers: they can't be joined"
            )
        packets = joined_packets(parts, job.reader.info.time_base)
        for _ in job.reader.pass_by(muxer.write_copy):  # in step with the source, so that audio and video stay together
            muxer.write_video(islice(packets, 1))
        muxer.end_video(packets)
        tally.messages += muxer.messages
    return tally


def check_joins(written: Path, parts: Sequence[Part], shift_seconds: float) -> None:
    """Decode a file where its parts meet. Raises VerifyError unless each begins with the frame that it should.

    shift_seconds: how much later the file's frames are than the source's.
    """
    for part in parts[1:]:
        wanted = part.seconds + shift_seconds
        try:
            with closing(frames_from(written, wanted, keep_partial=False)) as frames:
                found = list(islice(frames, _DECODED_AT_A_JOIN))
        except MediaError as error:
            raise VerifyError(f"the file does not decode where parts were joined, at {wanted:.3f} s ({error})") from None
        intact = [frame for frame in found if not frame.is_corrupt]
        if not intact or not intact[0].key_frame or abs(intact[0].time - wanted) > _NEAR_SECONDS or len(intact) < len(found):
            raise VerifyError(f"the file is damaged where parts were joined, at {wanted:.3f} s: nothing was kept")


def _exactly(frames: Iterator[VideoFrame], part: Part) -> Iterator[VideoFrame]:
    for number, frame in enumerate(islice(frames, part.frames)):
        if number == 0 and frame.pts != part.first_pts:
            raise MediaError(f"the frame at {part.seconds:.3f} s can't be gone to: one at {frame.time:.3f} s was found")
        yield frame


def _with_header(plan: EncoderPlan, target: Path) -> EncoderPlan:
    """The plan for packets that belong into a container which keeps the encoder's header apart."""
    if target.suffix.lower() in _WITHOUT_HEADER:
        return plan
    options: Mapping[str, Any] = {**plan.options, "flags": f"{plan.options.get('flags', '')}+global_header"}
    return replace(plan, options=options)
