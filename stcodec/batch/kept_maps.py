"""Cache of maps: made once for a source and kept for every later encode of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from stcodec.attention import open_source
from stcodec.attention.cached import CachedSource
from stcodec.media.clips import export_for
from stcodec.pipeline.attend import attend
from stcodec.pipeline.encode import Job
from stcodec.work.cache import Cache, content_hash, key_of
from stcodec.work.sources import source_identity
from stcodec.work.versions import made_by


def looks_at_pictures(attention: str) -> bool:
    """True if a source of attention has to see the video."""
    source = open_source(attention)
    return source is not None and source.spec.looks_at_pictures


@contextmanager
def kept_maps(job: Job, cache: Cache, folder: Path) -> Iterator[tuple[Job, Path | None, bool]]:
    """The job with maps from the cache, or with a source that puts them there; where they are; whether they were there.

    Sources that look at no pictures are as fast as a file of maps and are left as they are.
    """
    if job.source is None or not job.source.spec.looks_at_pictures:
        yield job, None, False
        return
    key = key_of(
        content=content_hash(job.reader.path),
        source=source_identity(job.options.attention),
        smoothing=job.options.policy.smoothing_seconds,
        keep_partial=job.reader.keep_partial,
        view=asdict(job.reader.view),
        made_by=made_by("maps"),
    )
    place = cache.place("maps", key, ".mkv")
    if place.exists():
        with with_maps(job, place) as guided:
            yield guided, place, True
        return
    own = folder / "maps.mkv"
    try:
        yield replace(job, source=CachedSource(job.source, own)), place, False
    finally:
        if own.exists():  # whole, also if the encode failed later
            place.parent.mkdir(exist_ok=True)
            own.replace(place)


def look(job: Job) -> None:
    """Show the whole video to its source of attention: a `CachedSource` has its maps afterwards."""
    assert job.source is not None
    with job.reopened().reader as reader:
        for _ in attend(reader.frames(), reader.info, job.source, lambda track: None):
            pass


@contextmanager
def with_maps(job: Job, place: Path) -> Iterator[Job]:
    """The job with maps that were made before, and a reader that need not look for motion."""
    assert job.source is not None
    source = CachedSource(job.source, place)
    with job.reader.again(export=export_for(source.spec)) as reader:
        yield replace(job, source=source, reader=reader)
