"""A video that is encoded in pieces, parts of it or renditions: a task for each, and one that puts them together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stcodec.batch.kept_maps import with_maps
from stcodec.batch.renditions import PackTask, RungMade, Rungs, RungTask
from stcodec.batch.task import Cut, Made, MakeTask, Split, told_by
from stcodec.media.output import atomic_output
from stcodec.media.paths import check_input
from stcodec.pipeline.check import check_file
from stcodec.pipeline.encode import Job
from stcodec.pipeline.parts import Part, check_joins, encode_part, join_parts
from stcodec.pipeline.summary import build_report


@dataclass(frozen=True)
class PartMade:
    """A part that is there."""

    wall_seconds: float


@dataclass(frozen=True)
class PartTask:
    """A part to be encoded, or found encoded by a run that was broken off."""

    make: MakeTask
    cut: Cut
    part: Part

    def run(self) -> PartMade:
        """Encode it. Raises what `stcodec.encode` raises."""
        started = time.monotonic()
        if not self.place.exists():
            with _guided(self.make, self.cut) as job, self.make.cache.writing(self.place) as temporary:
                encode_part(job, self.part, temporary)
        return PartMade(time.monotonic() - started)

    @property
    def place(self) -> Path:
        """Where the part is, or will be."""
        part = self.part.first_pts, self.part.frames
        return self.make.kept_piece(".npz", target=self.make.target.suffix, part=part)


@dataclass(frozen=True)
class JoinTask:
    """Parts to be joined."""

    make: MakeTask
    cut: Cut
    wall_seconds: float
    """That the parts took, added up."""

    def run(self) -> Made:
        """Join them, check the file as any other and where the parts meet. Raises what `stcodec.encode` raises."""
        make = self.make
        before = check_input(make.source).stat()
        places = [PartTask(make, self.cut, part).place for part in self.cut.parts]
        with _guided(make, self.cut) as job, atomic_output(make.made) as temporary:
            tally = join_parts(job, places, temporary)
            tally.wall_seconds = self.wall_seconds
            checked = check_file(job.plan, job.reader, temporary, tally, make.running)
            if checked[1] is not None:
                check_joins(temporary, self.cut.parts, checked[1].shift_seconds)
            report = build_report(job.plan, job.options, job.reader, make.target, temporary, tally, checked)
            quality = make.quality_db(report, job, temporary)
        for place in places:
            place.unlink(missing_ok=True)
        return make.finished(told_by(report), before, quality, maps_were_kept=False)


PieceTask = PartTask | JoinTask | RungTask | PackTask


@dataclass
class Pieces:
    """The pieces of one video on their way."""

    make: MakeTask
    split: Split
    wall_seconds: float = 0.0
    left: int = 0

    def __post_init__(self) -> None:
        self.left = len(self.tasks())

    @property
    def may_be_whole(self) -> bool:
        """Whether the video can be encoded in one piece instead."""
        return isinstance(self.split, Cut)

    def tasks(self) -> list[PieceTask]:
        """One for each piece."""
        if isinstance(self.split, Cut):
            return [PartTask(self.make, self.split, part) for part in self.split.parts]
        assert isinstance(self.split, Rungs)
        return [RungTask(self.make, self.split, rung) for rung in self.split.rungs]

    def take(self, made: PartMade | RungMade) -> PieceTask | None:
        """Another piece is there; if it was the last, what is to be done next."""
        self.left -= 1
        self.wall_seconds += made.wall_seconds
        if self.left:
            return None
        if isinstance(self.split, Cut):
            return JoinTask(self.make, self.split, self.wall_seconds)
        assert isinstance(self.split, Rungs)
        return PackTask(self.make, self.split, self.wall_seconds)


@contextmanager
def _guided(make: MakeTask, cut: Cut) -> Iterator[Job]:
    job = make.prepare(make.made)
    with job.reader:
        if cut.maps is None:
            yield job
            return
        with with_maps(job, cut.maps) as guided:
            yield guided
