"""The actors of a Ray cluster that attend: one for each GPU, or without GPUs a few that share processors with others."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from stcodec.work.workers import Outcome, Task, outcome_of

_CALLS_AN_ACTOR = 2
"""One that runs and one that waits for it."""
_PROCESSORS_AN_ACTOR = 8
"""Without GPUs: to look at a video takes a small part of the time of its encode."""
_LOST_CALLS = 3
"""Number of times that a call is given to another actor."""


class AttentionActors:
    """The actors that attend. One that dies is replaced when it is needed, by whatever the cluster then has."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._most = 1
        self._gpus = 0
        self._calls: dict[Any, tuple[Any, tuple[int, Task, Path]]] = {}
        """Actor, and what it was given, by what Ray calls the result."""
        self._actors: list[Any] = []
        self._losses: Counter[int] = Counter()
        """Number of times that a task was lost, by its place."""

    @property
    def room(self) -> int:
        """Calls that may be under way."""
        return self._most * _CALLS_AN_ACTOR

    def has(self, reference: Any) -> bool:
        return reference in self._calls

    def measure(self, gpus: int, processors: int) -> list[tuple[Any, Any]]:
        """Take in what the cluster has; returns calls that waited for a GPU that is gone, with those that replace them."""
        has_lost_all = self._gpus > 0 and gpus == 0
        self._gpus = gpus
        self._most = gpus or max(1, processors // _PROCESSORS_AN_ACTOR)
        if not has_lost_all:
            return []
        self.stop()
        lost, self._calls = self._calls, {}
        return [(reference, self.give(*given)) for reference, (_, given) in lost.items()]

    def give(self, place: int, task: Task, work: Path) -> Any:
        """A task for the actor that has the least to do."""
        busy = [actor for actor, _ in self._calls.values()]
        actor = min(self._actors, key=busy.count, default=None)
        if actor is None or (busy.count(actor) and len(self._actors) < self._most):
            # No processors: their share of the time is small, and one of their own would mostly be idle.
            kind = self._ray.remote(num_gpus=min(1, self._gpus), num_cpus=0, max_restarts=0, scheduling_strategy="SPREAD")
            actor = kind(_AttentionActor).remote()
            self._actors.append(actor)
        reference = actor.do.remote(place, task, work)
        self._calls[reference] = actor, (place, task, work)
        return reference

    def take(self, reference: Any) -> None:
        """A call has ended."""
        self._calls.pop(reference, None)

    def lost(self, reference: Any) -> tuple[int, Task, Path] | None:
        """A call has ended with its actor; what is to be given to another, None if that was tried or it was no actor's."""
        actor, given = self._calls.pop(reference, (None, None))
        if actor in self._actors:
            self._actors.remove(actor)
        if given is None:
            return None
        self._losses[given[0]] += 1
        return given if self._losses[given[0]] <= _LOST_CALLS else None

    def stop(self) -> None:
        """End all of them."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors.clear()


class _AttentionActor:
    """An actor: a process that keeps what the first video has loaded."""

    def do(self, place: int, task: Task, work: Path) -> Outcome:
        use_folder(work)
        return outcome_of(place, task)


def use_folder(work: Path) -> None:
    """Use a folder for temporary files: what a killed process leaves goes with the run's folder."""
    os.environ["TMPDIR"] = tempfile.tempdir = str(work)
