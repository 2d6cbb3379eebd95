"""Worker processes that run tasks side by side. One that dies takes only its task with it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from stcodec import interrupts
from stcodec.errors import StcodecError

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

ASK_AGAIN_SECONDS = 0.2
MOMENT_SECONDS = 0.005
CORES_A_JOB = 4
"""Number of cores that an encoder makes good use of."""
_END = object()
_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@runtime_checkable
class Task(Protocol):
    """Something to do; it is sent to a process and its result comes back."""

    def run(self) -> Any: ...


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task."""

    place: int
    """Number of the task among all that were given."""
    result: Any
    """None if it failed."""
    error: str | None = None
    """Reason why it failed, one line."""
    errno: int | None = None
    """The system's number of the reason, if it gave one."""
    has_died: bool = False
    """True if it failed because its process ended."""


class Workers:
    """Some processes that do tasks. With one job all is done here, in the calling process."""

    def __init__(self, jobs: int, work: Path, *, apart: bool = False) -> None:
        """work: folder for their temporary files. Each process has its own equal share of the cores.

        apart: one job has a process of its own, too.
        """
        self._jobs = jobs
        self._here = jobs == 1 and not apart
        self._work = work
        self._shares = [_share(jobs, number) for number in range(jobs)]
        """Of those that are not running."""
        self._idle: list[_WorkerProcess] = []
        self._busy: dict[Connection, tuple[_WorkerProcess, int]] = {}

    @property
    def jobs(self) -> int:
        """Number of tasks that run side by side."""
        return self._jobs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.stop()
        self._idle.clear()
        self._busy.clear()

    def run(self, tasks: Iterable[Task | None], pause: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """The outcomes, as they come. A task is asked for when there is room for it.

        None in place of a task means that there is none now: after the next outcome, or soon, is asked again. pause is
        called when the next outcome is not there in a moment.
        """
        if self._here:
            yield from (outcome_of(place, task) for place, task in enumerate(filter(None, tasks)))
            return
        supply, places = iter(tasks), count()
        has_ended = False
        while not has_ended or self._busy:
            interrupts.check()
            is_starved = False
            while not has_ended and not is_starved and len(self._busy) < self._jobs:
                task = next(supply, _END)
                has_ended, is_starved = task is _END, task is None
                if isinstance(task, Task):
                    self._start(next(places), task)
            if is_starved and not self._busy:
                pause()
                time.sleep(ASK_AGAIN_SECONDS)
            for link in self._ready(pause, ASK_AGAIN_SECONDS):
                yield self._take(link)

    def _ready(self, pause: Callable[[], None], seconds: float) -> list[Connection]:
        """Workers that have something to say; none after some seconds."""
        if not self._busy:
            return []
        ready = wait(list(self._busy), MOMENT_SECONDS)
        if not ready:
            pause()
            ready = wait(list(self._busy), seconds)
        return [link for link in ready if isinstance(link, Connection)]

    def _start(self, place: int, task: Task) -> None:
        while True:
            worker = self._idle.pop() if self._idle else _WorkerProcess(self._work, self._shares.pop())
            try:
                worker.link.send((place, task))
            except ConnectionError:  # it died while it had nothing to do
                self._bury(worker)
                continue
            self._busy[worker.link] = worker, place
            return

    def _take(self, link: Connection) -> Outcome:
        worker, place = self._busy.pop(link)
        try:
            outcome = link.recv()
        except (EOFError, ConnectionError):
            worker.process.join()
            self._bury(worker)
            return Outcome(place, None, f"its process ended ({_ending(worker.process.exitcode)})", has_died=True)
        self._idle.append(worker)
        assert isinstance(outcome, Outcome)
        return outcome

    def _bury(self, worker: _WorkerProcess) -> None:
        worker.stop()
        self._shares.append(worker.cores)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process that is started in the block gets no SIGINT until it allows it; Windows has no such thing."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _WorkerProcess:
    def __init__(self, work: Path, cores: frozenset[int]) -> None:
        self.cores = cores
        # Not forked: libav and OpenCV have threads of their own by now.
        context = multiprocessing.get_context("spawn")
        self.link, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, str(work), cores), daemon=True)
        # Until it ignores it: Ctrl-C goes to all processes of a terminal, and the one that sees to the clean-up decides.
        resource_tracker.ensure_running()  # which would change the mask
        with _interrupts_held():
            self.process.start()
        theirs.close()  # so that its death is noticed here, as ours is there

    def stop(self) -> None:
        self.link.close()
        self.process.terminate()
        self.process.join()


def _serve(link: Connection, work: str, cores: frozenset[int]) -> None:
    """Do tasks until there is nobody to send more."""
    _die_with_parent()
    # libav, libvmaf and OpenCV start as many threads as they may use cores, each of them: so many that memory runs out.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ["TMPDIR"] = work
    # Read when numpy is imported, which the first task does.
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(len(cores))))
    while True:
        try:
            place, task = link.recv()
            link.send(outcome_of(place, task))
        except (EOFError, ConnectionError):
            return


def _die_with_parent() -> None:
    """A parent that is killed can't end what it started, and an encode would go on for hours for nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    else:
        threading.Thread(target=_end_after_parent, daemon=True).start()
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():  # killed before this was asked for, and its task is in the pipe
        os._exit(1)


def _end_after_parent() -> None:
    """Wait for the end of the process that started this one, then end it, where the system doesn't."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def outcome_of(place: int, task: Task) -> Outcome:
    """Do a task; what became of it."""
    try:
        return Outcome(place, task.run())
    except StcodecError as error:
        return Outcome(place, None, str(error), error.errno)
    except Exception as error:  # a fault of ours or of a library: this task's, not the others'
        return Outcome(place, None, f"{type(error).__name__}: {error}", getattr(error, "errno", None))


def _ending(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"


def threads_each(jobs: int) -> int:
    """Threads for each of some processes that run side by side."""
    return max(1, cores() // jobs)


def cores() -> int:
    """Processors that this process may use."""
    return len(_usable())


def _usable() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def _share(jobs: int, number: int) -> frozenset[int]:
    """The cores of one of some processes, numbered from 0; with more processes than cores several share one."""
    usable, each = _usable(), threads_each(jobs)
    return frozenset(usable[(number * each + place) % len(usable)] for place in range(each))
