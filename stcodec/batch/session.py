"""Session of one run on an output folder: its table, its lock, its place for unfinished files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stcodec import interrupts
from stcodec.batch import journal
from stcodec.batch.options import BatchOptions
from stcodec.batch.outputs import Results
from stcodec.batch.runs import (
    begin_run,
    is_alive,
    one_at_a_time,
    register_run,
    release,
    release_dead,
    retire_dead,
    run_lock,
    state_folder,
)
from stcodec.batch.storage import Remote
from stcodec.batch.table import SOURCES_FOLDER, STATE_FOLDER, Table
from stcodec.errors import BatchError
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
            with one_at_a_time(state_folder(self.output)):
                retire_dead(self.table, self.output, self._options, self.results)
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
        release_dead(table, state_folder(output), results)
        with table.changing():
            number = table.text(options.as_mapping())
            run = register_run(table, root, options, number)
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
    with one_at_a_time(folder):
        table, results = _opened(folder), _results(output, options)
        try:
            _recover(table, folder, results)
            retire_dead(table, output, options, results)
            run, plan, number, lock = begin_run(table, folder, root, options)
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
        if any(is_alive(folder, int(lock.stem)) for lock in (folder / "runs").glob("*.lock") if lock.stem.isdecimal()):
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


def _end(table: Table, folder: Path, run: int, work: Path) -> None:
    """End a run: jobs that it still has in hand wait for the next one."""
    shutil.rmtree(work, ignore_errors=True)
    with suppress(BatchError):  # the folder may be gone; the next run finds out
        release(table, run)
        _sweep(table, folder, run)
    with suppress(PermissionError):  # of Windows, where a file that is open stays
        run_lock(folder, run).unlink(missing_ok=True)


def _sweep(table: Table, folder: Path, run: int) -> None:
    """Remove what no run needs any more, if this one is the last: fetched sources, and pieces of videos that are settled."""
    with suppress(OSError), one_at_a_time(folder):  # the folder may be gone
        others = table.ask("SELECT id FROM runs WHERE has_ended = 0 AND id != ?", run)
        if any(is_alive(folder, one[0]) for one in others):
            return
        shutil.rmtree(folder / Path(SOURCES_FOLDER).name, ignore_errors=True)
        if table.row("state IN ('waiting', 'running', 'placing')") is None:
            shutil.rmtree(folder / "parts", ignore_errors=True)


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
