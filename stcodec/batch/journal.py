"""Journal of what a batch made: a line of JSON a file, beside the job table, which can be made anew from it.

A line is written before its file gets its name, and says by its hash which file it means: a line whose file is not there,
or is another one, counts for nothing. Tags in the files themselves would not do: transport streams have none, ladders are
folders, and files that are replaced by others' tools would bring theirs along.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from stcodec.batch.outputs import Results
from stcodec.batch.table import JobRow, Table
from stcodec.errors import BatchError
from stcodec.media.paths import display_name

_NAME = "made.jsonl"
_KINDS: Mapping[str, tuple[type, ...]] = {
    "state": (str,),
    "key": (str,),
    "source_bytes": (int,),
    "source_mtime_ns": (int,),
    "output_bytes": (int, type(None)),
    "output_mtime_ns": (int, type(None)),
    "output_hash": (str, type(None)),
    "frames": (int, type(None)),
    "video_seconds": (int, float, type(None)),
    "wall_seconds": (int, float, type(None)),
    "quality_db": (int, float, type(None)),
    "notes": (str, type(None)),
    "finished": (str, type(None)),
}
"""What is kept of a job, and what it may be."""


def write(folder: Path, jobs: Iterable[tuple[JobRow, Mapping[str, Any]]]) -> None:
    """Add jobs with what changes of them now, on the disk when it returns. folder: of the job table. Raises BatchError."""
    lines = [json.dumps(_entry(job, changes)) + "\n" for job, changes in jobs]
    if not lines:
        return
    try:
        with (folder / _NAME).open("a", encoding="ascii") as file:  # of several runs: each write goes to the end, whole
            file.write("".join(lines))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BatchError(
            f"{display_name(folder / _NAME)}: can't be written ({error.strerror}); what was finished is kept, and the same "
            "command goes on from there",
            path=folder / _NAME,
            errno=error.errno,
        ) from None


def restore(folder: Path, table: Table, results: Results) -> None:
    """Fill a new job table with what was made and is still there as it was made."""
    with table.changing():
        seen: set[str] = set()
        for entry in _newest_first(folder):
            job = _job(entry)
            if entry["source"] in seen or not (job.state == "kept" or results.is_unchanged(job)):
                continue
            seen.add(entry["source"])
            table.add(
                source=os.fsencode(job.source),
                output=os.fsencode(job.output),
                plan=0,
                **{name: entry[name] for name in _KINDS},
            )


def is_there(folder: Path) -> bool:
    """Whether there is a journal."""
    return (folder / _NAME).exists()


def _entry(job: JobRow, changes: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: changes.get(name, getattr(job, name)) for name in _KINDS}
    return {"source": str(job.source), "output": str(job.output), **values}


def _newest_first(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = (folder / _NAME).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:  # a run was killed while it wrote, or it is no line of ours
            continue
        if isinstance(entry, dict) and _is_sound(entry):
            yield entry


def _is_sound(entry: Mapping[str, Any]) -> bool:
    names = entry.get("source"), entry.get("output")
    if not all(isinstance(name, str) and name and "\0" not in name for name in names):
        return False
    output = Path(str(entry["output"]))
    return (
        not output.is_absolute()
        and ".." not in output.parts
        and entry.get("state") in ("done", "kept")
        and all(isinstance(entry.get(name), kinds) for name, kinds in _KINDS.items())
    )


def _job(entry: Mapping[str, Any]) -> JobRow:
    values: dict[str, Any] = {one.name: None for one in fields(JobRow)} | {name: entry[name] for name in _KINDS}
    return JobRow(**{**values, "id": 0, "attempts": 0, "source": Path(entry["source"]), "output": Path(entry["output"])})
