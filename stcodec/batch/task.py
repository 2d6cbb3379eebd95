"""One file to be encoded, in a process of its own; the maps of its attention are kept for every later encode of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from stcodec.batch.kept_maps import kept_maps, look
from stcodec.batch.options import BatchOptions
from stcodec.batch.outputs import stamp
from stcodec.batch.quality import sampled_psnr_db
from stcodec.batch.storage import Origin
from stcodec.media.output import atomic_output
from stcodec.media.paths import check_input
from stcodec.options import RunOptions
from stcodec.pipeline.encode import Job, encode_job, prepare
from stcodec.pipeline.parts import Part, can_be_cut, find_parts
from stcodec.progress import Meter
from stcodec.report import EncodeReport, MatchReport
from stcodec.work.cache import Cache, code_version, content_hash, key_of

ENCODING_CODE = ("attention", "encoders", "media", "pipeline", "qp", "options.py", "types.py")
"""What the bits of an encode depend on, besides its options."""


@dataclass(frozen=True)
class Told:
    """What the job table keeps of an encode's report."""

    frames: int
    video_seconds: float
    wall_seconds: float
    messages: tuple[str, ...]
    versions: Mapping[str, str]


def told_by(report: EncodeReport) -> Told:
    """Of a report, with what a search for a quality came to."""
    found = report.match
    messages = report.messages if found is None else (*report.messages, _search_said(found))
    searched = 0.0 if found is None else found.seconds
    return Told(report.frames, report.duration_seconds, report.wall_seconds + searched, messages, report.versions)


@dataclass(frozen=True)
class Made:
    """A file that was encoded and checked, not yet under its name."""

    size_bytes: int
    mtime_ns: int
    content: str
    """Hash of its bytes."""
    source_bytes: int
    source_mtime_ns: int
    """Of the source as it was read."""
    told: Told
    quality_db: float | None
    """See `sampled_psnr_db`; None if the file was not checked."""
    maps_were_kept: bool
    """True if the maps were there from an earlier encode."""


@dataclass(frozen=True)
class Looked:
    """A video whose maps are there."""

    maps_were_kept: bool
    """True if they were there before."""


class Split:
    """What a video becomes that is to be encoded in pieces, see `stcodec.batch.pieces`."""


@dataclass(frozen=True)
class Cut(Split):
    """A long video that was looked at, to be encoded in parts."""

    parts: tuple[Part, ...]
    maps: Path | None
    """None if its source of attention looks at no pictures, or there is none."""


@dataclass(frozen=True)
class MakeTask:
    """A file to be encoded."""

    source: Path
    made: Path
    """Where to: in a folder of its own, which is emptied first."""
    target: Path
    """What it is to be called in the end; for messages."""
    options: BatchOptions
    cache: Cache
    part_seconds: float | None = None
    """Videos of twice that and more are not encoded, but cut into parts of about that length; None = no video is."""
    looked: Looked | None = None
    """What a task before this one found; None = this one looks at the video itself."""
    origin: Origin | None = None
    """Where the source is to be fetched from first; None = it is there."""

    def run(self) -> Made | Split | Looked:
        """Encode it, or cut it. Raises what `stcodec.encode` raises."""
        folder = self.begun()
        before = check_input(self.source).stat()
        job = self.prepare(self.made)
        with job.reader, kept_maps(job, self.cache, folder) as (guided, maps, were_kept):
            cut = self._cut(guided, maps)
            if cut is not None:
                return cut
            with atomic_output(self.made) as temporary:
                report = self._encode(guided, temporary)
                quality = self.quality_db(report, guided, temporary)
        return self.finished(told_by(report), before, quality, maps_were_kept=self.maps_were_kept(were_kept))

    def kept_piece(self, ending: str, **what: Any) -> Path:
        """Where an encode of a piece of the source is kept for runs to come; what: everything else that it depends on."""
        status = check_input(self.source).stat()
        key = key_of(
            source=str(self.source),
            status=(status.st_size, status.st_mtime_ns),
            options=self.options.key,
            code=code_version(*ENCODING_CODE),
            **what,
        )
        return self.cache.place("parts", key, ending)

    def begun(self) -> Path:
        """The source is there; the folder for unfinished files, empty. Raises MediaError."""
        if self.origin is not None:
            self.origin.fetch(self.source)
        return emptied(self.made.parent)

    def maps_were_kept(self, now: bool) -> bool:
        """Whether the maps were there before anybody looked at the video; now: whether they are there."""
        return now if self.looked is None else self.looked.maps_were_kept

    def _encode(self, job: Job, path: Path) -> EncodeReport:
        meter = Meter(None, job.reader.info)
        if self.options.goal is None:
            return encode_job(job, path, self.running, meter)
        from stcodec.matching.match import match_job  # late: most runs do without, and each process would load it

        return match_job(job, path, self.options.goal, self.running, meter)

    @property
    def running(self) -> RunOptions:
        return RunOptions(verify=self.options.verify, keep_partial=self.options.keep_partial)

    def prepare(self, made: Path) -> Job:
        """An encode into a file, found possible; close its reader. Raises what `stcodec.encode` raises."""
        return replace(prepare(self.source, made, self.options.base(), self.running), target=self.target)

    def quality_db(self, report: EncodeReport, job: Job, written: Path) -> float | None:
        """See `sampled_psnr_db`."""
        if report.checks is None:
            return None
        return sampled_psnr_db(self.source, job.reader.info, written, report.checks.shift_seconds, job.source)

    def finished(self, told: Told, before: os.stat_result, quality_db: float | None, *, maps_were_kept: bool) -> Made:
        """What is to be known of the finished file; before: the source's status when it was begun with."""
        size, changed = stamp(self.made)
        return Made(
            size_bytes=size,
            mtime_ns=changed,
            content=content_hash(self.made),
            source_bytes=before.st_size if self.origin is None else self.origin.size_bytes,
            source_mtime_ns=before.st_mtime_ns if self.origin is None else self.origin.mtime_ns,
            told=told,
            quality_db=quality_db,
            maps_were_kept=maps_were_kept,
        )

    def _cut(self, job: Job, maps: Path | None) -> Cut | None:
        if self.part_seconds is None or self.options.keep_partial or self.options.goal or not can_be_cut(job.options):
            return None
        if (job.reader.info.duration_seconds or 0.0) < 2 * self.part_seconds:
            return None
        parts = find_parts(job, self.part_seconds)
        return Cut(tuple(parts), maps) if len(parts) > 1 else None


@dataclass(frozen=True)
class LookTask(MakeTask):
    """A video to be looked at, and nothing else: its maps are there afterwards."""

    attends: ClassVar[bool] = True
    """Belongs where a GPU is."""

    def run(self) -> Looked:
        """Make the maps, unless they are there. Raises what `stcodec.encode` raises."""
        folder = self.begun()
        job = self.prepare(folder / "look.mkv")
        with job.reader, kept_maps(job, self.cache, folder) as (guided, maps, were_kept):
            if maps is not None and not were_kept:
                look(guided)
        return Looked(were_kept)


def _search_said(found: MatchReport) -> str:
    smaller = "" if found.saving_percent is None else f", {found.saving_percent:.1f} % smaller than the plain encode"
    missed = "" if found.within_tolerance else f"; off by more than {found.tolerance:g} {found.unit}"
    return f"{found.target}: {found.metric} {found.reached:.3g} {found.unit} of {found.wanted:.3g} wanted{smaller}{missed}"


def emptied(folder: Path) -> Path:
    """A folder, made if it is not there, with nothing in it."""
    folder.mkdir(exist_ok=True)
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    return folder
