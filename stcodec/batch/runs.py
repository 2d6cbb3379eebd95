"""Runs on an output folder, by the job table and their locks: which live, and what dead ones left.

A run is alive as long as it holds the lock on its file; the system drops the lock of a process that dies in any way. No
clock is asked.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stcodec.batch.options import BatchOptions
from stcodec.batch.outputs import Results, remove_replaced
from stcodec.batch.storage import Remote
from stcodec.batch.table import STATE_FOLDER, JobRow, Table, as_bytes, now
from stcodec.errors import BatchError
from stcodec.media.locks import lock_file
from stcodec.media.paths import display_name


def state_folder(output: Path) -> Path:
    """Folder of the job table of an output folder."""
    return output / STATE_FOLDER


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Lock against other runs that begin, end, or take over what dead ones left."""
    with (folder / "runs" / "begin.lock").open("wb") as door:
        lock_file(door.fileno(), waits=True)
        yield


def begin_run(table: Table, folder: Path, root: Path | Remote, options: BatchOptions) -> tuple[int, int, int, IO[bytes]]:
    """A new run's number, that of its plan, that of its options, and its lock."""
    with table.changing():
        plan = _helped_plan(table, folder, root, options)
        number = table.text(options.as_mapping())
        run = register_run(table, root, options, number, plan)
        lock = run_lock(folder, run).open("wb")
        lock_file(lock.fileno(), waits=True)  # nobody else sees the run before this block ends
        return run, plan or run, number, lock


def _helped_plan(table: Table, folder: Path, root: Path | Remote, options: BatchOptions) -> int | None:
    """The plan of a living run that does the same, None without one. Raises BatchError if it does other things."""
    for run, plan, key, folder_there in table.ask("SELECT id, plan, key, root FROM runs WHERE has_ended = 0"):
        if not is_alive(folder, run):
            continue
        if key != options.key or folder_there != _root_bytes(root):
            raise BatchError(
                f"{display_name(folder.parent)}: another run is at work on this folder with other options: wait for it, or "
                "give another output folder",
                path=folder.parent,
            )
        return int(plan)
    return None


def register_run(table: Table, root: Path | Remote, options: BatchOptions, number: int, plan: int | None = None) -> int:
    """Write a run down; its number. number: of its options; plan: of the run that it helps, None = its own."""
    run = table.insert(
        "runs",
        plan=plan or 0,
        key=options.key,
        root=_root_bytes(root),
        options=number,
        process=os.getpid(),
        host=platform.node(),
        started=now(),
    )
    if plan is None:
        table.change("runs", "id = ?", run, plan=run)
    return run


def check_last_run(table: Table, root: Path | Remote, options: BatchOptions) -> None:
    """Raise BatchError unless the last run had the same source and options."""
    last = table.ask("SELECT root, key FROM runs ORDER BY id DESC LIMIT 1")
    if not last:
        raise BatchError("no run has begun in this folder: there is nothing to try again")
    if (last[0]["root"], last[0]["key"]) != (_root_bytes(root), options.key):
        raise BatchError(
            "the last run had another IN or other flags: retry takes those that it had (leave the word retry out for others)"
        )


def release(table: Table, run: int) -> None:
    """End a run in the table: what it has in hand waits again."""
    with table.changing():
        table.change("jobs", "run = ? AND state IN ('running', 'placing')", run, state="waiting")
        table.change("runs", "id = ?", run, has_ended=1)


def retire_dead(table: Table, output: Path, options: BatchOptions, results: Results) -> None:
    """Take the jobs of runs that are no more out of their hands, and remove what those runs left."""
    folder = state_folder(output)
    dead, placed = release_dead(table, folder, results)
    for job in placed:
        if options.replace and _is_as_read(job):
            remove_replaced(job.source, output / job.output)
    for run in dead:
        shutil.rmtree(folder / "work" / str(run), ignore_errors=True)
        run_lock(folder, run).unlink(missing_ok=True)


def release_dead(table: Table, folder: Path, results: Results) -> tuple[list[int], list[JobRow]]:
    """Let the jobs of dead runs wait again, in the table alone; those runs, and the jobs whose files had got their names."""
    dead = [run for (run,) in table.ask("SELECT id FROM runs WHERE has_ended = 0") if not is_alive(folder, run)]
    placed = []
    for run in dead:
        placed += [job for job in list(table.rows("state = 'placing' AND run = ?", run)) if _settle(table, job, results)]
        release(table, run)
    return dead, placed


def _settle(table: Table, job: JobRow, results: Results) -> bool:
    """A run died while a finished file was about to take its name; whether it did."""
    if results.is_unchanged(job):
        table.update(job.id, state="done")
        return True
    if job.old_hash is not None and results.has_content(job, job.old_hash):
        size, changed = results.stamp(job.output)
        table.update(job.id, output_bytes=size, output_mtime_ns=changed, output_hash=job.old_hash, old_hash=None)
    return False


def _is_as_read(job: JobRow) -> bool:
    try:
        status = job.source.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (job.source_bytes, job.source_mtime_ns)


def is_alive(folder: Path, run: int) -> bool:
    """Whether the process of a run lives."""
    try:
        with run_lock(folder, run).open("rb") as file:
            lock_file(file.fileno(), waits=False)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def run_lock(folder: Path, run: int) -> Path:
    """The file that a run holds locked."""
    return folder / "runs" / f"{run}.lock"


def _root_bytes(root: Path | Remote) -> bytes:
    return root.url.encode() if isinstance(root, Remote) else as_bytes(root.resolve())
