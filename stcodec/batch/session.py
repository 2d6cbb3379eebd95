"""Session of one run on an output folder: its lock, its place for unfinished files, and what dead runs left behind.

A run is alive as long as it holds the lock on its file; the system drops the lock of a process that dies in any way. No
clock is asked.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stcodec import interrupts
from stcodec.batch import journal
from stcodec.batch.options import BatchOptions
from stcodec.batch.outputs import Results, remove_replaced
from stcodec.batch.storage import Remote
from stcodec.batch.table import SOURCES_FOLDER, STATE_FOLDER, JobRow, Table, as_bytes, now
from stcodec.errors import BatchError
from stcodec.media.locks import lock_file
from stcodec.media.paths import display_name
from stcodec.work.cache import Cache

_TABLE = "jobs.sqlite"
_PATIENCE_SECONDS = 5.0
"""Finished files are given their names, and workers end."""


@dataclass(frozen=True)
class Session:
    """A run with its folders, its job table and its places."""

    output: Path
    table: Table
    run: int
    plan: int
    """The number of the run that began this set of jobs; runs that help each other share it."""
    options: int
    """Number of the options in the table."""
    work: Path
    """For unfinished files; on the output's disk."""
    results: Results
    remote: Remote | None
    """Place of the sources, if not on this machine."""
    _options: BatchOptions
    _identity: tuple[int, int]

    @property
    def sources(self) -> Path:
        """Folder that sources are fetched to from elsewhere."""
        return self.output.resolve() / SOURCES_FOLDER

    def source_name(self, source: Path) -> str:
        """Name of a source for programs: its path, or its URL."""
        return os.fspath(source) if self.remote is None else f"{self.remote}/{source.relative_to(self.sources)}"

    @property
    def cache(self) -> Cache:
        return Cache(self.work.parents[1], self.work)

    def others_may_leave_work(self) -> bool:
        """True if other runs have jobs of the plan in hand, or left some: those of runs that died wait again."""
        in_hand = "plan = ? AND state IN ('running', 'placing') AND run != ?"
        if self.table.row(in_hand, self.plan, self.run) is not None:
            with _one_at_a_time(state_folder(self.output)):
                _retire_dead(self.table, self.output, self._options, self.results)
        return self.table.row(f"({in_hand}) OR (plan = ? AND state = 'waiting')", self.plan, self.run, self.plan) is not None

    def check_there(self) -> None:
        """Raise BatchError if the output folder has gone, or is another one now."""
        try:
            status = self.work.stat()
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            raise BatchError(
                f"{display_name(self.output)}: the output folder has vanished while files were made: bring it back (is its "
                "disk still there?), and the same command goes on",
                path=self.output,
            )


def state_folder(output: Path) -> Path:
    """Folder of the job table of an output folder."""
    return output / STATE_FOLDER


def existing_table(output: Path) -> Path:
    """The file of an output folder's job table. Raises BatchError if there is none."""
    path = state_folder(output) / _TABLE
    if not path.is_file():
        raise BatchError(
            f"{display_name(output)}: no batch was run into this folder: there is no {STATE_FOLDER} in it", path=output
        )
    return path


@contextmanager
def planned(output: Path, root: Path | Remote, options: BatchOptions) -> Iterator[Session]:
    """A session that writes nothing: the table is a copy in memory."""
    table, results = Table(None, copy_of=state_folder(output) / _TABLE), _results(output, options)
    try:
        if _is_new(table):
            journal.restore(state_folder(output), table, results)
        _release_dead(table, state_folder(output), results)
        with table.changing():
            number = table.text(options.as_mapping())
            run = _register(table, root, options, number)
        yield Session(output, table, run, run, number, output, results, _remote(root), options, (0, 0))
    finally:
        table.close()


@contextmanager
def session(output: Path, root: Path | Remote, options: BatchOptions) -> Iterator[Session]:
    """Begin a run. Raises BatchError if another one is at work there with other options, or the folder can't be used."""
    folder = state_folder(output)
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        (folder / "work").mkdir(exist_ok=True)
    except OSError as error:
        raise BatchError(
            f"{display_name(output)}: can't be used as the output folder ({error.strerror})", path=output
        ) from None
    with _one_at_a_time(folder):
        table, results = _opened(folder), _results(output, options)
        try:
            _recover(table, folder, results)
            _retire_dead(table, output, options, results)
            run, plan, number, lock = _begin(table, folder, root, options)
        except BaseException:
            table.close()
            raise
    try:
        work = folder.resolve() / "work" / str(run)
        with lock:
            interrupts.ending.seconds = _PATIENCE_SECONDS
            try:
                yield Session(output, table, run, plan, number, work, results, _remote(root), options, _made_folder(work))
            finally:
                _end(table, folder, run, work)
    finally:
        table.close()


def _opened(folder: Path) -> Table:
    """The table. Raises BatchError if it was removed while a run is at work."""
    path = folder / _TABLE
    if not path.exists():
        if any(_is_alive(folder, int(lock.stem)) for lock in (folder / "runs").glob("*.lock") if lock.stem.isdecimal()):
            raise BatchError(
                f"{display_name(path)}: was removed while a run is at work, which goes on: wait for it", path=path
            )
        for ending in ("-wal", "-shm"):  # what SQLite wrote beside the one that was removed would spoil the new one
            path.with_name(f"{_TABLE}{ending}").unlink(missing_ok=True)
    return Table(path)


def _recover(table: Table, folder: Path, results: Results) -> None:
    """A table that is new gets what the journal says was made; a journal that is new, what the table says."""
    if _is_new(table):
        journal.restore(folder, table, results)
        for work in (folder / "work").iterdir():
            shutil.rmtree(work, ignore_errors=True)
    elif not journal.is_there(folder):
        journal.write(folder, ((job, {}) for job in table.rows("state IN ('done', 'kept')")))


def _is_new(table: Table) -> bool:
    return not table.ask("SELECT 1 FROM runs LIMIT 1")


def _begin(table: Table, folder: Path, root: Path | Remote, options: BatchOptions) -> tuple[int, int, int, IO[bytes]]:
    """A new run's number, that of its plan, that of its options, and its lock."""
    with table.changing():
        plan = _helped_plan(table, folder, root, options)
        number = table.text(options.as_mapping())
        run = _register(table, root, options, number, plan)
        lock = _lock_file(folder, run).open("wb")
        lock_file(lock.fileno(), waits=True)  # nobody else sees the run before this block ends
        return run, plan or run, number, lock


def _helped_plan(table: Table, folder: Path, root: Path | Remote, options: BatchOptions) -> int | None:
    """The plan of a living run that does the same, None without one. Raises BatchError if it does other things."""
    for run, plan, key, folder_there in table.ask("SELECT id, plan, key, root FROM runs WHERE has_ended = 0"):
        if not _is_alive(folder, run):
            continue
        if key != options.key or folder_there != _root_bytes(root):
            raise BatchError(
                f"{display_name(folder.parent)}: another run is at work on this folder with other options: wait for it, or "
                "give another output folder",
                path=folder.parent,
            )
        return int(plan)
    return None


def _register(table: Table, root: Path | Remote, options: BatchOptions, number: int, plan: int | None = None) -> int:
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


def _end(table: Table, folder: Path, run: int, work: Path) -> None:
    """End a run: jobs that it still has in hand wait for the next one."""
    shutil.rmtree(work, ignore_errors=True)
    with suppress(BatchError):  # the folder may be gone; the next run finds out
        _release(table, run)
        _sweep(table, folder, run)
    with suppress(PermissionError):  # of Windows, where a file that is open stays
        _lock_file(folder, run).unlink(missing_ok=True)


def _sweep(table: Table, folder: Path, run: int) -> None:
    """Remove what no run needs any more, if this one is the last: fetched sources, and pieces of videos that are settled."""
    with suppress(OSError), _one_at_a_time(folder):  # the folder may be gone
        others = table.ask("SELECT id FROM runs WHERE has_ended = 0 AND id != ?", run)
        if any(_is_alive(folder, one[0]) for one in others):
            return
        shutil.rmtree(folder / Path(SOURCES_FOLDER).name, ignore_errors=True)
        if table.row("state IN ('waiting', 'running', 'placing')") is None:
            shutil.rmtree(folder / "parts", ignore_errors=True)


def _retire_dead(table: Table, output: Path, options: BatchOptions, results: Results) -> None:
    """Take the jobs of runs that are no more out of their hands, and remove what those runs left."""
    folder = state_folder(output)
    dead, placed = _release_dead(table, folder, results)
    for job in placed:
        if options.replace and _is_as_read(job):
            remove_replaced(job.source, output / job.output)
    for run in dead:
        shutil.rmtree(folder / "work" / str(run), ignore_errors=True)
        _lock_file(folder, run).unlink(missing_ok=True)


def _release_dead(table: Table, folder: Path, results: Results) -> tuple[list[int], list[JobRow]]:
    """Let the jobs of dead runs wait again, in the table alone; those runs, and the jobs whose files had got their names."""
    dead = [run for (run,) in table.ask("SELECT id FROM runs WHERE has_ended = 0") if not _is_alive(folder, run)]
    placed = []
    for run in dead:
        placed += [job for job in list(table.rows("state = 'placing' AND run = ?", run)) if _settle(table, job, results)]
        _release(table, run)
    return dead, placed


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Lock against other runs that begin, end, or take over what dead ones left."""
    with (folder / "runs" / "begin.lock").open("wb") as door:
        lock_file(door.fileno(), waits=True)
        yield


def _release(table: Table, run: int) -> None:
    with table.changing():
        table.change("jobs", "run = ? AND state IN ('running', 'placing')", run, state="waiting")
        table.change("runs", "id = ?", run, has_ended=1)


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


def _is_alive(folder: Path, run: int) -> bool:
    try:
        with _lock_file(folder, run).open("rb") as file:
            lock_file(file.fileno(), waits=False)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_file(folder: Path, run: int) -> Path:
    return folder / "runs" / f"{run}.lock"


def _made_folder(work: Path) -> tuple[int, int]:
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir()
        status = work.stat()
    except OSError as error:
        raise BatchError(f"{display_name(work)}: can't be made ({error.strerror})", path=work) from None
    return status.st_dev, status.st_ino


def _results(output: Path, options: BatchOptions) -> Results:
    return Results(output, None if options.results is None else Remote(options.results))


def _remote(root: Path | Remote) -> Remote | None:
    return root if isinstance(root, Remote) else None


def _root_bytes(root: Path | Remote) -> bytes:
    return root.url.encode() if isinstance(root, Remote) else as_bytes(root.resolve())


def check_last_run(table: Table, root: Path | Remote, options: BatchOptions) -> None:
    """Raise BatchError unless the last run had the same source and options."""
    last = table.ask("SELECT root, key FROM runs ORDER BY id DESC LIMIT 1")
    if not last:
        raise BatchError("no run has begun in this folder: there is nothing to try again")
    if (last[0]["root"], last[0]["key"]) != (_root_bytes(root), options.key):
        raise BatchError(
            "the last run had another IN or other flags: retry takes those that it had (leave the word retry out for others)"
        )
