"""Who makes what, and when: files that wait go to the workers, finished files get their names."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from stcodec.batch.finisher import Finisher, now
from stcodec.batch.hooks import DUE, Hooks
from stcodec.batch.kept_maps import looks_at_pictures
from stcodec.batch.listener import Listener
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.batch.pieces import PartMade, Pieces, PieceTask
from stcodec.batch.progress import BatchProgress
from stcodec.batch.ray_pool import RayWorkers
from stcodec.batch.renditions import LadderTask, RungMade
from stcodec.batch.session import Session
from stcodec.batch.storage import Origin
from stcodec.batch.table import JobRow
from stcodec.batch.task import Looked, LookTask, Made, MakeTask, Split
from stcodec.errors import OUT_OF_SPACE, BatchError, MediaError
from stcodec.media.paths import display_name
from stcodec.work.workers import CORES_A_JOB, Outcome, Workers, cores


def jobs_of(running: BatchRun) -> int:
    """How many files are encoded side by side."""
    return running.jobs or max(1, cores() // CORES_A_JOB)


class Scheduler:
    """Gives the files that wait to the workers, and finished files their names."""

    def __init__(
        self, mine: Session, options: BatchOptions, running: BatchRun, listener: Listener, look_again: Callable[[], None]
    ) -> None:
        """look_again: brings the table up to date with the sources, when new files are watched for."""
        self._look_again = look_again
        self._next_look = time.monotonic() + (running.watch_seconds or 0.0)
        self._session = mine
        self._table = mine.table
        self._options = options
        self._running = running
        self._listener = listener
        self._flying: dict[int, tuple[JobRow, MakeTask | PieceTask]] = {}
        """By the place of the task."""
        self._places: dict[int, int] = {}
        """Folder for unfinished files by the number of the job."""
        self._ready: deque[tuple[JobRow, MakeTask | PieceTask]] = deque()
        """What is to be done next for videos that are in hand."""
        self._pieces: dict[int, Pieces] = {}
        """Videos that are encoded in pieces, by the number of the job."""
        self._given = 0
        self._jobs = 1
        """Tasks that are done side by side."""
        self._looks_apart = running.ray is not None and looks_at_pictures(options.encode.attention)
        self._deaths: Counter[int] = Counter()
        """How many processes died of a file."""
        self._progress = BatchProgress(mine.table, mine.plan, listener)
        self._finisher = Finisher(mine, options, running, listener.note, self._take_placed)
        self._hooks = Hooks(running.on_done, mine.source_name, mine.results, mine.table, listener, jobs_of(running))

    def work(self) -> None:
        """Until nothing waits any more; when new files are watched for, until KeyboardInterrupt."""
        try:
            for job in list(self._table.rows("plan = ? AND state = 'done' AND hook = ?", self._session.plan, DUE)):
                self._hooks.begin(job)  # a run that was broken off did not come to it
            with self._pool() as workers:
                self._jobs = workers.jobs
                self._progress.tell("")
                for outcome in workers.run(self._tasks(), self._finisher.flush):
                    self._take(outcome)
                    self._hooks.look()
                self._finisher.flush()
            self._hooks.finish()
        except (KeyboardInterrupt, BatchError):
            with suppress(BatchError):
                self._finisher.flush()
            raise
        finally:
            self._hooks.stop()

    def _pool(self) -> Workers | RayWorkers:
        work = self._session.work
        if self._running.ray is not None:
            return RayWorkers(self._running.ray, self._running.jobs, work)
        return Workers(jobs_of(self._running), work, apart=True)

    def _tasks(self) -> Iterator[MakeTask | PieceTask | None]:
        while True:
            self._session.check_there()
            self._watch()
            if not self._ready:
                job = self._table.claim(self._session.plan, self._session.run)
                if job is not None:
                    self._ready.append((job, self._first_task(job)))
            if self._ready:
                self._flying[self._given] = self._ready.popleft()
                self._given += 1
                yield self._flying[self._given - 1][1]
            elif self._flying or self._running.watch_seconds is not None:  # one of them may have to be tried again
                yield None
            else:
                return

    def _watch(self) -> None:
        if self._running.watch_seconds is not None and time.monotonic() >= self._next_look:
            self._look_again()
            self._hooks.look()
            self._next_look = time.monotonic() + self._running.watch_seconds

    def _take(self, outcome: Outcome) -> None:
        self._session.check_there()  # else everything that fails now would count as failed
        job, task = self._flying.pop(outcome.place)
        self._check_room(outcome.error, outcome.errno)
        if isinstance(outcome.result, Made):
            self._pieces.pop(job.id, None)
            self._finisher.add(job, outcome.result, self._made(job))
        elif isinstance(outcome.result, Looked):
            self._ready.append((job, self._task(job, may_cut=self._is_long(job), looked=outcome.result)))
        elif isinstance(outcome.result, Split | PartMade | RungMade):
            self._go_on(job, outcome.result, task)
        elif isinstance(task, MakeTask):
            self._settle(job, outcome.error, has_died=outcome.has_died)
        else:
            self._without_piece(job, task, outcome.error or "", has_died=outcome.has_died)

    def _settle(self, job: JobRow, error: str | None, *, has_died: bool = False) -> None:
        """A job has its file, or none."""
        self._places.pop(job.id)
        if self._session.remote is not None:
            job.source.unlink(missing_ok=True)
        if error is not None:
            self._fail(job, error, may_repeat=has_died)
        told = self._table.row("id = ?", job.id)
        assert told is not None
        if told.state == "done":
            self._hooks.begin(job)
        if told.state != "waiting":
            self._progress.step(told)

    def _first_task(self, job: JobRow) -> MakeTask:
        """On many machines those that have GPUs look at the videos, and others encode them."""
        if self._looks_apart:
            target = self._session.output / job.output
            origin = self._origin(job)
            return LookTask(job.source, self._made(job), target, self._options, self._session.cache, origin=origin)
        return self._task(job, may_cut=self._is_long(job))

    def _task(self, job: JobRow, *, may_cut: bool, looked: Looked | None = None) -> MakeTask:
        seconds = self._running.part_seconds if may_cut else None
        target = self._session.output / job.output
        kind = LadderTask if self._options.ladder else MakeTask
        cache, origin = self._session.cache, self._origin(job)
        return kind(job.source, self._made(job), target, self._options, cache, seconds, looked, origin)

    def _origin(self, job: JobRow) -> Origin | None:
        remote = self._session.remote
        if remote is None:
            return None
        return Origin(remote, job.source.relative_to(self._session.sources), job.source_bytes, job.source_mtime_ns)

    def _is_long(self, job: JobRow) -> bool:
        """Whether a video would keep its worker busy for longer than the others have anything to do."""
        can_share = self._jobs > 1 and self._running.part_seconds > 0
        return can_share and job.source_bytes * self._jobs >= self._progress.bytes_left

    def _go_on(self, job: JobRow, result: Split | PartMade | RungMade, task: MakeTask | PieceTask) -> None:
        if isinstance(result, Split):
            assert isinstance(task, MakeTask)
            pieces = self._pieces[job.id] = Pieces(task, result)
            self._ready += [(job, piece) for piece in pieces.tasks()]
        elif job.id in self._pieces:
            last = self._pieces[job.id].take(result)
            self._ready += [(job, last)] if last is not None else []

    def _without_piece(self, job: JobRow, task: PieceTask, error: str, *, has_died: bool) -> None:
        """A piece failed: once more if its process died; else the video is encoded in one piece if it can be."""
        if job.id not in self._pieces:
            return
        self._deaths[job.id] += has_died
        again = has_died and self._deaths[job.id] < self._running.attempts
        may_be_whole = self._pieces[job.id].may_be_whole
        if again or may_be_whole:
            self._listener.note(f"again: {job.source_name}: {error}")
        if again:
            self._ready.append((job, task))
            return
        del self._pieces[job.id]
        self._ready = deque(one for one in self._ready if one[0].id != job.id)
        if may_be_whole:
            self._ready.append((job, self._task(job, may_cut=False)))
        else:
            self._settle(job, error)

    def _take_placed(self, job: JobRow, error: MediaError | None) -> None:
        if error is not None:
            self._check_room(str(error), error.errno)
        self._settle(job, None if error is None else str(error))

    def _check_room(self, error: str | None, number: int | None) -> None:
        """Raise BatchError if the disk is full: everything that follows would fail, too."""
        if number in OUT_OF_SPACE:
            raise BatchError(
                f"{display_name(self._session.output)}: the disk is full ({error}): make room, and the same command goes "
                "on; what was finished is kept"
            )

    def _fail(self, job: JobRow, error: str, *, may_repeat: bool) -> None:
        error = error.removeprefix(f"{display_name(job.source)}: ")
        if may_repeat:
            self._deaths[job.id] += 1
        again = may_repeat and self._deaths[job.id] < self._running.attempts
        if again:
            self._listener.note(f"again: {job.source_name}: {error}")
        self._table.update(
            job.id,
            state="waiting" if again else "failed",
            error=error,
            key=self._options.key,
            options=self._session.options,
            finished=now(),
            output_bytes=job.output_bytes,
            output_mtime_ns=job.output_mtime_ns,
            output_hash=job.output_hash,
        )

    def _made(self, job: JobRow) -> Path:
        """Where a job's file is made: in one of a few folders, which are used again and again."""
        if job.id not in self._places:
            used = set(self._places.values())
            self._places[job.id] = next(place for place in count() if place not in used)
        return self._session.work / str(self._places[job.id]) / job.output.name
