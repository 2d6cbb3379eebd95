"""Publication of finished files under their names: several at a time, for each time the disk has to be waited for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stcodec.batch import journal
from stcodec.batch.hooks import DUE
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.batch.outputs import put_in_place
from stcodec.batch.runs import state_folder
from stcodec.batch.session import Session
from stcodec.batch.steps import FinishedFile
from stcodec.batch.table import JobRow, now
from stcodec.errors import MediaError
from stcodec.media.paths import display_name

_MOST = 32


@dataclass(frozen=True)
class _Publication:
    row: JobRow
    made: FinishedFile
    path: Path
    """Path that it was made under."""
    replaces_ours: bool
    """True if what is there under its name is an older result of the job."""


class Publisher:
    """Files that were made and wait for their names."""

    def __init__(
        self,
        session: Session,
        options: BatchOptions,
        running: BatchRun,
        note: Callable[[str], None],
        settled: Callable[[JobRow, MediaError | None], None],
    ) -> None:
        """note: takes lines for people; settled: takes each job with why its file could not get its name, or None."""
        self._session = session
        self._table = session.table
        self._options = options
        self._running = running
        self._note = note
        self._settled = settled
        self._waiting: list[_Publication] = []

    def add(self, row: JobRow, made: FinishedFile, path: Path) -> None:
        """A file was made at a path; it gets its name at the next `flush`."""
        replaces_ours = row.output_hash is not None and self._session.results.is_unchanged(row)
        self._waiting.append(_Publication(row, made, path, replaces_ours))
        if len(self._waiting) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Give all of them their names.

        The table first: whenever the process dies, the next run can tell whether a file under that name is ours.
        """
        if not self._waiting:
            return
        self._session.check_there()
        group, self._waiting = self._waiting, []
        errors = {one.row.id: self._has_changed(one) for one in group}
        placed = [one for one in group if errors[one.row.id] is None and not self._stays(one)]
        facts = {one.row.id: self._facts(one) for one in placed}
        journal.write(
            state_folder(self._session.output), ((one.row, {**facts[one.row.id], "state": "done"}) for one in placed)
        )
        with self._table.changing(durable=True):
            for one in placed:
                self._table.update(one.row.id, **facts[one.row.id])
        for one in placed:
            errors[one.row.id] = self._place(one)
        placed = [one for one in placed if errors[one.row.id] is None]
        for below in {one.row.output.parent: one.row.output for one in placed}.values():
            with suppress(OSError):  # it is there; only a power cut could still undo it
                self._session.results.sync(below)
        hook = DUE if self._running.on_done else None
        with self._table.changing():
            for one in placed:
                self._table.update(one.row.id, state="done", old_hash=None, hook=hook, **self._placed(one))
        for one in group:
            self._settled(one.row, errors[one.row.id])

    def _has_changed(self, one: _Publication) -> MediaError | None:
        """Reason why an original may not be replaced."""
        if not self._options.replace:
            return None
        with suppress(OSError):
            status = one.row.source.stat()
            if (status.st_size, status.st_mtime_ns) == (one.made.source_bytes, one.made.source_mtime_ns):
                return None
        return MediaError("was changed while it was encoded, and stays as it is", path=one.row.source)

    def _stays(self, one: _Publication) -> bool:
        """True if an original stays, because too little would be saved; then that is noted."""
        made, least = one.made, self._options.min_saving_percent
        if not self._options.replace or 100 * (1 - made.size_bytes / made.source_bytes) >= least:
            return False
        sizes = f"the result has {made.size_bytes} bytes instead of {made.source_bytes}"
        self._note(f"kept: {display_name(one.row.source)}: {sizes}, less than {least:g} % saved")
        facts = {
            "state": "kept",
            "key": self._options.key,
            "options": self._session.options,
            "wall_seconds": made.record.wall_seconds,
            "finished": now(),
        }
        journal.write(state_folder(self._session.output), [(one.row, facts)])
        self._table.update(one.row.id, **facts)
        return True

    def _place(self, one: _Publication) -> MediaError | None:
        overwrite = self._running.overwrite or one.replaces_ours
        try:
            if self._options.replace:
                put_in_place(one.path, self._session.output / one.row.output, one.row.source, overwrite=overwrite)
            else:
                self._session.results.put(one.path, one.row.output, overwrite=overwrite)
        except MediaError as error:
            return error
        return None

    def _placed(self, one: _Publication) -> dict[str, object]:
        """Columns that a result is recognised by; without them it would have to be read."""
        try:
            size, changed = self._session.results.stamp(one.row.output)
        except (OSError, MediaError):
            return {}
        return {"output_bytes": size, "output_mtime_ns": changed}

    def _facts(self, one: _Publication) -> dict[str, object]:
        made, record = one.made, one.made.record
        return {
            "state": "placing",
            "key": self._options.key,
            "options": self._session.options,
            "versions": self._table.text(record.versions),
            "source_bytes": made.source_bytes,
            "source_mtime_ns": made.source_mtime_ns,
            "output_bytes": made.size_bytes,
            "output_mtime_ns": made.mtime_ns,
            "output_hash": made.content,
            "old_hash": one.row.output_hash if one.replaces_ours else None,
            "frames": record.frames,
            "video_seconds": record.video_seconds,
            "wall_seconds": record.wall_seconds,
            "quality_db": made.quality_db,
            "maps_were_kept": made.maps_were_kept,
            "notes": "\n".join(record.messages),
            "finished": now(),
        }
