"""Estimate of how long a batch will take and how large its files will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stcodec.batch.session import Session
from stcodec.batch.table import JobRow
from stcodec.errors import StcodecError
from stcodec.media.decode import VideoReader
from stcodec.media.lossless import SUFFIX, write_lossless
from stcodec.media.output import work_folder
from stcodec.options import EncodeOptions
from stcodec.pipeline.encode import encode

_TRIALS = 3
_TRIAL_FRAMES = 48


@dataclass(frozen=True)
class Estimate:
    """Time and size of what is ahead: close for files alike, a rough guess for unlike ones."""

    files: int
    bytes_before: int
    seconds: float | None
    """Wall time; None if nothing could be tried."""
    bytes_after: float | None
    jobs: int
    basis: str
    """Data that it is based on."""


@dataclass(frozen=True)
class _Throughput:
    """Time and size that some bytes of sources came to."""

    source_bytes: float
    wall_seconds: float
    output_bytes: float


def estimate(session: Session, options: EncodeOptions | None, key: str, jobs: int) -> Estimate:
    """Estimate from what was made with the same options before, else from a trial with the first frames of a few files.

    options: None = there is no trial.
    """
    ahead = session.table.ask(
        "SELECT COUNT(*), COALESCE(SUM(source_bytes), 0) FROM jobs WHERE plan = ? AND state = 'waiting'", session.plan
    )[0]
    files, size = int(ahead[0]), int(ahead[1])
    rates, basis = _recorded(session, key), "from the files made before"
    if not rates and files and options is not None:
        rates = [rate for job in _chosen(session, files) if (rate := _trial(job, options)) is not None]
        basis = f"from a trial with the first {_TRIAL_FRAMES} frames of {len(rates)} files"
    tried = sum(rate.source_bytes for rate in rates)
    if not tried:
        return Estimate(files, size, None if files else 0.0, None if files else 0.0, jobs, "nothing could be tried")
    seconds = size * sum(rate.wall_seconds for rate in rates) / tried / max(1, min(jobs, files))
    return Estimate(files, size, seconds, size * sum(rate.output_bytes for rate in rates) / tried, jobs, basis)


def _recorded(session: Session, key: str) -> list[_Throughput]:
    sums = session.table.ask(
        "SELECT SUM(source_bytes), SUM(wall_seconds), SUM(output_bytes) FROM jobs WHERE key = ? AND state = 'done'", key
    )[0]
    return [_Throughput(*sums)] if sums[0] else []


def _chosen(session: Session, files: int) -> Sequence[JobRow]:
    """Some files, evenly through the order of size."""
    step = max(1, files // _TRIALS)
    places = range(step // 2, files, step)[:_TRIALS]
    waiting = "plan = ? AND state = 'waiting' ORDER BY source_bytes LIMIT 1 OFFSET ?"
    return [job for place in places if (job := next(session.table.rows(waiting, session.plan, place), None)) is not None]


def _trial(job: JobRow, options: EncodeOptions) -> _Throughput | None:
    """Encode the beginning of a file; None if that fails, as the file itself will."""
    try:
        with work_folder() as folder, VideoReader(job.source, keep_partial=True) as reader:
            part = folder / f"part{SUFFIX}"
            write_lossless(reader, part, frames=_TRIAL_FRAMES)
            report = encode(part, folder / "encoded.mkv", options=options, verify=False)
            share = min(1.0, report.frames / reader.info.frames) if reader.info.frames else 1.0
            return _Throughput(job.source_bytes * share, report.wall_seconds, report.video_bytes)
    except StcodecError:
        return None
