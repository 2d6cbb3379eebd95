"""Tasks on many machines, by Ray: what `Workers` is on one. The only file that knows Ray.

Tasks are small (paths and options) and so is what comes back: files are read and written by the machines themselves, on a
storage that all of them see under the same paths. No more tasks are given out than can run, so that nothing piles up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stcodec.errors import BatchError, OptionsError
from stcodec.media.paths import display_name
from stcodec.work.workers import ASK_AGAIN_SECONDS, MOMENT_SECONDS, Outcome, Task, outcome_of

_SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing is sent to anybody; a task that asks for no GPU still sees them. Ray reads these when it is imported."""
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""What is started for this machine alone listens to this machine alone."""
_CURRENT_CLUSTER = Path("/tmp/ray/ray_current_cluster")


class RayWorkers:
    """Processes of a Ray cluster that do tasks. One that dies takes only its task with it, a machine only its own."""

    def __init__(self, address: str, jobs: int | None, work: Path) -> None:
        """address: of a cluster's head, or "auto": a cluster that runs here, else one is started on this machine.

        jobs: how many tasks run at a time; None = one for each processor of the cluster.
        work: folder for unfinished files. Raises OptionsError without Ray, BatchError if the cluster can't be used.
        """
        settings = _SETTINGS if address != "auto" or _runs_here() else _SETTINGS | _LOOPBACK
        os.environ.update({name: os.environ.get(name, value) for name, value in settings.items()})
        try:
            import ray
        except ImportError:
            raise OptionsError("--ray needs the package ray: pip install 'stcodec[ray]'") from None
        self._ray = ray
        self._address = address
        self._jobs = jobs
        self._work = work
        self._flying: dict[Any, int] = {}
        """Place of the task by what Ray calls its result."""

    @property
    def jobs(self) -> int:
        """How many tasks are done side by side."""
        return self._jobs or 1

    def __enter__(self) -> Self:
        self._connect()
        try:
            self._check_storage()
            if self._jobs is None:
                self._jobs = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        except BaseException:
            self._ray.shutdown()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for reference in self._flying:
            self._ray.cancel(reference, force=True)
        self._flying.clear()
        self._ray.shutdown()

    def run(self, tasks: Iterable[Task | None], pause: Callable[[], None] = lambda: None) -> Iterator[Outcome]:
        """As `Workers.run`."""
        remote = self._ray.remote(num_cpus=1, max_retries=0)(_do)
        supply, places = iter(tasks), count()
        has_ended = False
        while not has_ended or self._flying:
            is_starved = False
            while not has_ended and not is_starved and len(self._flying) < self.jobs:
                try:
                    task = next(supply)
                except StopIteration:
                    has_ended = True
                    break
                if task is None:
                    is_starved = True
                    break
                place = next(places)
                self._flying[remote.remote(place, task)] = place
            yield from self._ready(pause, ASK_AGAIN_SECONDS if is_starved else None)

    def _ready(self, pause: Callable[[], None], seconds: float | None) -> Iterator[Outcome]:
        """The outcomes that are there, none after some seconds."""
        waiting = list(self._flying)
        if not waiting:
            pause()
            return
        ready, _ = self._ray.wait(waiting, timeout=MOMENT_SECONDS)
        if not ready:
            pause()
            ready, _ = self._ray.wait(waiting, timeout=seconds)
        for reference in ready:
            yield self._outcome(reference, self._flying.pop(reference))

    def _outcome(self, reference: Any, place: int) -> Outcome:
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # a process or a machine is gone; what tasks raise comes back whole
            return Outcome(place, None, f"its process ended ({type(error).__name__})", has_died=True)
        assert isinstance(outcome, Outcome)
        return outcome

    def _connect(self) -> None:
        quiet = {"log_to_driver": False, "logging_level": "error"}
        try:
            self._ray.init(address=self._address, **quiet)
        except ConnectionError as error:
            if self._address != "auto":
                raise BatchError(f"--ray {self._address}: no cluster answers there ({error})") from None
            self._ray.init(num_cpus=self._jobs, include_dashboard=False, **quiet)
        except (ValueError, RuntimeError) as error:
            raise BatchError(f"--ray {self._address}: {error}") from None

    def _check_storage(self) -> None:
        """Every machine must see the folder that results are made in."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        folder = self._work.resolve()
        look = self._ray.remote(num_cpus=0, max_retries=0)(_sees)
        for node in (one for one in self._ray.nodes() if one["Alive"]):
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            if not self._ray.get(look.options(scheduling_strategy=here).remote(folder)):
                raise BatchError(
                    f"{display_name(folder)}: the machine {node['NodeManagerHostname']} does not see this folder: sources "
                    "and results must be on a storage that all machines mount under the same path"
                )


def _runs_here() -> bool:
    """Whether a cluster may run on this machine, as Ray itself looks for it."""
    return "RAY_ADDRESS" in os.environ or _CURRENT_CLUSTER.exists()


def _do(place: int, task: Task) -> Outcome:
    return outcome_of(place, task)


def _sees(folder: Path) -> bool:
    return folder.is_dir()
