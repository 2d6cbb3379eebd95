"""Tasks on many machines, by Ray: what `Workers` is on one. The only file that imports Ray.

Tasks are small (paths and options) and so is what comes back: files are read and written by the machines themselves, on a
storage that all of them see under the same paths. Tasks that attend go to actors, which keep the network loaded: one for
each GPU of the cluster. All others are tasks of processors. No more are given out than can run, and two for each actor, so
that nothing piles up and nobody waits for the head.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stcodec import interrupts
from stcodec.batch.ray_attention import AttentionActors, use_folder
from stcodec.errors import BatchError, OptionsError
from stcodec.media.paths import display_name
from stcodec.work.own_cores import own_cores
from stcodec.work.workers import ASK_AGAIN_SECONDS, CORES_A_JOB, MOMENT_SECONDS, Outcome, Task, outcome_of

_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Nothing is sent to anybody. Ray reads its settings when it is imported."""
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""A cluster of this machine alone; without it Ray takes the machine's address on the network for 127.0.0.1."""
_CURRENT_CLUSTER = Path("/tmp/ray/ray_current_cluster")
_MEASURED_EVERY_SECONDS = 10.0
"""Machines come and go."""
_LOOK_SECONDS = 30.0
"""In which a machine must say what it sees."""
_UNTIL_KNOWN_SECONDS = 2.0
"""Until the cluster knows that a machine has gone."""
_END = object()


class RayWorkers:
    """Processes of a Ray cluster that do tasks. One that dies takes only its task with it, a machine only its own."""

    def __init__(self, address: str, jobs: int | None, work: Path, ray: Any = None) -> None:
        """address: of a cluster's head, or "auto": a cluster that runs here, else one is started on this machine.

        jobs: how many tasks of processors run at a time; None = one for every four cores of each machine.
        work: folder for unfinished files. ray: the module, where it is another one. Raises OptionsError without Ray,
        BatchError if the cluster can't be used.
        """
        settings = _SETTINGS | _LOOPBACK if _is_loopback(address) else _SETTINGS
        os.environ.update({name: os.environ.get(name, value) for name, value in settings.items()})
        try:
            ray = ray or _ray_module()
        except ImportError:
            raise OptionsError("--ray needs the package ray: pip install 'stcodec[ray]'") from None
        self._ray = ray
        self._address = address
        self._wanted_jobs = jobs
        self._work = work.resolve()
        self._jobs = self._cores = 1
        self._attention = AttentionActors(ray)
        self._flying: dict[Any, int] = {}
        """Place of the task by what Ray calls its result."""
        self._seen: set[str] = set()
        """Machines that see the storage."""
        self._measured = 0.0

    @property
    def jobs(self) -> int:
        """Number of processor tasks that run side by side."""
        return self._jobs

    def __enter__(self) -> Self:
        self._connect()
        try:
            self._measure()
        except BaseException:
            self._ray.shutdown()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for reference in self._flying:
            if not self._attention.has(reference):
                self._ray.cancel(reference, force=True)
        self._attention.stop()
        self._flying.clear()
        self._ray.shutdown()

    def run(self, tasks: Iterable[Task | None], pause: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """Outcomes of tasks as they come: see `Workers.run`."""
        supply, places = iter(tasks), count()
        has_ended = False
        while not has_ended or self._flying:
            interrupts.check()
            self._measure()
            is_starved = False
            while not has_ended and not is_starved and len(self._flying) < self._jobs + self._attention.room:
                task = next(supply, _END)
                has_ended, is_starved = task is _END, task is None
                if isinstance(task, Task):
                    self._give(next(places), task)
            if is_starved and not self._flying:
                pause()
                time.sleep(ASK_AGAIN_SECONDS)
            yield from self._ready(pause, ASK_AGAIN_SECONDS)

    def _give(self, place: int, task: Task) -> None:
        if getattr(task, "attends", False):
            reference = self._attention.give(place, task, self._work)
        else:
            remote = self._ray.remote(num_cpus=self._cores, max_retries=0)(_do)
            reference = remote.remote(place, task, self._work, self._cores)
        self._flying[reference] = place

    def _ready(self, pause: Callable[[], None], seconds: float) -> Iterator[Outcome]:
        """The outcomes that are there, none after some seconds."""
        waiting = list(self._flying)
        if not waiting:
            return
        ready, _ = self._ray.wait(waiting, timeout=MOMENT_SECONDS)
        if not ready:
            pause()
            ready, _ = self._ray.wait(waiting, timeout=seconds)
        for reference in ready:
            place = self._flying.pop(reference, None)
            outcome = None if place is None else self._outcome(reference, place)
            if outcome is not None:
                yield outcome

    def _outcome(self, reference: Any, place: int) -> Outcome | None:
        """None if the task was given to another actor."""
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # a process or a machine is gone; what tasks raise comes back whole
            self._measured = 0.0
            again = self._attention.lost(reference)
            if again is not None:  # with its machine, as a rule: that is not the file's fault
                time.sleep(_UNTIL_KNOWN_SECONDS)
                self._measure()
                self._flying[self._attention.give(*again)] = place
                return None
            return Outcome(place, None, f"its process ended ({type(error).__name__})", has_died=True)
        self._attention.take(reference)
        assert isinstance(outcome, Outcome)
        return outcome

    def _connect(self) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error"}
        try:
            self._ray.init(address=self._address, **quiet)
        except ConnectionError as error:
            if self._address != "auto":
                raise BatchError(f"--ray {self._address}: no cluster answers there ({error})") from None
            self._ray.init(num_cpus=self._wanted_jobs, include_dashboard=False, **quiet)
        except (ValueError, RuntimeError) as error:
            raise BatchError(f"--ray {self._address}: {error}") from None

    def _measure(self) -> None:
        """Measure what the cluster can do, now and then. Raises BatchError if a machine does not see the storage."""
        if time.monotonic() < self._measured + _MEASURED_EVERY_SECONDS and self._measured:
            return
        self._measured = time.monotonic()
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        self._check_storage([node for node in nodes if node["NodeID"] not in self._seen])
        sizes = [int(node["Resources"].get("CPU", 0)) for node in nodes]
        gpus = int(sum(node["Resources"].get("GPU", 0) for node in nodes))
        for old, new in self._attention.measure(gpus, sum(sizes)):
            self._flying[new] = self._flying.pop(old)
        least = min((size for size in sizes if size), default=1)
        if self._wanted_jobs is None:
            self._cores = min(CORES_A_JOB, least)
            self._jobs = max(1, sum(size // self._cores for size in sizes))
        else:
            self._jobs = self._wanted_jobs
            self._cores = max(1, min(CORES_A_JOB, least, sum(sizes) // self._jobs))

    def _check_storage(self, nodes: Iterable[dict[str, Any]]) -> None:
        """Every machine must see the folder that results are made in."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        look = self._ray.remote(num_cpus=0, max_retries=0)(_sees)
        for node in nodes:
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            try:
                sees = self._ray.get(look.options(scheduling_strategy=here).remote(self._work), timeout=_LOOK_SECONDS)
            except self._ray.exceptions.RayError:  # it has just gone, or is too busy to be trusted with anything
                continue
            if not sees:
                raise BatchError(
                    f"{display_name(self._work)}: the machine {node['NodeManagerHostname']} does not see this folder: "
                    "sources and results must be on a storage that all machines mount under the same path",
                    path=self._work,
                )
            self._seen.add(node["NodeID"])


def _ray_module() -> Any:
    import ray

    return ray


def _do(place: int, task: Task, work: Path, cores: int) -> Outcome:
    use_folder(work)
    with own_cores(cores):
        return outcome_of(place, task)


def _is_loopback(address: str) -> bool:
    """True if a cluster listens to this machine alone; one that is started here does."""
    if address == "auto":  # as Ray itself looks for it
        return "RAY_ADDRESS" not in os.environ and not _CURRENT_CLUSTER.exists()
    return address.startswith(("127.", "localhost:", "[::1]:"))


def _sees(folder: Path) -> bool:
    return folder.is_dir()
