"""`stcodec.evaluate.compare`: files of any encoder, scored against their reference."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stcodec.errors import MediaError, OptionsError, check_range
from stcodec.evaluate.catalogue import DEFAULT_METRICS, check_viewing_distance, choose_metrics
from stcodec.evaluate.gaze import LEAD_SECONDS
from stcodec.evaluate.guidance import Guide, write_weights
from stcodec.evaluate.output import check_folder, make_folder, write_all
from stcodec.evaluate.pairs import UnpairedError, check_alike, frame_times, time_shift
from stcodec.evaluate.provenance import all_versions, encoder_signature, machine
from stcodec.evaluate.results import Arm, ClipInfo, Curve, Evaluation, Failure, Metric, Point
from stcodec.evaluate.scanpaths import SCANPATH_METRICS, check_scanpaths, write_scanpaths
from stcodec.evaluate.score import Comparison, Measured, measure
from stcodec.evaluate.summary import scores_of, series_of
from stcodec.media.decode import VideoReader
from stcodec.media.output import work_folder
from stcodec.media.packets import video_bytes
from stcodec.media.paths import check_input, display_name
from stcodec.metrics.foveated import VIEWING_DISTANCE
from stcodec.progress import Meter, ProgressSink
from stcodec.types import TimeArray, VideoInfo
from stcodec.work.workers import Workers, cores, threads_each

_SLACK_SECONDS = 1e-6


@dataclass(frozen=True)
class CompareOptions:
    """Options of a comparison: the metrics, and what they are weighted by."""

    gaze: Path | None = None
    """CSV of fixations in the reference."""
    weights: str | None = None
    """A source of attention instead; without either only whole-frame metrics are scored."""
    metrics: tuple[str, ...] = DEFAULT_METRICS
    viewing_distance: float = VIEWING_DISTANCE
    """Of the eyes from the screen in heights of the picture, for foveated metrics."""
    observers: int = 2
    """Viewers along whose scanpaths `fvvdp` looks; the result is their mean."""
    jobs: int | None = None
    """Files scored side by side; None = one a core."""

    def __post_init__(self) -> None:
        for name, value in (("jobs", self.jobs), ("observers", self.observers)):
            check_range(name, value, 1)
        check_viewing_distance(self.viewing_distance)
        if self.gaze is not None and self.weights is not None:
            raise OptionsError("gaze and weights exclude each other: give one")

    @property
    def guide(self) -> Guide | None:
        """Weights of attended scores."""
        if self.gaze is not None:
            return Guide(f"gaze:{self.gaze}")
        return None if self.weights is None else Guide(self.weights)


@dataclass(frozen=True)
class FileScores:
    """A file that was scored."""

    path: Path
    video: VideoInfo
    frames: int
    kbps: float
    video_bytes: int
    measured: Measured


@dataclass(frozen=True)
class FileTask:
    """A file to be scored."""

    reference: Path
    path: Path
    metrics: tuple[str, ...]
    weights: Path | None
    threads: int
    viewing_distance: float
    scanpaths: Path | None

    def run(self) -> FileScores:
        """Score it. Raises MediaError if its frames are not the reference's."""
        with VideoReader(self.reference) as reference, VideoReader(self.path) as distorted:
            check_alike(reference.info, distorted.info, distorted.name)
            video = distorted.info
        measured = self._measured()
        times = np.array(measured.times)
        time_shift(np.array(measured.reference_times), times, display_name(self.path))
        size = video_bytes(self.path)
        return FileScores(self.path, video, len(times), size * 8 / 1000 / _duration(times, video), size, measured)

    def _measured(self) -> Measured:
        wanted = Comparison(
            self.reference, self.path, self.metrics, self.weights, self.threads, self.viewing_distance, self.scanpaths
        )
        try:
            return measure(wanted)
        except UnpairedError:
            # Which frames are missing, and how many, shows when the times of all are known.
            time_shift(frame_times(self.reference), frame_times(self.path), display_name(self.path))
            raise


def compare(
    reference: str | os.PathLike[str],
    files: Sequence[str | os.PathLike[str]],
    *,
    options: CompareOptions | None = None,
    report: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    command: str = "",
    progress: ProgressSink | None = None,
) -> Evaluation:
    """Score files against a reference of the same size, all of whose frames they hold, found by their times.

    report: a folder for results.json, results.csv and report.html. A file or a metric that fails is noted in
    `Evaluation.failures`, and the rest goes on. The results have an arm and a curve for each file.
    Raises OptionsError, MediaError or AttentionError if it can't begin, MediaError if no file could be scored.
    """
    options = options or CompareOptions()
    jobs = min(options.jobs or cores(), max(1, len(files)))
    source, paths = check_input(reference), [check_input(path) for path in files]
    metrics = choose_metrics(options.metrics, has_weights=options.guide is not None)
    names = tuple(metric.name for metric in metrics)
    check_scanpaths(names, has_gaze=options.gaze is not None)
    if report is not None:
        check_folder(Path(report), overwrite=overwrite)
    failures: list[Failure] = []
    with work_folder() as work, Workers(jobs, work) as workers:
        weights, scanpaths = _gaze(options, source, work, follows_viewers=bool(set(names) & set(SCANPATH_METRICS)))
        threads, distance = threads_each(jobs), options.viewing_distance
        tasks = [FileTask(source, path, names, weights, threads, distance, scanpaths) for path in paths]
        found: dict[int, FileScores] = {}
        meter = Meter(progress)
        meter.enter_tasks("points", [display_name(path) for path in paths])
        for outcome in workers.run(tasks):
            name = display_name(paths[outcome.place])
            if outcome.error is None:
                found[outcome.place] = outcome.result
            else:
                failures.append(Failure(display_name(source.stem), "pair", outcome.error, arm=name))
            meter.task(outcome.place)
    if not found:
        raise MediaError(failures[0].message)
    scored = _named([found[place] for place in sorted(found)])
    times = np.array(next(iter(scored.values())).measured.reference_times)
    results = _results(source, times, options, metrics, scored, failures, command)
    if report is not None:
        make_folder(Path(report))
        write_all(results, Path(report))
    return results


def _gaze(options: CompareOptions, source: Path, work: Path, *, follows_viewers: bool) -> tuple[Path | None, Path | None]:
    """Files of weights and, if a metric follows viewers, of their scanpaths."""
    if options.guide is None:
        return None, None
    weights, scanpaths = work / "weights.npy", work / "scanpaths.npy"
    times = write_weights(source, options.guide, None, weights)
    if not follows_viewers:
        return weights, None
    write_scanpaths(source, options.guide, [one - times[0] for one in times], options.observers, scanpaths)
    return weights, scanpaths


def _named(scored: Sequence[FileScores]) -> dict[str, FileScores]:
    """The files by names that tell them apart."""
    names = [display_name(one.path.name) for one in scored]
    if len(set(names)) < len(names):
        names = [display_name(one.path) for one in scored]
    if len(set(names)) < len(names):
        names = [f"{number}: {name}" for number, name in enumerate(names, start=1)]
    return dict(zip(names, scored, strict=True))


def _results(
    source: Path,
    times: TimeArray,
    options: CompareOptions,
    metrics: tuple[Metric, ...],
    files: Mapping[str, FileScores],
    failures: Sequence[Failure],
    command: str,
) -> Evaluation:
    clip = _clip(source, times, options)
    failed = [
        Failure(clip.name, metric, message, arm=name)
        for name, scores in files.items()
        for metric, message in scores.measured.failed.items()
    ]
    curves = (Curve(clip.name, "", name, False, (_point(scores, clip.scored),)) for name, scores in files.items())
    return Evaluation(
        kind="compare",
        command=display_name(command),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=machine(),
        versions=all_versions(()),
        settings=_settings(options),
        metrics=metrics,
        headline_metric=metrics[0].name,
        clips=(clip,),
        arms=tuple(Arm(name, "", _description(scores)) for name, scores in files.items()),
        curves=tuple(curves),
        savings=(),
        headlines=(),
        viewers=(),
        failures=(*failures, *failed),
        notes=(*_notes(clip, options), *_source_notes(source)),
    )


def _clip(source: Path, times: TimeArray, options: CompareOptions) -> ClipInfo:
    with VideoReader(source) as reader:
        video = reader.info
    since = times - times[0]
    lead = LEAD_SECONDS if options.gaze is not None else 0.0
    scored = since >= lead - _SLACK_SECONDS
    if not scored.any():
        raise MediaError(f"{display_name(source)}: ends before {lead:g} s, and with gaze so much is not scored", path=source)
    text = "" if options.guide is None else display_name(options.guide.text)
    return ClipInfo(
        name=display_name(source.stem),
        path=display_name(source),
        width_px=video.display_width_px,
        height_px=video.display_height_px,
        frames_per_second=float(video.frame_rate) if video.frame_rate else None,
        seconds=tuple(since.tolist()),
        scored=tuple(scored.tolist()),
        prepared="",
        weights="gaze" if options.gaze is not None else text,
        weights_source=text,
    )


def _point(scores: FileScores, scored: Sequence[bool]) -> Point:
    return Point(
        crf=None,
        kbps=scores.kbps,
        video_bytes=scores.video_bytes,
        frames=scores.frames,
        scores=scores_of(scores.measured.raw, scored),
        series=series_of(scores.measured.raw),
        name=display_name(scores.path),
    )


def _description(scores: FileScores) -> str:
    video = scores.video
    by = " ".join(f"{name} {version}" for name, version in encoder_signature(scores.path).items())
    return ", ".join(part for part in (f"{video.codec} {video.pix_fmt}", by, f"{scores.frames} frames") if part)


def _settings(options: CompareOptions) -> dict[str, str]:
    """Settings by flag."""
    chosen = {
        "gaze": options.gaze or "",
        "weights": options.weights or "",
        "metrics": " ".join(options.metrics),
        "viewing-distance": f"{options.viewing_distance:g}",
        "observers": str(options.observers),
    }
    return {name: display_name(value) for name, value in chosen.items() if value}


def _source_notes(source: Path) -> list[str]:
    with VideoReader(source) as reader:
        return [f"{display_name(source.stem)}: {note}" for note in reader.notes()]


def _notes(clip: ClipInfo, options: CompareOptions) -> tuple[str, ...]:
    if options.gaze is not None:
        return (f"the first {LEAD_SECONDS:g} s are left out of all scores: gaze then rests where it was called to",)
    if options.weights is not None:
        return (f"attended scores are weighted by {clip.weights}: no result for a file that the same source guided",)
    return ("without --gaze or --weights only whole-frame metrics are scored",)


def _duration(times: TimeArray, video: VideoInfo) -> float:
    """Seconds that the frames are shown for."""
    last = float(1 / video.frame_rate) if video.frame_rate else 0.0
    return float(times[-1] - times[0]) + last or 1.0
