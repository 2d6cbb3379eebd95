"""Plan of a run: the walk over the sources, set against what the job table says was done before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from stcodec.batch.names import output_name
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.batch.session import Session
from stcodec.batch.storage import Remote
from stcodec.batch.table import JobRow, as_bytes
from stcodec.batch.walk import FoundVideo, SkippedFile, Walk, remote_walk
from stcodec.encoders.table import find_encoder
from stcodec.errors import MediaError, OptionsError
from stcodec.media.paths import display_name, local_url

_AT_ONCE = 500
"""Files in one transaction."""


class Planner:
    """Brings the job table up to date with the sources; may be asked to do so again and again."""

    def __init__(
        self, root: Path | Remote, options: BatchOptions, session: Session, running: BatchRun, note: Callable[[str], None]
    ) -> None:
        """note: takes a line for people about each file that is passed over or made again."""
        self._root = session.sources if isinstance(root, Remote) else root.resolve()
        self._base = self._root if isinstance(root, Remote) or self._root.is_dir() else self._root.parent
        self._output = session.output.resolve()
        self._is_inside = self._output.is_relative_to(self._base)
        self._options = options
        self._session = session
        self._table = session.table
        self._overwrite = running.overwrite
        self._settles = running.watch_seconds is not None
        """True if files are taken only when they have stopped growing."""
        self._looks: dict[Path, tuple[int, int]] = {}
        """Size and time of change of files that may still grow."""
        self._said: set[str] = set()
        self._note = note
        self._encoder = find_encoder(options.encode.encoder)
        self.skipped = 0
        """Files that are no videos."""
        self.with_other_options = 0
        """Files that were made before in another way, and stay so."""

    def walk(self) -> None:
        """Look at all sources. Raises MediaError if there are none any more."""
        self.skipped = self.with_other_options = 0
        found = iter(self._found())
        while some := list(islice(found, _AT_ONCE)):
            with self._table.changing():
                for one in some:
                    if isinstance(one, SkippedFile):
                        self._skip(one)
                    elif not (self._settles and self._is_growing(one)):
                        self._merge(one)

    def _found(self) -> Iterable[FoundVideo | SkippedFile]:
        include, exclude, remote = self._options.include, self._options.exclude, self._session.remote
        if remote is not None:
            return remote_walk(remote, self._base, include, exclude)
        return Walk(self._root, include, exclude, [] if self._options.replace else [self._output])

    def _is_there(self, source: Path) -> bool:
        remote = self._session.remote
        return os.path.lexists(source) if remote is None else remote.has(self._below(source))

    def _skip(self, skipped: SkippedFile) -> None:
        if not skipped.is_fault:
            self.skipped += 1
            line = f"skipped: {display_name(self._below(skipped.path))}: {skipped.why}"
            if line not in self._said:
                self._note(line)
            if self._settles:  # the next look will find it, too
                self._said.add(line)
            return
        row = self._table.row("source = ?", as_bytes(skipped.path))
        values = {"state": "blocked", "error": skipped.why, "plan": self._session.plan}
        if row is not None:
            self._table.update(row.id, **values)
        else:
            name = as_bytes(self._below(skipped.path))
            self._table.add(source=as_bytes(skipped.path), output=name, source_bytes=0, source_mtime_ns=0, **values)

    def _merge(self, found: FoundVideo) -> None:
        below = self._below(found.path)
        if self._options.replace and self._is_settled(found, below):
            return
        output = below.parent / output_name(
            self._options.template, found.path, self._encoder, is_folder=bool(self._options.ladder)
        )
        facts = {"plan": self._session.plan, "source_bytes": found.size_bytes, "source_mtime_ns": found.mtime_ns}
        row = self._table.row("source = ?", as_bytes(found.path)) or self._moved(found, output)
        if row is None:
            values = self._fresh(found.path, output, None)
            self._table.add(source=as_bytes(found.path), output=as_bytes(output), **facts, **values)
            return
        if row.state in ("running", "placing"):  # in the hands of a run that is alive
            return
        has_changed = (row.source_bytes, row.source_mtime_ns) != (found.size_bytes, found.mtime_ns)
        values = self._again(row, output, has_changed)
        self._table.update(row.id, **facts, **values)

    def _is_settled(self, found: FoundVideo, below: Path) -> bool:
        """True if a file has taken an original's place already, or may not be replaced."""
        made = self._table.row("output = ? AND state = 'done'", as_bytes(below))
        if made is not None and self._session.results.is_unchanged(made):
            self._table.update(made.id, plan=self._session.plan)
            return True
        if found.path.is_symlink():
            self._skip(SkippedFile(found.path, "a link: to replace it would free nothing"))
            return True
        if found.path.stat().st_nlink > 1:
            self._skip(SkippedFile(found.path, "has other names (hard links): to replace one would free nothing"))
            return True
        return False

    def _is_growing(self, found: FoundVideo) -> bool:
        """True if a file was not seen before as it is now."""
        now = found.size_bytes, found.mtime_ns
        if self._looks.get(found.path) == now:
            del self._looks[found.path]
            return False
        row = self._table.row("source = ?", as_bytes(found.path))
        if row is not None and (row.source_bytes, row.source_mtime_ns) == now:
            return False
        self._looks[found.path] = now
        return True

    def _moved(self, found: FoundVideo, output: Path) -> JobRow | None:
        """The job of the same file in a folder that has another name now."""
        row = self._table.row(
            "output = ? AND source_bytes = ? AND source_mtime_ns = ?", as_bytes(output), found.size_bytes, found.mtime_ns
        )
        if row is None or self._is_there(row.source):
            return None
        self._table.update(row.id, source=as_bytes(found.path))
        return row

    def _again(self, row: JobRow, output: Path, has_changed: bool) -> dict[str, Any]:
        """Columns that change in a job that is in the table."""
        name = display_name(output)
        is_other = row.key is not None and row.key != self._options.key
        made = row.output_hash is not None and row.state in ("done", "blocked")
        if made and not has_changed:
            if not self._session.results.has(row.output):
                self._note(f"again: {name}: the finished file was removed")
            elif not self._session.results.is_unchanged(row):
                if not self._overwrite:
                    return _blocked("the finished file was changed since it was made; -y makes it again")
                self._note(f"again: {name}: the finished file was changed")
            elif not (is_other and self._overwrite):
                self.with_other_options += is_other
                return {"state": "done", "error": None}
        elif row.state in ("failed", "kept") and not (has_changed or is_other or self._overwrite):
            return {}
        elif made:
            self._note(f"again: {name}: the source has changed")
        attempts = row.attempts if row.state == "waiting" else 0
        return {"output": as_bytes(output), "attempts": attempts, **self._fresh(row.source, output, row)}

    def _fresh(self, source: Path, output: Path, row: JobRow | None) -> dict[str, Any]:
        """The state of a job that has nothing to show: waiting, or what is in its way."""
        target = self._output / output
        is_replaced = self._options.replace and target == source
        with suppress(OSError):
            if target.exists() and target.samefile(source) and not is_replaced:
                return _blocked("the output would be the source itself; give another output folder, or --template")
        if not self._is_inside and target.is_relative_to(self._base):
            return _blocked(f"the output {display_name(target)} would lie among the sources; give another output folder")
        other = self._rival(source, output)
        if other is not None:
            return _blocked(
                f"{display_name(other)} has the same output {display_name(output)}: rename one of them, or give a "
                "--template and leave one out with --exclude"
            )
        results = self._session.results
        is_ours = row is not None and row.output == output and results.is_unchanged(row)
        if not (is_ours or is_replaced or self._overwrite) and results.has(output):
            return _blocked(
                f"{display_name(results.name(output))} exists already, and this batch did not make it; -y replaces it"
            )
        return {"state": "waiting", "error": None}

    def _rival(self, source: Path, output: Path) -> Path | None:
        """Another source that has an output first."""
        rows = self._table.rows(
            "output = ? AND source != ? AND (state IN ('done', 'running', 'placing') OR (state = 'waiting' AND plan = ?))",
            as_bytes(output),
            as_bytes(source),
            self._session.plan,
        )
        return next((row.source for row in list(rows) if self._is_there(row.source)), None)

    def _below(self, path: Path) -> Path:
        return path.relative_to(self._base)


def _blocked(why: str) -> dict[str, Any]:
    return {"state": "blocked", "error": why}


def check_folders(source: Path | Remote, output: Path, *, replace: bool) -> None:
    """Raise MediaError unless there is something to walk over, OptionsError if the results can't be kept apart from it."""
    local_url(output)
    if isinstance(source, Remote):
        return
    if not source.exists():
        raise MediaError(f"{display_name(source)}: no such file or folder", path=source)
    if not replace and source.is_dir() and output.resolve() == source.resolve():
        raise OptionsError(
            f"{display_name(source)}: is the input and the output too: give another folder, or --replace", path=source
        )
