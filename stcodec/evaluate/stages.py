"""Stages of an evaluation, one after another: clips, maps, points, pictures. What fails is noted; the rest goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stcodec.encoders.table import find_encoder
from stcodec.errors import StcodecError
from stcodec.evaluate.clips import ClipFile
from stcodec.evaluate.guidance import Maps, MapsTask
from stcodec.evaluate.pictures import PicturesTask, matching_crf
from stcodec.evaluate.plan import EvaluationPlan, Judging
from stcodec.evaluate.points import EncodeTask, PointTask, Scored
from stcodec.evaluate.reference import PreparedClip, ReferenceTask
from stcodec.evaluate.results import PLAIN, ClipInfo, Curve, Failure, Point, Viewer
from stcodec.evaluate.scanpaths import SCANPATH_METRICS, ScanpathsTask
from stcodec.evaluate.summary import by_rate, scores_of, series_of
from stcodec.media.paths import display_name
from stcodec.progress import Meter, ProgressSink
from stcodec.work.cache import Cache
from stcodec.work.workers import Task, Workers

_SLACK_SECONDS = 1e-6
_SCANPATHS = "\0scanpaths"
"""Stands among the arms."""


class PointKey(NamedTuple):
    """The names by which a point is found."""

    clip: str
    encoder: str
    arm: str
    crf: float


@dataclass(frozen=True)
class ClipWork:
    """A clip that is ready to be encoded."""

    clip: ClipFile
    reference: PreparedClip
    judging: Judging
    weights: Maps
    scanpaths: Maps | None
    """None if no metric follows viewers, or theirs could not be made."""
    maps: Mapping[str, Maps]
    """By arm, but for the plain one; arms whose maps failed are not there."""

    @property
    def scored(self) -> tuple[bool, ...]:
        """[T] the frames that count."""
        return tuple(seconds >= self.judging.lead_seconds - _SLACK_SECONDS for seconds in self.reference.seconds)

    def info(self) -> ClipInfo:
        """The clip, as results tell of it."""
        reference = self.reference
        return ClipInfo(
            name=display_name(self.clip.name),
            path=display_name(self.clip.path),
            width_px=reference.width_px,
            height_px=reference.height_px,
            frames_per_second=reference.frames_per_second,
            seconds=reference.seconds,
            scored=self.scored,
            prepared=reference.prepared,
            weights=self.judging.description,
            weights_source=display_name(self.judging.weights.text),
            shots=reference.shots,
        )


def curves_of(plan: EvaluationPlan, work: ClipWork, points: Mapping[PointKey, Scored]) -> list[Curve]:
    """The curves of one clip; those without a point are left out."""
    curves = []
    for encoder in plan.options.encoders:
        for arm in plan.options.arms:
            mine = [
                (crf, found)
                for crf in plan.options.crfs
                if (found := points.get(PointKey(work.clip.name, encoder, arm.name, crf))) is not None
            ]
            if mine:
                made = by_rate(_point(crf, found, work.scored) for crf, found in mine)
                weighted = work.judging.is_self_weighted(arm.name)
                curves.append(Curve(display_name(work.clip.name), encoder, arm.name, weighted, made))
    return curves


def _point(crf: float, found: Scored, scored: tuple[bool, ...]) -> Point:
    encoded = found.encoded
    return Point(
        crf=crf,
        kbps=encoded.kbps,
        video_bytes=encoded.video_bytes,
        frames=encoded.frames,
        scores=scores_of(found.raw, scored),
        series=series_of(found.raw),
        mean_delta_qp=encoded.mean_delta_qp,
        encode_seconds=encoded.seconds,
        offsets_verdict=encoded.verdict,
    )


@dataclass(frozen=True)
class NamedTask:
    """A task with the names that progress and failures tell of it."""

    task: Task
    what: str
    clip: str
    encoder: str = ""
    arm: str = ""
    crf: float | None = None

    @property
    def label(self) -> str:
        crf = "" if self.crf is None else f"crf {self.crf:g}"
        return " ".join(part for part in (display_name(self.clip), self.encoder, self.arm, crf) if part)

    def failed(self, message: str, what: str | None = None) -> Failure:
        return Failure(display_name(self.clip), what or self.what, message, self.encoder, self.arm, self.crf)


class Stages:
    """The stages of one evaluation; each takes what the one before made."""

    def __init__(
        self, plan: EvaluationPlan, cache: Cache, workers: Workers, threads: int, progress: ProgressSink | None
    ) -> None:
        self._plan = plan
        self._cache = cache
        self._workers = workers
        self._threads = threads
        self._progress = progress
        self.failures: list[Failure] = []
        """Failures so far."""

    def references(self) -> list[tuple[ClipFile, PreparedClip]]:
        """The clips, ready to be encoded."""
        options = self._plan.options
        jobs = [NamedTask(ReferenceTask(clip, options, self._cache), "prepare", clip.name) for clip in self._plan.clips]
        made = self._do("clips", jobs)
        return [(clip, one) for clip, one in zip(self._plan.clips, made, strict=True) if one is not None]

    def guided(self, references: Sequence[tuple[ClipFile, PreparedClip]]) -> list[ClipWork]:
        """Maps and weights of every clip; a clip without weights is left out."""
        judged: list[tuple[ClipFile, PreparedClip, Judging]] = []
        for clip, reference in references:
            try:
                judged.append((clip, reference, self._plan.judging(clip)))
            except StcodecError as error:
                self.failures.append(Failure(display_name(clip.name), "maps", str(error)))
        jobs: list[NamedTask] = []
        for clip, reference, judging in judged:
            jobs.append(NamedTask(MapsTask(reference, judging.weights, self._cache, "weights"), "weights", clip.name))
            if self._follows_viewers:
                task = ScanpathsTask(reference, judging.weights, self._plan.options.observers, self._cache)
                jobs.append(NamedTask(task, "scanpaths", clip.name, arm=_SCANPATHS))
            jobs += [
                NamedTask(MapsTask(reference, guide, self._cache), "maps", clip.name, arm=arm)
                for arm, guide in judging.guides.items()
            ]
        made = dict(zip(((job.clip, job.arm) for job in jobs), self._do("maps", jobs), strict=True))
        works = []
        for clip, reference, judging in judged:
            weights = made[clip.name, ""]
            maps = {arm: found for arm in judging.guides if (found := made[clip.name, arm]) is not None}
            if weights is not None:
                scanpaths = made.get((clip.name, _SCANPATHS))
                works.append(ClipWork(clip, reference, judging, weights, scanpaths, maps))
        return [work for work in works if self._has_scored_frames(work)]

    @property
    def _follows_viewers(self) -> bool:
        return any(metric.name in SCANPATH_METRICS for metric in self._plan.metrics)

    def _has_scored_frames(self, work: ClipWork) -> bool:
        if any(work.scored):
            return True
        lasts = f"{work.reference.seconds[-1]:.3f} s"
        message = (
            f"its last frame is at {lasts}, and the first {work.judging.lead_seconds:g} s are not scored: use more frames"
        )
        self.failures.append(Failure(display_name(work.clip.name), "prepare", message))
        return False

    def points(self, works: Sequence[ClipWork]) -> dict[PointKey, Scored]:
        """Every point that could be encoded."""
        jobs = {place: job for work in works for place, job in self._point_jobs(work)}
        made = self._do("points", list(jobs.values()))
        found = {place: scored for place, scored in zip(jobs, made, strict=True) if scored is not None}
        for place, scored in found.items():
            self.failures += [jobs[place].failed(message, metric) for metric, message in scored.failed.items()]
        return found

    def viewers(
        self, works: Sequence[ClipWork], curves: Sequence[Curve], arm: str | None, folder: Path
    ) -> tuple[Viewer, ...]:
        """Pictures of every clip: an arm at the first encoder's middle CRF, against a plain encode of its rate."""
        options = self._plan.options
        if arm is None or not options.instants:
            return ()
        jobs = []
        for number, work in enumerate(works):
            mine = [one for one in curves if one.clip == display_name(work.clip.name) and one.encoder == options.encoders[0]]
            rates = {one.arm: [(point.crf or 0.0, point.kbps) for point in one.points] for one in mine}
            job = self._pictures_job(work, arm, rates, folder / "pictures" / f"{number:03d}")
            jobs += [job] if job is not None else []
        return tuple(viewer for viewer in self._do("pictures", jobs) if viewer is not None)

    def _pictures_job(
        self, work: ClipWork, arm: str, rates: Mapping[str, Sequence[tuple[float, float]]], folder: Path
    ) -> NamedTask | None:
        """rates: by arm, (CRF, kbit/s) of its points. None if an arm lacks the points."""
        encoder, crf = self._plan.options.encoders[0], self._middle
        kbps = dict(rates.get(arm, ())).get(crf)
        if kbps is None or PLAIN not in rates:
            return None
        guided = self._point(work, encoder, arm, crf)
        same_rate = matching_crf(kbps, rates[PLAIN], whole=find_encoder(encoder).whole_crf)
        plain = self._point(work, encoder, PLAIN, same_rate)
        task = PicturesTask(guided, plain, arm, work.weights, self._plan.options.instants, work.scored, folder)
        return NamedTask(task, "pictures", work.clip.name, encoder, arm, crf)

    @property
    def _middle(self) -> float:
        """The CRF in the middle, at which things are looked at more closely."""
        crfs = sorted(self._plan.options.crfs)
        return crfs[len(crfs) // 2]

    def _point_jobs(self, work: ClipWork) -> list[tuple[PointKey, NamedTask]]:
        options = self._plan.options
        places = [
            PointKey(work.clip.name, encoder, arm.name, crf)
            for encoder in options.encoders
            for crf in options.crfs
            for arm in options.arms
            if arm.name == PLAIN or arm.name in work.maps
        ]
        return [(place, NamedTask(self._point(work, *place[1:]), "encode", *place)) for place in places]

    def _point(self, work: ClipWork, encoder: str, arm: str, crf: float) -> PointTask:
        options = self._plan.options
        wanted = self._plan.encode_options(encoder, crf)
        encode = EncodeTask(work.reference, wanted, work.maps.get(arm), options.threads, crf == self._middle, self._cache)
        names = tuple(metric.name for metric in self._plan.metrics)
        return PointTask(encode, names, work.weights, self._threads, options.viewing_distance, work.scanpaths)

    def _do(self, stage: str, jobs: Sequence[NamedTask]) -> list[Any]:
        """The results of some jobs, None for each that failed, which is noted."""
        made: list[Any] = [None] * len(jobs)
        failed: dict[int, Failure] = {}
        meter = Meter(self._progress)
        meter.enter_tasks(stage, [job.label for job in jobs])
        for outcome in self._workers.run([job.task for job in jobs]):
            job, made[outcome.place] = jobs[outcome.place], outcome.result
            if outcome.error is not None:
                failed[outcome.place] = job.failed(outcome.error)
            cached = isinstance(outcome.result, Scored) and outcome.result.encoded.from_cache
            meter.task(outcome.place, cached=cached)
        self.failures += [failed[place] for place in sorted(failed)]
        return made
