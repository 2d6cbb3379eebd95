"""Life of one job, from the first look at its video to the finished file.

Whoever drives a life has its steps done by workers, publishes the file that it returns (`stcodec.batch.publish`), and runs
the hook (`stcodec.batch.hooks`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from stcodec.batch.ladder_steps import make_rendition, package, plan_ladder
from stcodec.batch.steps import FinishedFile, JobSpec, join, make_maps, make_part, make_whole, plan_parts
from stcodec.errors import StcodecError

Result = TypeVar("Result")


_SAID = {
    make_maps: "making its maps",
    plan_ladder: "choosing its ladder",
    make_rendition: "encoding a rendition",
    package: "packaging",
    plan_parts: "making its maps, finding cuts",
    make_part: "encoding a part",
    join: "joining its parts",
    make_whole: "encoding",
}


@dataclass(frozen=True)
class Step(Generic[Result]):
    """One piece of work of a job, for one worker."""

    work: partial[Result]
    attends: bool = False
    """True if it belongs where a GPU is."""

    @property
    def what(self) -> str:
        """What is done, for people."""
        return _SAID[self.work.func]

    def run(self) -> Result:
        """Do it. Raises what `stcodec.encode` raises."""
        return self.work()


class StepFailed(StcodecError):
    """A step of a job failed, or its process died too often."""


Life = Generator[Sequence[Step[Any]], list[Any], "FinishedFile"]
"""Yields steps that may be done side by side, is sent their results in the same order, and returns the finished file."""


def life(job: JobSpec, *, looks_apart: bool, part_seconds: float | None) -> Life:
    """All that is done for a job. Raises StepFailed, which whoever drives it throws in for a step that failed.

    looks_apart: the maps are made by a step of their own, for a machine with a GPU. part_seconds: a video of twice that and
    more is encoded in parts of about that length, if it can be cut; None = no video is.
    """
    kept = (yield from _alone(partial(make_maps, job), attends=True)) if looks_apart else None
    if job.options.ladder:
        ladder = yield from _alone(partial(plan_ladder, job))
        spent = yield from _together([partial(make_rendition, job, ladder, one) for one in ladder.renditions])
        made = yield from _alone(partial(package, job, ladder, sum(spent)))
        return made if kept is None else replace(made, maps_were_kept=kept)
    if part_seconds is not None and job.can_be_cut:
        plan = yield from _alone(partial(plan_parts, job, part_seconds))
        kept = plan.maps_were_kept if kept is None and plan.parts else kept
        if len(plan.parts) > 1:
            try:
                spent = yield from _together([partial(make_part, job, plan, part) for part in plan.parts])
                made = yield from _alone(partial(join, job, plan, sum(spent)))
                return made if kept is None else replace(made, maps_were_kept=kept)
            except StepFailed:  # whatever is wrong with the parts, the video may be encoded in one piece
                pass
    made = yield from _alone(partial(make_whole, job))
    return made if kept is None else replace(made, maps_were_kept=kept)


def _alone(work: partial[Result], *, attends: bool = False) -> Generator[Sequence[Step[Any]], list[Any], Result]:
    result: Result
    (result,) = yield [Step(work, attends)]
    return result


def _together(works: Sequence[partial[Result]]) -> Generator[Sequence[Step[Any]], list[Any], list[Result]]:
    return (yield [Step(work) for work in works])
