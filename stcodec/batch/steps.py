"""Steps of a job that one worker does: the maps, the file as a whole, parts of it and their join.

Arguments and results travel to a worker and back: paths, options and numbers. Each raises what `stcodec.encode` raises.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stcodec.batch.kept_maps import kept_maps, look, with_maps
from stcodec.batch.options import BatchOptions
from stcodec.batch.outputs import stamp
from stcodec.batch.quality import sampled_psnr_db
from stcodec.batch.storage import Origin
from stcodec.media.decode import VideoReader
from stcodec.media.output import atomic_output
from stcodec.media.paths import check_input
from stcodec.options import RunOptions
from stcodec.pipeline.check import check_file
from stcodec.pipeline.encode import Job, encode_job, prepare
from stcodec.pipeline.parts import Part, can_be_cut, check_joins, encode_part, find_parts, join_parts
from stcodec.pipeline.summary import build_report
from stcodec.progress import Meter
from stcodec.report import EncodeReport, MatchReport
from stcodec.work.cache import Cache, content_hash, key_of
from stcodec.work.versions import made_by


@dataclass(frozen=True)
class JobSpec:
    """Order to make something of one source."""

    source: Path
    unfinished: Path
    """Path that the file is made under, in a folder of the job's own."""
    target: Path
    """Final name, for messages."""
    options: BatchOptions
    cache: Cache
    origin: Origin | None = None
    """Place to fetch the source from first; None = it is there."""

    @property
    def running(self) -> RunOptions:
        return RunOptions(verify=self.options.verify, keep_partial=self.options.keep_partial)

    @property
    def can_be_cut(self) -> bool:
        """True if parts of the video may be encoded by themselves."""
        options = self.options
        return not (options.keep_partial or options.goal) and can_be_cut(options.base())


@dataclass(frozen=True)
class EncodeRecord:
    """Facts of an encode for the job table."""

    frames: int
    video_seconds: float
    wall_seconds: float
    messages: tuple[str, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class FinishedFile:
    """A file that was encoded and checked, not yet under its name."""

    size_bytes: int
    mtime_ns: int
    content: str
    """Hash of its bytes."""
    source_bytes: int
    source_mtime_ns: int
    """Of the source as it was read."""
    record: EncodeRecord
    quality_db: float | None
    """See `sampled_psnr_db`; None if the file was not checked."""
    maps_were_kept: bool
    """True if the maps were there from an earlier encode."""


@dataclass(frozen=True)
class PartPlan:
    """Parts that a long video is encoded in; none if it is better encoded as a whole."""

    parts: tuple[Part, ...] = ()
    maps: Path | None = None
    """None if the source of attention looks at no pictures, or there is none; as in `LadderPlan`."""
    maps_were_kept: bool = False


# --- one file, encoded as a whole -----------------------------------------------------------------------------------------


def make_maps(job: JobSpec) -> bool:
    """Make the maps of a video unless they are kept; returns whether they were."""
    begin(job)
    with first_look(job) as (encode, maps, were_kept):
        if maps is not None and not were_kept:
            look(encode)
    return were_kept


def make_whole(job: JobSpec) -> FinishedFile:
    """Encode a video, or search for the encode that has the wanted quality, and check the file."""
    before = begin(job)
    with first_look(job) as (encode, _, were_kept), atomic_output(job.unfinished, overwrite=True) as written:
        meter = Meter(None, encode.reader.info)
        if job.options.goal is None:
            report = encode_job(encode, written, job.running, meter)
        else:
            from stcodec.matching.match import match_job  # late: most runs do without, and each process would load it

            report = match_job(encode, written, job.options.goal, job.running, meter)
        quality = _quality_db(job, report, encode, written)
    return finished(job, record_of(report), before, quality, maps_were_kept=were_kept)


# --- a long video in parts ------------------------------------------------------------------------------------------------


def plan_parts(job: JobSpec, least_seconds: float) -> PartPlan:
    """Look at a video, which makes its maps, and find where it can be cut."""
    begin(job)
    with VideoReader(job.source, view=job.options.base().view) as reader:
        if (reader.info.duration_seconds or 0.0) < 2 * least_seconds:
            return PartPlan()
    with first_look(job) as (encode, maps, were_kept):
        return PartPlan(tuple(find_parts(encode, least_seconds)), maps, were_kept)


def make_part(job: JobSpec, plan: PartPlan, part: Part) -> float:
    """Encode a part, or find it encoded by a run that was broken off; returns the seconds it took."""
    started, path = time.monotonic(), _part_path(job, part)
    if not path.exists():
        with guided(job, job.unfinished, plan.maps) as encode, job.cache.writing(path) as temporary:
            encode_part(encode, part, temporary)
    return time.monotonic() - started


def join(job: JobSpec, plan: PartPlan, wall_seconds: float) -> FinishedFile:
    """Join the parts; check the file as any other, and where the parts meet. wall_seconds: that the parts took."""
    before = check_input(job.source).stat()
    paths = [_part_path(job, part) for part in plan.parts]
    with guided(job, job.unfinished, plan.maps) as encode, atomic_output(job.unfinished, overwrite=True) as written:
        tally = join_parts(encode, paths, written)
        tally.wall_seconds = wall_seconds
        checked = check_file(encode.plan, encode.reader, written, tally, job.running)
        if checked[1] is not None:
            check_joins(written, plan.parts, checked[1].shift_seconds)
        report = build_report(encode.plan, encode.options, encode.reader, job.target, written, tally, checked)
        quality = _quality_db(job, report, encode, written)
    for path in paths:
        path.unlink(missing_ok=True)
    return finished(job, record_of(report), before, quality, maps_were_kept=plan.maps_were_kept)


def _part_path(job: JobSpec, part: Part) -> Path:
    return kept_path(job, ".npz", target=job.target.suffix, part=(part.first_pts, part.frames))


# --- what steps share -----------------------------------------------------------------------------------------------------


def begin(job: JobSpec) -> os.stat_result:
    """Fetch the source unless it is there, and empty the job's folder; the source's status before anybody reads it."""
    if job.origin is not None:
        job.origin.fetch(job.source)
    emptied(job.unfinished.parent)
    return check_input(job.source).stat()


@contextmanager
def first_look(job: JobSpec, name: str | None = None) -> Iterator[tuple[Job, Path | None, bool]]:
    """The encode of a step that may be the first to see the video, as `kept_maps` gives it.

    name: of what is encoded, where that is not the file itself.
    """
    folder = job.unfinished.parent
    encode = _prepared(job, folder / (name or job.unfinished.name))
    with encode.reader, kept_maps(encode, job.cache, folder) as found:
        yield found


@contextmanager
def guided(job: JobSpec, written: Path, maps: Path | None) -> Iterator[Job]:
    """The encode of a step after the first look, guided by the maps that were made then."""
    encode = _prepared(job, written)
    with encode.reader:
        if maps is None:
            yield encode
            return
        with with_maps(encode, maps) as guided:
            yield guided


def _prepared(job: JobSpec, written: Path) -> Job:
    """An encode into a file, found possible; close its reader."""
    return replace(prepare(job.source, written, job.options.base(), job.running), target=job.target)


def kept_path(job: JobSpec, ending: str, **what: Any) -> Path:
    """Path that the encode of a piece of the source is kept under for later runs; what: all else that it depends on."""
    status = check_input(job.source).stat()
    key = key_of(
        source=str(job.source),
        status=(status.st_size, status.st_mtime_ns),
        options=job.options.key,
        made_by=made_by("maps", "plain", "guided"),
        **what,
    )
    return job.cache.place("parts", key, ending)


def _quality_db(job: JobSpec, report: EncodeReport, encode: Job, written: Path) -> float | None:
    if report.checks is None:
        return None
    return sampled_psnr_db(encode.reader, written, report.checks.shift_seconds, encode.source)


def finished(
    job: JobSpec, record: EncodeRecord, before: os.stat_result, quality_db: float | None, *, maps_were_kept: bool
) -> FinishedFile:
    """before: the source's status when it was begun with."""
    size, changed = stamp(job.unfinished)
    return FinishedFile(
        size_bytes=size,
        mtime_ns=changed,
        content=content_hash(job.unfinished),
        source_bytes=before.st_size if job.origin is None else job.origin.size_bytes,
        source_mtime_ns=before.st_mtime_ns if job.origin is None else job.origin.mtime_ns,
        record=record,
        quality_db=quality_db,
        maps_were_kept=maps_were_kept,
    )


def record_of(report: EncodeReport) -> EncodeRecord:
    """The record of an encode, with the result of the search for a quality."""
    found = report.match
    messages = report.messages if found is None else (*report.messages, _search_result(found))
    searched = 0.0 if found is None else found.seconds
    return EncodeRecord(report.frames, report.duration_seconds, report.wall_seconds + searched, messages, report.versions)


def _search_result(found: MatchReport) -> str:
    smaller = "" if found.saving_percent is None else f", {found.saving_percent:.1f} % smaller than the plain encode"
    missed = "" if found.within_tolerance else f"; off by more than {found.tolerance:g} {found.unit}"
    return f"{found.target}: {found.metric} {found.reached:.3g} {found.unit} of {found.wanted:.3g} wanted{smaller}{missed}"


def emptied(folder: Path) -> Path:
    """A folder, made if it is not there, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    return folder
