"""`match`: the smallest file with a given quality where viewers look."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from stcodec.encoders.hdr import hdr_metadata
from stcodec.encoders.plan import EncoderPlan, make_plan
from stcodec.matching.allocation import Allocation
from stcodec.matching.compare import Compared, Reference
from stcodec.matching.control import FileControl, ShotControl
from stcodec.matching.options import MatchOptions
from stcodec.matching.scan import Scan, scan
from stcodec.matching.search import Search
from stcodec.matching.trial_encodes import TrialEncodes
from stcodec.media.output import atomic_output, work_folder
from stcodec.options import EncodeFields, EncodeOptions, RunOptions
from stcodec.pipeline.encode import Job, chosen, encode_job, prepare
from stcodec.pipeline.summary import report_file, write_report
from stcodec.progress import Meter, ProgressSink
from stcodec.report import EncodeReport, MatchReport, ShotMatch

_NEAR_BASE_QP = 4.0
"""QP steps: a base crf so near to a value will do, the shots' shifts do the rest."""
_ENCODES_FOR_BASE = 3
_MOST_CORRECTIONS = 2


def match(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    goal: MatchOptions,
    *,
    options: EncodeOptions | None = None,
    run: RunOptions | None = None,
    progress: ProgressSink | None = None,
    **fields: Unpack[EncodeFields],
) -> EncodeReport:
    """Encode a video as small as a quality where viewers look allows, that of a plain encode or a value.

    Options, fields and progress are those of `encode`; its report comes back, with `match` filled in. Raises what
    `encode` raises; TargetError, before anything is encoded, if the quality is out of reach.
    """
    options, run, attention = chosen(options, run, fields)
    job = prepare(source, output, goal.base(options), run, attention)
    meter = Meter(progress, job.reader.info)
    with job.reader, report_file(run) as report_path, atomic_output(job.target, overwrite=run.overwrite) as temporary:
        report = match_job(job, temporary, goal, run, meter)
        write_report(report, report_path)
    return report


def match_job(job: Job, path: Path, goal: MatchOptions, run: RunOptions, meter: Meter) -> EncodeReport:
    """Search, and encode a job into a file; job.options are those of `MatchOptions.base`. Raises what `match` raises."""
    with work_folder() as folder:
        return _Finder(job, goal, folder, meter).encode(path, run)


@dataclass(frozen=True)
class _File:
    """A finished file, under a temporary name."""

    qp: list[float]
    """Of each unit."""
    report: EncodeReport
    compared: Compared

    @property
    def miss(self) -> float:
        return abs(self.compared.whole.difference)


class _NoBetter(Exception):
    """A file that is not worth keeping: it is removed."""


class _Finder:
    """One search, from the first look at the video to the finished file."""

    def __init__(self, job: Job, goal: MatchOptions, folder: Path, meter: Meter) -> None:
        self._started = time.monotonic()
        self._goal = goal
        self._meter = meter
        self._job = job
        self._scan: Scan = scan(job, folder, meter)
        self._trials = TrialEncodes(job, self._scan, goal.quality, meter)
        self._reference = Reference(self._trials, self._scan, goal)
        self._plain = None if goal.crf is None else _plain_plan(job)

    def encode(self, path: Path, run: RunOptions) -> EncodeReport:
        """Search, encode, compare; correct and encode once more while that is not near enough. The best file is kept."""
        search = self._search()
        correct, misses = _correction(search), list[float]()
        best = latest = self._attempt(search, search.best(), path, run)
        while best.miss > self._goal.near and len(misses) < _MOST_CORRECTIONS:
            qp = correct(latest)
            if qp == latest.qp:
                break
            self._trials.cost.encodes += 1
            self._trials.cost.frames += latest.report.frames
            with suppress(_NoBetter), atomic_output(path, overwrite=True) as again:
                latest = self._attempt(search, qp, again, run)
                misses.append(max(best, latest, key=lambda file: file.miss).compared.whole.difference)
                if latest.miss >= best.miss:
                    raise _NoBetter
                best = latest
        counts = self._scan.counts  # every encode after it has its maps from a file
        mean, lowest = counts.confidence()
        found = self._report(search, best, misses)
        return replace(best.report, match=found, looks=counts.looks, confidence=mean, confidence_lowest=lowest)

    def _attempt(self, search: Search | Allocation, qp: list[float], path: Path, run: RunOptions) -> _File:
        job = search.control.final(qp).reopened()
        with job.reader:
            report = encode_job(job, path, run, self._meter)
        return _File(qp, report, self._reference.compare(path, self._plain))

    def _search(self) -> Search | Allocation:
        plain = None if self._plain is None else self._reference.encode_plain(self._plain)
        if plain is not None and not self._job.plan.has_offsets:
            return Allocation(self._trials, ShotControl(self._job, self._scan), self._goal, plain)
        if not self._job.plan.shifts:
            search = Search(self._trials, FileControl(self._job, self._scan), self._goal)
            search.run(search.wanted(plain))
            return search
        job, slope = self._job, None
        if plain is None:
            job, slope = self._near_base()
        search = Search(self._trials, ShotControl(job, self._scan), self._goal)
        search.run(search.wanted(plain), slope=slope)
        return search

    def _near_base(self) -> tuple[Job, float]:
        """The job with a crf at which the whole video has about the value that is wanted, and the loss for each step."""
        control = FileControl(self._job, self._scan)
        search = Search(self._trials, control, self._goal)
        search.run(search.wanted(None), _ENCODES_FOR_BASE, _NEAR_BASE_QP * self._goal.quality.slope)
        (secant,) = search.secants
        nearest = min(secant.points, key=lambda qp: abs(secant.points[qp]))
        return control.job_at(control.base_crf + nearest), secant.local_slope()

    def _report(self, search: Search | Allocation, file: _File, misses: Sequence[float]) -> MatchReport:
        report, compared = file.report, file.compared
        goal, cost, plain_bytes = self._goal, self._trials.cost, self._reference.plain_bytes
        crf = report.options["crf"]
        saving = None if plain_bytes is None else 100 * (1 - report.video_bytes / plain_bytes)
        p5, plain_p5 = compared.percentile_5, compared.plain_percentile_5
        return MatchReport(
            target=goal.text,
            metric=goal.metric,
            unit=goal.quality.unit,
            tolerance=goal.near,
            control=search.control.name,
            base_crf=crf,
            wanted=compared.whole.wanted,
            reached=compared.whole.reached,
            difference=compared.whole.difference,
            within_tolerance=abs(compared.whole.difference) <= goal.near,
            percentile_5=p5,
            percentile_5_difference=None if plain_p5 is None else p5 - plain_p5,
            frames_compared=compared.frames,
            misses=tuple(misses),
            encodes=cost.encodes,
            encoded_frames=cost.frames,
            cost_in_encodes=cost.frames / len(self._scan.times),
            seconds=time.monotonic() - self._started - report.wall_seconds,
            plain_bytes=plain_bytes,
            saving_percent=saving,
            shots=self._shots(search, file.qp, compared),
        )

    def _shots(self, search: Search | Allocation, qp: Sequence[float], compared: Compared) -> tuple[ShotMatch, ...]:
        times, by_file = self._scan.times, search.control.name == "file"
        found = []
        for place, (shot, quality) in enumerate(zip(self._scan.shots, compared.shots, strict=True)):
            unit = 0 if by_file else place
            found.append(
                ShotMatch(
                    start_seconds=times[shot.frames.first],
                    end_seconds=times[shot.frames.end - 1],
                    frames=len(shot.frames),
                    frames_tried=sum(map(len, shot.samples)),
                    shift_qp=0.0 if by_file else qp[unit],
                    wanted=quality.wanted if quality else None,
                    reached=quality.reached if quality else None,
                    difference=quality.difference if quality else None,
                    encodes=search.tries(unit),
                )
            )
        return tuple(found)


def _correction(search: Search | Allocation) -> Callable[[_File], list[float]]:
    """The QPs for the next file, after one."""
    if isinstance(search, Allocation):
        return lambda file: search.after(file.compared.whole.difference)
    return _Correction(search).after


class _Correction:
    """A search by what finished files turn out to be: within the whole, all is a bit different from its samples."""

    def __init__(self, search: Search) -> None:
        self._by_file = search.control.name == "file"
        self._secants = [replace(secant, slope=secant.local_slope(), points={}) for secant in search.secants]

    def after(self, file: _File) -> list[float]:
        """The QPs for the next file."""
        compared = file.compared
        for place, (secant, qp) in enumerate(zip(self._secants, file.qp, strict=True)):
            # Of a shot that was not compared holds what is true of the others.
            own = None if self._by_file else compared.shots[place]
            secant.add(qp, (own or compared.whole).difference)
        return [secant.best() for secant in self._secants]


def _plain_plan(job: Job) -> EncoderPlan:
    """The plain encode with a job's crf: what the same options give with --attention none."""
    options = replace(job.options, attention="none")
    return make_plan(options, job.reader.info, hdr_metadata(job.reader.first_frame))
