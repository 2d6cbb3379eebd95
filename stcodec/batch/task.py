"""One file to be encoded, in a process of its own; the maps of its attention are kept for every later encode of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stcodec.attention.cached import CachedSource
from stcodec.batch.options import BatchOptions
from stcodec.batch.quality import sampled_psnr_db
from stcodec.media.clips import export_for
from stcodec.media.decode import VideoReader
from stcodec.media.output import atomic_output
from stcodec.media.paths import check_input
from stcodec.options import RunOptions
from stcodec.pipeline.encode import Job, encode_job, prepare
from stcodec.pipeline.progress import Meter
from stcodec.work.cache import Cache, code_version, content_hash, key_of
from stcodec.work.sources import source_identity

_MAPS_CODE = ("attention", "media", "model", "types.py")


@dataclass(frozen=True)
class Made:
    """A file that was encoded and checked, not yet under its name."""

    size_bytes: int
    mtime_ns: int
    content: str
    """Hash of its bytes."""
    source_bytes: int
    source_mtime_ns: int
    """Of the source as it was read."""
    frames: int
    video_seconds: float
    wall_seconds: float
    quality_db: float | None
    """See `sampled_psnr_db`; None if the file was not checked."""
    maps_were_kept: bool
    """True if the maps were there from an earlier encode."""
    messages: tuple[str, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class MakeTask:
    """A file to be encoded."""

    source: Path
    made: Path
    """Where to: in a folder of its own, which is emptied first."""
    target: Path
    """What it is to be called in the end; for messages."""
    options: BatchOptions
    cache: Cache

    def run(self) -> Made:
        """Encode it. Raises what `stcodec.encode` raises."""
        folder = self.made.parent
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        running = RunOptions(verify=self.options.verify, keep_partial=self.options.keep_partial)
        before = check_input(self.source).stat()
        job = replace(prepare(self.source, self.made, self.options.encode, running), target=self.target)
        with job.reader, kept_maps(job, self.cache, folder) as (guided, were_kept), atomic_output(self.made) as temporary:
            report = encode_job(guided, temporary, running, Meter(None, job.reader.info))
            quality = None
            if report.checks is not None:
                quality = sampled_psnr_db(self.source, temporary, report.checks.shift_seconds, guided.source)
        after = self.made.stat()
        return Made(
            size_bytes=after.st_size,
            mtime_ns=after.st_mtime_ns,
            content=content_hash(self.made),
            source_bytes=before.st_size,
            source_mtime_ns=before.st_mtime_ns,
            frames=report.frames,
            video_seconds=report.duration_seconds,
            wall_seconds=report.wall_seconds,
            quality_db=quality,
            maps_were_kept=were_kept,
            messages=report.messages,
            versions=report.versions,
        )


@contextmanager
def kept_maps(job: Job, cache: Cache, folder: Path) -> Iterator[tuple[Job, bool]]:
    """The job with maps from the cache, or with a source that puts them there; and which of both.

    Sources that look at no pictures are as fast as a file of maps and are left as they are.
    """
    if job.source is None or not (job.source.spec.thumbnail_side_px or job.source.spec.motion_vectors):
        yield job, False
        return
    key = key_of(
        content=content_hash(job.reader.path),
        source=source_identity(job.options.attention),
        smoothing=job.options.policy.smoothing_seconds,
        keep_partial=job.reader.keep_partial,
        code=code_version(*_MAPS_CODE),
    )
    place = cache.place("maps", key, ".mkv")
    if place.exists():
        source = CachedSource(job.source, place)
        reader = VideoReader(job.reader.path, export=export_for(source.spec), keep_partial=job.reader.keep_partial)
        with reader:
            yield replace(job, source=source, reader=reader), True
        return
    own = folder / "maps.mkv"
    try:
        yield replace(job, source=CachedSource(job.source, own)), False
    finally:
        if own.exists():  # whole, also if the encode failed later
            place.parent.mkdir(exist_ok=True)
            own.replace(place)
