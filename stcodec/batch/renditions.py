"""A ladder of renditions: one look at the video, then a task for each rendition, and one that packages them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stcodec.batch.kept_maps import kept_maps, look, with_maps
from stcodec.batch.ladder import AUTO, SEGMENT_SECONDS, Rung, rung_options, rungs_for
from stcodec.batch.rungs import Trial, chosen_rungs
from stcodec.batch.task import ENCODING_CODE, Made, MakeTask, Split, Told, emptied, told_by
from stcodec.errors import MediaError
from stcodec.media.output import atomic_output
from stcodec.media.package import write_package
from stcodec.media.paths import check_input
from stcodec.pipeline.encode import Job, encode_job, rendition
from stcodec.progress import Meter
from stcodec.work.cache import code_version, content_hash, key_of
from stcodec.work.sources import source_identity

_CURVE_CODE = (*ENCODING_CODE, "metrics", "matching", "batch/curve.py", "batch/ladder.py")
_FILE = "rendition.mp4"


@dataclass(frozen=True)
class Rungs(Split):
    """A video that was looked at, to be encoded in several sizes."""

    rungs: tuple[Rung, ...]
    maps: Path | None
    """None if its source of attention looks at no pictures, or there is none."""
    maps_were_kept: bool
    messages: tuple[str, ...]


@dataclass(frozen=True)
class LadderTask(MakeTask):
    """A video to be looked at, before it is made into a folder with HLS and DASH."""

    def run(self) -> Rungs:
        """Make its maps, and find its renditions. Raises what `stcodec.encode` raises."""
        folder = self.begun()
        job = self.prepare(folder / _FILE)
        video = job.reader.info
        with job.reader, kept_maps(job, self.cache, folder) as (guided, maps, were_kept):
            if self.options.ladder != AUTO:
                if maps is not None and not were_kept:
                    look(guided)
                return Rungs(rungs_for(self.options.ladder, video), maps, self.maps_were_kept(were_kept), ())
            trials = self._curve(guided, maps, folder)
        source_kbps = job.reader.path.stat().st_size * 8 / 1000 / max(0.1, video.duration_seconds or 0.1)
        rungs = chosen_rungs(trials, source_kbps)
        return Rungs(rungs, maps, self.maps_were_kept(were_kept), (f"ladder: {', '.join(rung.name for rung in rungs)}",))

    def _curve(self, job: Job, maps: Path | None, folder: Path) -> list[Trial]:
        """What was measured of the video, now or before."""
        options = replace(job.options, extra=dict(job.options.extra))
        watched = (content_hash(job.reader.path), source_identity(options.attention)) if maps is None else maps.name
        place = self.cache.place(
            "curves", key_of(watched=watched, options=asdict(options), code=code_version(*_CURVE_CODE)), ".json"
        )
        kept = self.cache.read_json(place)
        if kept is not None and (maps is None or maps.exists()):
            return [Trial(**one) for one in kept]
        from stcodec.batch.curve import measure_curve  # late, as the search

        own = folder / "scan"
        own.mkdir()
        trials = measure_curve(job, own)
        self.cache.write_json(place, [asdict(one) for one in trials])
        return trials


@dataclass(frozen=True)
class RungMade:
    """A rendition that is there."""

    wall_seconds: float


@dataclass(frozen=True)
class RungTask:
    """A rendition to be encoded, or found encoded by a run that was broken off."""

    make: MakeTask
    found: Rungs
    rung: Rung

    def run(self) -> RungMade:
        """Encode it. Raises what `stcodec.encode` raises."""
        if not self.place.exists():
            with self._job() as job, self.make.cache.writing(self.place) as temporary:
                with atomic_output(temporary) as written:
                    report = encode_job(job, written, self.make.running, Meter(None, job.reader.info))
                self.make.cache.write_json(self.place.with_suffix(".json"), asdict(told_by(report)))
        return RungMade(self.told.wall_seconds)

    @property
    def told(self) -> Told:
        """What there is to know of it. Raises MediaError if it is not there."""
        kept: dict[str, Any] | None = self.make.cache.read_json(self.place.with_suffix(".json"))
        if kept is None or not self.place.exists():
            raise MediaError(f"{self.rung.name}: the rendition has gone, or the video was changed meanwhile")
        return Told(**{**kept, "messages": tuple(kept["messages"])})

    @property
    def place(self) -> Path:
        """Where it is, or will be."""
        return self.make.kept_piece(".mp4", rung=(self.rung.lines, self.rung.kbps))

    @contextmanager
    def _job(self) -> Iterator[Job]:
        job = self.make.prepare(self.make.made.parent / f"{self.rung.name}.mp4")
        options = rung_options(job.options, self.rung, job.reader.info)
        smaller = rendition(job, options, self.rung.lines)
        with job.reader:
            if self.found.maps is None:
                yield smaller
                return
            with with_maps(smaller, self.found.maps) as guided:
                yield guided


@dataclass(frozen=True)
class PackTask:
    """Renditions to be packaged."""

    make: MakeTask
    found: Rungs
    wall_seconds: float
    """That they took, added up."""

    def run(self) -> Made:
        """Package them, and check the package. Raises what `stcodec.encode` raises."""
        make, tasks = self.make, [RungTask(self.make, self.found, rung) for rung in self.found.rungs]
        before = check_input(make.source).stat()
        emptied(make.made.parent)
        told, paths = [task.told for task in tasks], [task.place for task in tasks]
        messages = write_package(paths, make.source, emptied(make.made), SEGMENT_SECONDS)
        said = dict.fromkeys([*self.found.messages, *(one for rung in told for one in rung.messages), *messages])
        for path in paths:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)
        whole = replace(told[0], wall_seconds=self.wall_seconds, messages=tuple(said))
        return make.finished(whole, before, None, maps_were_kept=self.found.maps_were_kept)
