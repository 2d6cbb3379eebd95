"""Steps of a job that makes a ladder: renditions of a video, packaged as HLS and DASH. As `stcodec.batch.steps`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stcodec.batch.kept_maps import look
from stcodec.batch.ladder import AUTO, SEGMENT_SECONDS, LadderRendition, fitting_renditions, rendition_options
from stcodec.batch.ladder_choice import LadderTrial, choose_renditions
from stcodec.batch.steps import (
    EncodeRecord,
    FinishedFile,
    JobSpec,
    begin,
    emptied,
    finished,
    first_look,
    guided,
    kept_path,
    record_of,
)
from stcodec.errors import MediaError
from stcodec.media.output import atomic_output
from stcodec.media.package import write_package
from stcodec.media.paths import check_input
from stcodec.pipeline.encode import Job, encode_job, rendition
from stcodec.progress import Meter
from stcodec.work.cache import content_hash, key_of
from stcodec.work.sources import source_identity
from stcodec.work.versions import made_by


@dataclass(frozen=True)
class LadderPlan:
    """Renditions that a video is encoded in."""

    renditions: tuple[LadderRendition, ...]
    maps: Path | None
    maps_were_kept: bool
    messages: tuple[str, ...] = ()


def plan_ladder(job: JobSpec) -> LadderPlan:
    """Look at a video, which makes its maps, and find its renditions."""
    begin(job)
    with first_look(job, "rendition.mp4") as (encode, maps, were_kept):
        video = encode.reader.info
        if job.options.ladder != AUTO:
            if maps is not None and not were_kept:
                look(encode)
            return LadderPlan(fitting_renditions(job.options.ladder, video), maps, were_kept)
        trials = _trials(job, encode, maps)
    source_kbps = job.source.stat().st_size * 8 / 1000 / max(0.1, video.duration_seconds or 0.1)
    renditions = choose_renditions(trials, source_kbps)
    return LadderPlan(renditions, maps, were_kept, (f"ladder: {', '.join(one.name for one in renditions)}",))


def _trials(job: JobSpec, encode: Job, maps: Path | None) -> list[LadderTrial]:
    """Trial encodes of a video for `--ladder auto`, made now or before."""
    options = replace(encode.options, extra=dict(encode.options.extra))
    watched = (content_hash(job.source), source_identity(options.attention)) if maps is None else maps.name
    key = key_of(watched=watched, options=asdict(options), made_by=made_by("maps", "trials"))
    path = job.cache.place("curves", key, ".json")
    kept = job.cache.read_json(path)
    if kept is not None and (maps is None or maps.exists()):
        return [LadderTrial(**one) for one in kept]
    from stcodec.batch.ladder_trials import measure_trials  # late, as the search

    folder = job.unfinished.parent / "scan"
    folder.mkdir()
    trials = measure_trials(encode, folder)
    job.cache.write_json(path, [asdict(one) for one in trials])
    return trials


def make_rendition(job: JobSpec, plan: LadderPlan, one: LadderRendition) -> float:
    """Encode a rendition, or find it encoded by a run that was broken off; returns the seconds it took."""
    path = _rendition_path(job, one)
    if not path.exists():
        with (
            guided(job, job.unfinished.parent / f"{one.name}.mp4", plan.maps) as whole,
            job.cache.writing(path) as temporary,
        ):
            encode = rendition(whole, rendition_options(whole.options, one, whole.reader.info), one.lines)
            with atomic_output(temporary, overwrite=True) as written:
                report = encode_job(encode, written, job.running, Meter(None, encode.reader.info))
            job.cache.write_json(path.with_suffix(".json"), asdict(record_of(report)))
    return _rendition_record(job, one).wall_seconds


def package(job: JobSpec, plan: LadderPlan, wall_seconds: float) -> FinishedFile:
    """Package the renditions, and check the package. wall_seconds: that the renditions took."""
    before = check_input(job.source).stat()
    emptied(job.unfinished.parent)
    records = [_rendition_record(job, one) for one in plan.renditions]
    paths = [_rendition_path(job, one) for one in plan.renditions]
    messages = write_package(paths, job.source, emptied(job.unfinished), SEGMENT_SECONDS)
    said = dict.fromkeys([*plan.messages, *(text for record in records for text in record.messages), *messages])
    for path in paths:
        path.unlink()
        path.with_suffix(".json").unlink(missing_ok=True)
    record = replace(records[0], wall_seconds=wall_seconds, messages=tuple(said))
    return finished(job, record, before, None, maps_were_kept=plan.maps_were_kept)


def _rendition_path(job: JobSpec, one: LadderRendition) -> Path:
    return kept_path(job, ".mp4", rendition=(one.lines, one.kbps))


def _rendition_record(job: JobSpec, one: LadderRendition) -> EncodeRecord:
    """Raises MediaError if the rendition is not there."""
    path = _rendition_path(job, one)
    kept: dict[str, Any] | None = job.cache.read_json(path.with_suffix(".json"))
    if kept is None or not path.exists():
        raise MediaError(f"{one.name}: the rendition has gone, or the video was changed meanwhile")
    return EncodeRecord(**{**kept, "messages": tuple(kept["messages"])})
