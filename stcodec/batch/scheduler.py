"""Scheduling: jobs that wait are claimed, and the steps of those in hand go to the workers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from stcodec.batch.hooks import DUE, Hooks
from stcodec.batch.job import Life, Step, StepFailed, life
from stcodec.batch.kept_maps import looks_at_pictures
from stcodec.batch.listener import Listener
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.batch.progress import BatchProgress
from stcodec.batch.publish import Publisher
from stcodec.batch.ray_pool import RayWorkers
from stcodec.batch.session import Session
from stcodec.batch.steps import JobSpec
from stcodec.batch.storage import Origin
from stcodec.batch.table import JobRow, now
from stcodec.errors import OUT_OF_SPACE, BatchError, StcodecError
from stcodec.media.paths import display_name
from stcodec.work.workers import CORES_A_JOB, Outcome, Workers, cores


def jobs_of(running: BatchRun) -> int:
    """Number of files that are encoded side by side."""
    return running.jobs or max(1, cores() // CORES_A_JOB)


@dataclass
class _ActiveJob:
    """A job in hand, and the steps that it waits for."""

    row: JobRow
    unfinished: Path
    """Path that its file is made under."""
    life: Life
    steps: Sequence[Step[Any]] = ()
    results: dict[int, Any] = field(default_factory=dict)
    """By the number of the step."""
    deaths: int = 0
    """Number of processes that died of it."""


class Scheduler:
    """Gives the steps of jobs to the workers, and finished files to the publisher."""

    def __init__(
        self,
        mine: Session,
        options: BatchOptions,
        running: BatchRun,
        listener: Listener,
        look_again: Callable[[], None],
        begin: Callable[..., Life] = life,
    ) -> None:
        """look_again: brings the table up to date with the sources, when new files are watched for; begin: see `life`."""
        self._look_again = look_again
        self._next_look = time.monotonic() + (running.watch_seconds or 0.0)
        self._session = mine
        self._table = mine.table
        self._options = options
        self._running = running
        self._listener = listener
        self._life = begin
        self._active: dict[int, _ActiveJob] = {}
        """By the number of the job."""
        self._ready: deque[tuple[_ActiveJob, Sequence[Step[Any]], int]] = deque()
        """Steps that may be done: the job, the steps that it waits for, and which of them."""
        self._given: dict[int, tuple[_ActiveJob, Sequence[Step[Any]], int]] = {}
        """Those that a worker has, by their place among all that were given out."""
        self._places = count()
        self._workers = 1
        """Steps that are done side by side."""
        self._looks_apart = running.ray is not None and looks_at_pictures(options.encode.attention)
        self._progress = BatchProgress(mine.table, mine.plan, listener)
        self._publisher = Publisher(mine, options, running, listener.note, self._settle)
        self._hooks = Hooks(running.on_done, mine.source_name, mine.results, mine.table, listener, jobs_of(running))

    def work(self) -> None:
        """Work until nothing waits any more; when new files are watched for, until KeyboardInterrupt."""
        try:
            for row in list(self._table.rows("plan = ? AND state = 'done' AND hook = ?", self._session.plan, DUE)):
                self._hooks.begin(row)  # a run that was broken off did not come to it
            with self._pool() as workers:
                self._workers = workers.jobs
                self._progress.tell("")
                for outcome in workers.run(self._steps(), self._publisher.flush):
                    self._take(outcome)
                    self._hooks.look()
                self._publisher.flush()
            self._hooks.finish()
        except (KeyboardInterrupt, BatchError):
            with suppress(BatchError):
                self._publisher.flush()
            raise
        finally:
            self._hooks.stop()

    def _pool(self) -> Workers | RayWorkers:
        work = self._session.work
        if self._running.ray is not None:
            return RayWorkers(self._running.ray, self._running.jobs, work)
        return Workers(jobs_of(self._running), work, apart=True)

    def _steps(self) -> Iterator[Step[Any] | None]:
        """The steps for the workers; None where there is none now, but may be soon."""
        while True:
            self._session.check_there()
            self._watch()
            if not self._ready:
                row = self._table.claim(self._session.plan, self._session.run)
                if row is not None:
                    self._begin(row)
            if self._ready:
                self._given[next(self._places)] = _, steps, number = self._ready.popleft()
                self._progress.tell(self._at_work())
                yield steps[number]
            elif self._given or self._running.watch_seconds is not None or self._session.others_may_leave_work():
                yield None
            else:
                return

    def _watch(self) -> None:
        if self._running.watch_seconds is not None and time.monotonic() >= self._next_look:
            self._look_again()
            self._hooks.look()
            self._next_look = time.monotonic() + self._running.watch_seconds

    def _begin(self, row: JobRow) -> None:
        session = self._session
        used = {job.unfinished.parent for job in self._active.values()}
        folder = next(one for number in count() if (one := session.work / f"{number}") not in used)
        origin = None
        if session.remote is not None:
            below = row.source.relative_to(session.sources)
            origin = Origin(session.remote, below, row.source_bytes, row.source_mtime_ns)
        unfinished, target = folder / row.output.name, session.output / row.output
        spec = JobSpec(row.source, unfinished, target, self._options, session.cache, origin)
        seconds = self._running.part_seconds if self._is_long(row) else None
        job = _ActiveJob(row, unfinished, self._life(spec, looks_apart=self._looks_apart, part_seconds=seconds))
        self._active[row.id] = job
        self._go_on(job, partial(next, job.life))

    def _is_long(self, row: JobRow) -> bool:
        """True if a video would keep its worker busy for longer than the others have anything to do."""
        can_share = self._workers > 1 and self._running.part_seconds > 0
        return can_share and row.source_bytes * self._workers >= self._progress.bytes_left

    def _go_on(self, job: _ActiveJob, resume: Callable[[], Sequence[Step[Any]]]) -> bool:
        """Give out the next steps of a job; False if there are none, because it has its file or failed."""
        try:
            job.steps, job.results = resume(), {}
        except StopIteration as end:
            self._publisher.add(job.row, end.value, job.unfinished)
        except StepFailed as error:
            self._settle(job.row, error)
        else:
            self._ready += [(job, job.steps, number) for number in range(len(job.steps))]
            return True
        return False

    def _take(self, outcome: Outcome) -> None:
        self._session.check_there()  # else everything that fails now would count as failed
        job, steps, number = self._given.pop(outcome.place)
        if steps is not job.steps:  # another of them failed before
            return
        if outcome.error is None:
            job.results[number] = outcome.result
            if len(job.results) == len(steps):
                self._go_on(job, partial(job.life.send, [job.results[place] for place in range(len(steps))]))
            return
        error = StepFailed(outcome.error, errno=outcome.errno)
        self._check_room(error)
        job.deaths += outcome.has_died
        if outcome.has_died and job.deaths < self._running.attempts:
            self._note_again(job, error)
            self._table.update(job.row.id, attempts=job.row.attempts + job.deaths)
            self._ready.append((job, steps, number))
            return
        self._ready = deque(one for one in self._ready if one[0] is not job)
        if self._go_on(job, partial(job.life.throw, error)):
            self._note_again(job, error)

    def _note_again(self, job: _ActiveJob, error: StcodecError) -> None:
        self._listener.note(f"again: {job.row.source_name}: {_without_name(error, job.row)}")

    def _settle(self, row: JobRow, error: StcodecError | None) -> None:
        """A job has its file, or none."""
        if error is not None:
            self._session.check_there()  # else what the lost folder did would count as the file's fault
            self._check_room(error)
            self._table.update(
                row.id,
                state="failed",
                error=_without_name(error, row),
                key=self._options.key,
                options=self._session.options,
                finished=now(),
                output_bytes=row.output_bytes,
                output_mtime_ns=row.output_mtime_ns,
                output_hash=row.output_hash,
            )
        del self._active[row.id]
        if self._session.remote is not None:
            row.source.unlink(missing_ok=True)
        settled = self._table.row("id = ?", row.id)
        assert settled is not None
        if settled.state == "done":
            self._hooks.begin(row)
        self._progress.step(settled, self._at_work())

    def _at_work(self) -> str:
        """What the workers have had longest; empty if they have nothing."""
        if not self._given:
            return ""
        job, steps, number = next(iter(self._given.values()))
        return f"{display_name(job.row.output)}: {steps[number].what}"

    def _check_room(self, error: StcodecError) -> None:
        """Raise BatchError if the disk is full: everything that follows would fail, too."""
        if error.errno in OUT_OF_SPACE:
            raise BatchError(
                f"{display_name(self._session.output)}: the disk is full ({error}): make room, and the same command goes "
                "on; what was finished is kept",
                path=self._session.output,
            )


def _without_name(error: StcodecError, row: JobRow) -> str:
    """A message that will stand behind the source's name."""
    return str(error).removeprefix(f"{display_name(row.source)}: ")
