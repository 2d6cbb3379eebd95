"""A batch from end to end: plan, make, sum up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stcodec.attention import open_source
from stcodec.batch.estimate import Estimate, estimate
from stcodec.batch.hooks import DONE, DUE
from stcodec.batch.listener import Listener
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.batch.page import write_page
from stcodec.batch.plan import Planner, check_folders
from stcodec.batch.runs import check_last_run
from stcodec.batch.scheduler import Scheduler, jobs_of
from stcodec.batch.session import existing_table, planned, session
from stcodec.batch.storage import Remote
from stcodec.batch.summary import BatchSummary, summarise
from stcodec.batch.table import Table
from stcodec.errors import OptionsError
from stcodec.media.output import check_output


def run(
    source: Path | Remote,
    output: Path | None,
    options: BatchOptions,
    running: BatchRun,
    listener: Listener | None = None,
) -> BatchSummary:
    """Make what is not made yet of every video in a folder, and sum up.

    output: None where originals are replaced; the job table's folder where `options.results` is a URL. What fails is noted,
    and the rest goes on. When new files are watched for, KeyboardInterrupt ends it well. Raises OptionsError, MediaError if
    there is no source, and BatchError if no more can be made: the disk is full, the output folder has gone, another run
    does other things there.
    """
    listener = listener or Listener()
    output = _checked_output(source, output, options)
    if running.report is not None:
        check_output(running.report, overwrite=running.overwrite)
    with session(output, source, options) as mine:
        planner = Planner(source, options, mine, running, listener.note)
        planner.walk()
        try:
            Scheduler(mine, options, running, listener, planner.walk).work()
        except KeyboardInterrupt:
            if running.watch_seconds is None:
                raise
        summary = summarise(mine.table, mine.plan, planner.skipped, planner.with_other_options)
        if running.report is not None:
            by_saving = "plan = ? AND state = 'done' ORDER BY output_bytes - source_bytes"
            write_page(summary, mine.table.rows(by_saving, mine.plan), running.report, overwrite=True)
        return summary


def plan(
    source: Path | Remote,
    output: Path | None,
    options: BatchOptions,
    running: BatchRun,
    listener: Listener | None = None,
) -> tuple[BatchSummary, Estimate]:
    """Report what `run` would do, and about how long it takes; nothing is written. Each file goes to `listener.finished`.

    Raises what `run` raises.
    """
    listener = listener or Listener()
    output = _checked_output(source, output, options)
    with planned(output, source, options) as mine:
        planner = Planner(source, options, mine, replace(running, watch_seconds=None), listener.note)
        planner.walk()
        for job in mine.table.rows("plan = ? AND state = 'waiting' ORDER BY source", mine.plan):
            listener.finished(job)
        summary = summarise(mine.table, mine.plan, planner.skipped, planner.with_other_options)
        return summary, estimate(
            mine, None if options.ladder or options.goal or mine.remote else options.encode, options.key, jobs_of(running)
        )


def _checked_output(source: Path | Remote, output: Path | None, options: BatchOptions) -> Path:
    """The folder that the job table is in. Raises OptionsError, AttentionError or MediaError."""
    if options.replace != (output is None):
        raise OptionsError(
            "--replace puts results in the originals' place: leave OUT away" if options.replace else "give an output folder"
        )
    if options.replace and (isinstance(source, Remote) or options.results is not None):
        raise OptionsError("--replace puts results in the place of files of this machine, not of those behind a URL")
    if output is None:
        assert isinstance(source, Path)
        output = source if source.is_dir() else source.parent
    check_folders(source, output, replace=options.replace)
    open_source(options.encode.attention)  # said once, and not for every file
    return output


def retry(
    source: Path | Remote,
    output: Path | None,
    options: BatchOptions,
    running: BatchRun,
    listener: Listener | None = None,
) -> BatchSummary:
    """`run`, and try again what failed. Raises what `run` raises, and BatchError unless the last run had the same options.

    The job table is not asked for the options: whoever may write to its folder could have the originals of others replaced.
    """
    table = Table(existing_table(_checked_output(source, output, options)))
    try:
        check_last_run(table, source, options)
        with table.changing():
            table.change("jobs", "state = 'failed'", state="waiting", attempts=0, error=None)
            table.change("jobs", "state = 'done' AND hook NOT IN (?, ?)", DUE, DONE, hook=DUE)
    finally:
        table.close()
    return run(source, output, options, running, listener)


def status(output: Path) -> BatchSummary:
    """Summary of the last run into a folder, also while it is at work. Raises BatchError if there was none."""
    table = Table(None, copy_of=existing_table(output))
    try:
        plans = table.ask("SELECT plan FROM runs ORDER BY id DESC LIMIT 1")
        return summarise(table, plans[0][0] if plans else 0)
    finally:
        table.close()
