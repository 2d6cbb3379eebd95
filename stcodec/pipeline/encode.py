"""One video from end to end: `encode`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from stcodec.attention import open_source, source_files
from stcodec.attention.base import AttentionSource
from stcodec.encoders.hdr import hdr_metadata
from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.encoders.session import EncoderSession
from stcodec.encoders.table import names_where
from stcodec.errors import EncoderError, OptionsError
from stcodec.media.clips import export_for
from stcodec.media.decode import VideoReader
from stcodec.media.lossless import scaled_size
from stcodec.media.mux import Muxer
from stcodec.media.output import atomic_output, check_output, check_room, work_folder
from stcodec.media.paths import check_input, display_name
from stcodec.media.scaling import Scaler
from stcodec.options import EncodeFields, EncodeOptions, RunOptions, with_fields
from stcodec.pipeline.attend import AttentionCounts
from stcodec.pipeline.check import check_file
from stcodec.pipeline.feed import FedFrame, Feed
from stcodec.pipeline.maps import smoothed
from stcodec.pipeline.rate import crf_at_rate
from stcodec.pipeline.summary import Tally, build_report, kbps_of, report_file, write_report
from stcodec.progress import Meter, ProgressSink
from stcodec.qp import QpLaw
from stcodec.report import EncodeReport

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class Job:
    """An encode that was found possible; nothing has been written yet. Close its reader."""

    reader: VideoReader
    target: Path
    plan: EncoderPlan
    source: AttentionSource | None
    options: EncodeOptions
    shift: Callable[[float], float] = field(default=lambda seconds: 0.0)
    """QP steps that are added to all offsets of the frame at a time in seconds."""

    begins: Callable[[float], bool] = field(default=lambda seconds: False)
    """Whether the frame at a time in seconds must be a key frame."""

    resize: Callable[[VideoFrame], VideoFrame] | None = None
    """Function that makes frames of the source into those that are encoded; None = they are encoded as they are."""

    def reopened(self) -> Job:
        """The same job with a reader of its own: a reader gives its frames once."""
        return replace(self, reader=self.reader.again(export=self.reader.export))


def encode(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    options: EncodeOptions | None = None,
    run: RunOptions | None = None,
    progress: ProgressSink | None = None,
    **fields: Unpack[EncodeFields],
) -> EncodeReport:
    """Encode a video with quality where viewers look: `stcodec.encode("in.mp4", "out.mp4", encoder="libx264", crf=23)`.

    options and run say how; any of their fields, and of OffsetPolicy's, can be given by name instead. progress is called
    with a Progress now and then. Returns what was done, as measured. Nothing appears under the output's name unless all
    went well. Raises a StcodecError: OptionsError, MediaError, AttentionError, EncoderError or VerifyError.
    """
    options, run, attention = chosen(options, run, fields)
    job = prepare(source, output, options, run, attention)
    meter = Meter(progress, job.reader.info)
    with job.reader, report_file(run) as report_path, atomic_output(job.target, overwrite=run.overwrite) as temporary:
        report = encode_job(job, temporary, run, meter)
        write_report(report, report_path)
    return report


def encode_job(job: Job, path: Path, run: RunOptions, meter: Meter) -> EncodeReport:
    """Encode a job into a file, read it back, and report. Raises what `encode` raises."""
    started = time.monotonic()
    with _at_rate(job, meter) as (found, first_look):
        tally = _run_passes(found, path, meter)
        tally.counts = first_look or tally.counts
        job.reader.close()  # the check opens decoders and an encoder of its own: their memory must not come on top
        tally.wall_seconds = time.monotonic() - started
        meter.enter("verify")
        checked = check_file(found.plan, job.reader, path, tally, run, meter.now)
        return build_report(found.plan, job.options, job.reader, job.target, path, tally, checked)


def chosen(
    options: EncodeOptions | None, run: RunOptions | None, fields: EncodeFields
) -> tuple[EncodeOptions, RunOptions, AttentionSource | None]:
    """The options with fields given by name, and the source of attention if it was given itself. Raises OptionsError."""
    attention, given = fields.get("attention"), dict(fields)
    if isinstance(attention, AttentionSource):
        given["attention"] = attention.name
    options, run = with_fields(options or EncodeOptions(), run or RunOptions(), given)
    return options, run, attention if isinstance(attention, AttentionSource) else None


def prepare(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: EncodeOptions,
    run: RunOptions,
    attention: AttentionSource | None = None,
) -> Job:
    """Check everything that can be checked before the first frame. Raises what `encode` raises.

    attention: the source; None = the one that the options name.
    """
    attention = attention or open_source(options.attention)
    path = check_input(source)
    also_read = source_files(options.attention)
    target = check_output(output, overwrite=run.overwrite, source=path, also_read=also_read)
    if run.report_path is not None:
        report = check_output(run.report_path, overwrite=run.overwrite, source=path, also_read=also_read)
        if report.resolve() == target.resolve():
            raise OptionsError(
                f"{display_name(report)}: is the output and the report too; give the report another name", path=report
            )
    export = export_for(attention.spec) if attention is not None else ""
    reader = VideoReader(path, export=export, keep_partial=run.keep_partial, view=options.view)
    try:
        plan = make_plan(options, reader.info, hdr_metadata(reader.first_frame))
        _check_container(target, plan)
        _check_dolby_vision(reader, options)
        plan = _interlacing_said(plan, reader)
        if attention is not None:
            attention = smoothed(attention, options.policy.smoothing_seconds)
            attention.open(reader.info)  # a source that does not fit says so now
        return Job(reader, target, plan, attention, options)
    except BaseException:
        reader.close()
        raise


def rendition(job: Job, options: EncodeOptions, lines: int) -> Job:
    """The same job with other options, in a smaller size: so many lines on the shorter side. Raises OptionsError."""
    video = job.reader.info
    width, height = scaled_size(video.width_px, video.height_px, lines / min(video.width_px, video.height_px))
    # Sizes are even, so that shapes differ a little; players take renditions only if they are shown in one shape.
    aspect = (video.sample_aspect_ratio or 1) * Fraction(video.width_px * height, video.height_px * width)
    smaller = replace(video, width_px=width, height_px=height, sample_aspect_ratio=aspect)
    plan = make_plan(options, smaller, hdr_metadata(job.reader.first_frame))
    resize = None if (width, height) == (video.width_px, video.height_px) else Scaler(width, height)
    return replace(job, plan=plan, options=options, resize=resize)


def _check_dolby_vision(reader: VideoReader, options: EncodeOptions) -> None:
    if reader.facts.dolby_vision_profile == 5 and not options.keep.ignore_dolby_vision:
        raise OptionsError(
            f"{reader.name}: is Dolby Vision of profile 5, whose colours only a Dolby decoder can make right: they would be "
            "wrong in the result; --ignore-dolby-vision encodes it all the same"
        )


def _check_container(target: Path, plan: EncoderPlan) -> None:
    if target.suffix.lower() not in plan.encoder.containers:
        allowed = ", ".join(plan.encoder.containers)
        raise OptionsError(
            f"{display_name(target.name)}: {plan.encoder.codec} can't be written to "
            f"{target.suffix or 'a name without ending'}; allowed are {allowed}",
            value=target.suffix,
            allowed=plan.encoder.containers,
        )


def _interlacing_said(plan: EncoderPlan, reader: VideoReader) -> EncoderPlan:
    """The plan, with a message if an interlaced video won't be marked so. Raises EncoderError if offsets would be lost."""
    if not reader.first_frame.interlaced_frame:
        return plan
    encoder = plan.encoder
    if plan.has_offsets and not encoder.offsets_on_interlaced:
        raise EncoderError(
            f"{reader.name}: is interlaced: {encoder.name} drops the offsets of such frames; deinterlace it first, "
            f"use {names_where(lambda one: one.offsets_on_interlaced)}, or encode with --attention none"
        )
    if "ildct" in plan.options.get("flags", ""):
        return plan
    said = "the video is interlaced: its frames keep their two fields, but players will take them for progressive"
    return replace(plan, messages=(*plan.messages, f"{said}; {encoder.interlacing_advice}"))


def _run_passes(job: Job, temporary: Path, meter: Meter) -> Tally:
    """Encode into a file, in one pass or two; what was counted on the way."""
    muxer = Muxer(temporary, job.plan.encoder.name, job.reader.info.frame_rate, shown_name=display_name(job.target))
    with muxer:
        muxer.copy_from(job.reader, job.options.keep)
        if not job.options.two_pass:
            return _encode_pass(job, job.plan, job.reader, job.source, muxer, meter, "encode")
        with work_folder() as folder:
            stats = folder / "stats"
            source = job.source
            if source is not None:  # encoders take part of the second pass's offsets from the first
                from stcodec.attention.cached import CachedSource

                source = CachedSource(source, folder / "maps.mkv")
            try:
                with job.reopened().reader as reader:
                    first = _encode_pass(job, job.plan.for_pass(1, stats), reader, source, None, meter, "pass 1")
                check_room(folder)  # encoders say little or nothing when their statistics can't be written
                tally = _encode_pass(job, job.plan.for_pass(2, stats), job.reader, source, muxer, meter, "pass 2")
                tally.counts = first.counts  # the second pass has its maps from a file
                return tally
            except EncoderError:
                check_room(folder)
                raise


@contextmanager
def _at_rate(job: Job, meter: Meter) -> Iterator[tuple[Job, AttentionCounts | None]]:
    """The job at the CRF that has the bitrate that is wanted, where it must be searched for; the maps are made once.

    With it what was counted when they were; None if they are still to be made.
    """
    wanted = job.plan.searched_kbps
    if wanted is None:
        yield job, None
        return
    from stcodec.attention.cached import CachedSource

    assert job.source is not None
    with work_folder() as folder:
        source = CachedSource(job.source, folder / "maps.mkv")
        looks: list[AttentionCounts] = []

        def kbps_at(crf: int) -> float:
            with job.reopened().reader as reader:
                searched = f"searching for {wanted:g} kbit/s"
                tally = _encode_pass(job, job.plan.at_crf(crf), reader, source, None, meter, f"crf {crf}", searched)
            looks.append(tally.counts)
            return kbps_of(tally, job.reader.info)

        low, high = map(int, job.plan.encoder.crf_range)
        crf = crf_at_rate(kbps_at, wanted, low, high, int(job.plan.encoder.usual_crf))
        yield replace(job, plan=job.plan.at_crf(crf), source=source), looks[0]


def _encode_pass(
    job: Job,
    plan: EncoderPlan,
    reader: VideoReader,
    source: AttentionSource | None,
    muxer: Muxer | None,
    meter: Meter,
    stage: str,
    what: str = "",
) -> Tally:
    """Encode a whole video; without a muxer (pass 1) the packets are dropped. stage, what: of the progress."""
    meter.enter(stage, what=what)
    if source is not None:
        meter.now("making the first maps")
    session = EncoderSession(plan, muxer.video if muxer is not None else None)
    law = QpLaw(plan.grid, job.options.policy)
    feed = Feed(reader, source, law.blocks)
    tally = Tally(plan.encoder, feed.counts)
    with closing(feed.items()) as items:  # its thread, which reads, is stopped before the reader is closed
        for item in items:
            if not isinstance(item, FedFrame):
                if muxer is not None:
                    muxer.write_copy(item)
                continue
            packets = send_frame(job, session, law, tally, item)
            meter.frame(item.frame.time, tally.video_bytes)
            if muxer is not None:
                muxer.write_video(packets)
    meter.now("the encoder's last frames")
    packets = session.flush()
    tally.packets(packets)
    if muxer is not None:
        muxer.end_video(packets)
        tally.messages += muxer.messages
    return tally


def send_frame(job: Job, session: EncoderSession, law: QpLaw, tally: Tally, fed: FedFrame) -> Sequence[Packet[Any]]:
    """Encode a frame with the offsets that its map makes, and count; the packets that are ready."""
    delta = None
    if fed.saliency is not None:
        delta = law.offsets(fed.saliency)
    frame = fed.frame if job.resize is None else job.resize(fed.frame)
    packets = session.send(frame, delta, shift_qp=job.shift(fed.frame.time), key=job.begins(fed.frame.time))
    tally.frame(frame, session.given, session.plan.options.get("crf", "") if session.plan.shifts_crf else "")
    tally.packets(packets)
    return packets
