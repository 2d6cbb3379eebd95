"""Summary of a set of jobs: counts, bytes, failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stcodec.batch.table import Table

SUMMARY_SCHEMA = 1


@dataclass(frozen=True)
class BatchFailure:
    """A file that could not be made."""

    source: str
    error: str
    attempts: int


@dataclass(frozen=True)
class BatchSummary:
    """Counts, bytes and failures of a set of jobs."""

    files: int
    """Videos in the source."""
    done: int
    failed: int
    """With those that something is in the way of."""
    kept: int
    """Originals that stay, because the results would not be smaller by enough."""
    hooks_failed: int
    """Of those done, files whose --on-done command failed."""
    waiting: int
    running: int
    """Also in the hands of another run."""
    skipped: int
    """Files that are no videos."""
    with_other_options: int
    """Of those done, made before with other options."""
    video_hours: float
    """Of the files that are done, as everything below."""
    bytes_before: int
    bytes_after: int
    saving_percent: float | None
    mean_quality_db: float | None
    """PSNR where the maps say that viewers look, on a sample of frames of each file; None if none was measured."""
    least_quality_db: float | None
    encode_hours: float
    """Wall time of the encodes, added up."""
    failures: tuple[BatchFailure, ...]

    def as_mapping(self) -> Mapping[str, Any]:
        """The summary for JSON."""
        return {"schema": SUMMARY_SCHEMA, **asdict(self)}


def summarise(table: Table, plan: int, skipped: int = 0, with_other_options: int = 0) -> BatchSummary:
    """The summary of a plan as the table has it."""
    counts = {
        row[0]: int(row[1]) for row in table.ask("SELECT state, COUNT(*) FROM jobs WHERE plan = ? GROUP BY state", plan)
    }
    sums = table.ask(
        "SELECT COALESCE(SUM(video_seconds), 0), COALESCE(SUM(source_bytes), 0), COALESCE(SUM(output_bytes), 0), "
        "COALESCE(SUM(wall_seconds), 0), AVG(quality_db), MIN(quality_db), "
        "COALESCE(SUM(hook NOT IN ('due', 'done')), 0) FROM jobs WHERE plan = ? AND state = 'done'",
        plan,
    )[0]
    failures = table.rows("plan = ? AND state IN ('failed', 'blocked') ORDER BY source", plan)
    return BatchSummary(
        files=sum(counts.values()),
        done=counts.get("done", 0),
        failed=counts.get("failed", 0) + counts.get("blocked", 0),
        kept=counts.get("kept", 0),
        hooks_failed=sums[6],
        waiting=counts.get("waiting", 0),
        running=counts.get("running", 0) + counts.get("placing", 0),
        skipped=skipped,
        with_other_options=with_other_options,
        video_hours=sums[0] / 3600,
        bytes_before=sums[1],
        bytes_after=sums[2],
        saving_percent=100 * (1 - sums[2] / sums[1]) if sums[1] else None,
        mean_quality_db=sums[4],
        least_quality_db=sums[5],
        encode_hours=sums[3] / 3600,
        failures=tuple(BatchFailure(one.source_name, one.error or "", one.attempts) for one in failures),
    )
