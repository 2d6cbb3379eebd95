"""`stcodec.evaluate.run`: every clip, encoder, arm and CRF encoded and scored, and what follows from it written down."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stcodec.errors import MediaError, check_range
from stcodec.evaluate.options import EvaluateOptions
from stcodec.evaluate.output import check_folder, make_folder, write_all
from stcodec.evaluate.plan import EvaluationPlan, make_plan
from stcodec.evaluate.provenance import all_versions, machine
from stcodec.evaluate.reference import PreparedClip
from stcodec.evaluate.results import Curve, Evaluation
from stcodec.evaluate.stages import Stages, curves_of
from stcodec.evaluate.summary import headlines, leading_arm, savings
from stcodec.media.paths import display_name
from stcodec.progress import ProgressSink
from stcodec.work.cache import open_cache
from stcodec.work.workers import Workers, cores, threads_each


@dataclass(frozen=True)
class EvaluateRun:
    """Options that the figures do not depend on."""

    jobs: int | None = None
    """Processes side by side; None = as many as there are cores."""
    cache: Path | None = None
    """Folder of what was made; None = "cache" in the report's folder."""
    overwrite: bool = False
    """Replace the results that are in the report's folder."""
    command: str = ""
    """The command line, for the results."""

    def __post_init__(self) -> None:
        check_range("jobs", self.jobs, 1)


def run(
    clips: Sequence[str | os.PathLike[str]],
    report: str | os.PathLike[str],
    *,
    options: EvaluateOptions | None = None,
    running: EvaluateRun | None = None,
    progress: ProgressSink | None = None,
) -> Evaluation:
    """Evaluate clips; write results.json, results.csv, report.html and its pictures into the folder `report`.

    clips: files, folders and patterns. A point, a metric or a clip that fails is noted in `Evaluation.failures`, and the
    rest goes on. What was made stays in the cache: the same call goes on where a killed one ended. With more than one job
    processes are started anew, so that a script needs its `if __name__ == "__main__":`.
    Raises OptionsError, MediaError or AttentionError if it can't begin, MediaError if no point came of it.
    """
    running, folder = running or EvaluateRun(), Path(report)
    check_folder(folder, overwrite=running.overwrite)
    plan = make_plan([os.fspath(one) for one in clips], options or EvaluateOptions())
    make_folder(folder)
    jobs = running.jobs or cores()
    with open_cache(running.cache or folder / "cache") as cache, Workers(jobs, cache.work) as workers:
        stages = Stages(plan, cache, workers, threads_each(jobs), progress)
        results = _evaluation(stages, plan, folder, running.command, jobs)
    write_all(results, folder)
    return results


def _evaluation(stages: Stages, plan: EvaluationPlan, folder: Path, command: str, jobs: int) -> Evaluation:
    """Do all of it. Raises MediaError if there is not one point."""
    references = stages.references()
    works = stages.guided(references)
    points = stages.points(works)
    curves = [curve for work in works for curve in curves_of(plan, work, points)]
    if not curves:
        first = stages.failures[0]
        raise MediaError(first.message if first.clip in first.message else f"{first.clip}: {first.message}")
    found = savings(curves, plan.metrics)
    lines = headlines(found, plan.options.encoders, plan.arms(), plan.metrics)
    arms = [arm.name for arm in plan.options.arms]
    shown = leading_arm(lines, arms, plan.options.encoders[0], plan.metrics[0].name)
    viewers = stages.viewers(works, curves, shown, folder)
    return Evaluation(
        kind="evaluate",
        command=display_name(command),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=machine(),
        versions=all_versions({place.encoder: scored.encoded.path for place, scored in points.items()}.values()),
        settings=_settings(plan.options, jobs),
        metrics=plan.metrics,
        headline_metric=plan.metrics[0].name,
        clips=tuple(work.info() for work in works),
        arms=plan.arms(),
        curves=tuple(curves),
        savings=found,
        headlines=lines,
        viewers=viewers,
        failures=tuple(stages.failures),
        notes=(*plan.notes(), *_self_weighted_notes(curves), *_clip_notes(one for _, one in references)),
    )


def _settings(options: EvaluateOptions, jobs: int) -> dict[str, str]:
    """Settings by flag."""
    chosen = {
        "encoder": " ".join(options.encoders),
        "preset": ",".join(f"{name}={preset}" if name else preset for name, preset in options.presets.items()),
        "crf": " ".join(f"{crf:g}" for crf in options.crfs),
        "arms": " ".join(
            arm.name if arm.source in ("none", arm.name) else f"{arm.name}={arm.source}" for arm in options.arms
        ),
        "gaze": options.gaze or "",
        "weights": options.weights or "",
        "metrics": " ".join(options.metrics),
        "viewing-distance": f"{options.viewing_distance:g}",
        "observers": str(options.observers),
        "frames": "" if options.frames is None else str(options.frames),
        "scale": "half from 720 lines" if options.halve else f"{options.scale:g}",
        "opt": " ".join(f"{key}={value}" for key, value in options.encode.extra.items()),
        "keyint": "" if options.encode.keyint is None else str(options.encode.keyint),
        "split-seed": str(options.split_seed),
        "threads": str(options.threads),
        "jobs": str(jobs),
    }
    return {name: display_name(text) for name, text in chosen.items() if text}


def _clip_notes(clips: Iterable[PreparedClip]) -> list[str]:
    return [f"{display_name(one.clip)}: {note}" for one in clips for note in one.notes]


def _self_weighted_notes(curves: Sequence[Curve]) -> list[str]:
    arms = list(dict.fromkeys(curve.arm for curve in curves if curve.self_weighted))
    if not arms:
        return []
    return [
        f"self-weighted: {', '.join(arms)}: the source that guided these encodes also weights their scores, so that their "
        "attended figures are no result"
    ]
