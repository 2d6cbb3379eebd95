"""The job table: one SQLite file (WAL) that says what became of every file, whatever happens to the processes.

States of a job:
    waiting    to be made
    running    a run has it in hand; if that run is dead, waiting
    placing    made and checked; the hash of the file that is about to take the output's name is written down
    done       the output is there
    kept       the original stays, because the result would not be smaller by enough (only where originals are replaced)
    failed     could not be made; `error` says why. Is not tried again unless its source or the options change
    blocked    can't be made as things are, for instance because a foreign file has its name; every run looks anew
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stcodec.errors import BatchError
from stcodec.media.output import work_folder
from stcodec.media.paths import display_name

STATE_FOLDER = ".stcodec-batch"
SOURCES_FOLDER = f"{STATE_FOLDER}/sources"
"""For sources that are fetched from elsewhere."""
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, plan INTEGER NOT NULL, key TEXT NOT NULL, root BLOB NOT NULL, options INTEGER NOT NULL,
    process INTEGER NOT NULL, host TEXT NOT NULL, started TEXT NOT NULL, has_ended INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, source BLOB NOT NULL UNIQUE, output BLOB NOT NULL, state TEXT NOT NULL, plan INTEGER NOT NULL,
    run INTEGER, attempts INTEGER NOT NULL DEFAULT 0, key TEXT, options INTEGER, versions INTEGER,
    source_bytes INTEGER NOT NULL, source_mtime_ns INTEGER NOT NULL,
    output_bytes INTEGER, output_mtime_ns INTEGER, output_hash TEXT, old_hash TEXT,
    frames INTEGER, video_seconds REAL, wall_seconds REAL, quality_db REAL,
    maps_were_kept INTEGER, hook TEXT, error TEXT, notes TEXT, finished TEXT
) STRICT;
CREATE INDEX jobs_next ON jobs (plan, state, source_bytes DESC);
CREATE INDEX jobs_output ON jobs (output);
PRAGMA user_version = {_VERSION};
"""
_WAIT_SECONDS = 60.0
"""For another process that writes."""


@dataclass(frozen=True)
class JobRow:
    """A job as the table has it."""

    id: int
    source: Path
    output: Path
    """Below the output folder."""
    state: str
    run: int | None
    attempts: int
    key: str | None
    """Of the options that made the output."""
    source_bytes: int
    source_mtime_ns: int
    output_bytes: int | None
    output_mtime_ns: int | None
    output_hash: str | None
    old_hash: str | None
    """While placing: of the output of ours that is replaced."""
    frames: int | None
    video_seconds: float | None
    wall_seconds: float | None
    """Of the encode."""
    quality_db: float | None
    """PSNR where the maps say that viewers look, on a sample of frames."""
    maps_were_kept: bool | None
    """True if the maps were there from an earlier encode of the same source."""
    hook: str | None
    """See `stcodec.batch.hooks`; None if no command was asked for."""
    error: str | None
    notes: str | None
    finished: str | None

    @property
    def source_name(self) -> str:
        """Name for people; of a source that is fetched from elsewhere its place there, below the folder that is walked."""
        return display_name(str(self.source).partition(f"/{SOURCES_FOLDER}/")[2] or self.source)

    def as_mapping(self) -> dict[str, Any]:
        """The job for JSON."""
        return {**asdict(self), "source": self.source_name, "output": display_name(self.output)}


_COLUMNS = ", ".join(JobRow.__dataclass_fields__)


class Table:
    """The table, open. Everything it raises is a BatchError."""

    def __init__(self, path: Path | None, *, copy_of: Path | None = None) -> None:
        """path: the file, made if it is not there; None = in memory, as a copy of a file if that is there."""
        self._name = display_name(path or copy_of or "jobs")
        with self._as_batch_errors():
            self._base = sqlite3.connect(path or ":memory:", timeout=_WAIT_SECONDS, isolation_level=None)
            try:
                self._open(copy_of)
            except BaseException:
                self._base.close()
                raise

    def close(self) -> None:
        self._base.close()

    @contextmanager
    def changing(self, *, durable: bool = False) -> Iterator[None]:
        """All that is written in the block is written at once or not at all; durable: on the disk when the block ends."""
        with self._as_batch_errors():
            if durable:
                self._base.execute("PRAGMA synchronous = FULL")
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise
            finally:
                if durable:
                    self._base.execute("PRAGMA synchronous = NORMAL")

    def text(self, value: Mapping[str, Any]) -> int:
        """The number under which a mapping is kept as JSON; the same for the same one."""
        text = json.dumps(value, sort_keys=True)
        with self._as_batch_errors():
            self._base.execute("INSERT OR IGNORE INTO texts (text) VALUES (?)", (text,))
            return int(self._one("SELECT id FROM texts WHERE text = ?", text)[0])

    def rows(self, where: str, *values: Any) -> Iterator[JobRow]:
        """Jobs by a condition, one at a time."""
        with self._as_batch_errors():
            for row in self._base.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where}", values):
                yield _job(row)

    def row(self, where: str, *values: Any) -> JobRow | None:
        """The first job that a condition holds for."""
        return next(self.rows(f"{where} LIMIT 1", *values), None)

    def ask(self, question: str, *values: Any) -> list[sqlite3.Row]:
        """The answer to any other question."""
        with self._as_batch_errors():
            return self._base.execute(question, values).fetchall()

    def add(self, **values: Any) -> int:
        """A new job; its number."""
        return self.insert("jobs", **values)

    def insert(self, table: str, **values: Any) -> int:
        """A new row of a table; its number."""
        marks = ", ".join("?" * len(values))
        with self._as_batch_errors():
            done = self._base.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        assert done.lastrowid is not None
        return done.lastrowid

    def update(self, job: int, **values: Any) -> None:
        """Change columns of a job."""
        self.change("jobs", "id = ?", job, **values)

    def change(self, table: str, where: str, *which: Any, **values: Any) -> None:
        """Change columns of all rows that a condition holds for."""
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._as_batch_errors():
            self._base.execute(f"UPDATE {table} SET {columns} WHERE {where}", (*values.values(), *which))

    def claim(self, plan: int, run: int) -> JobRow | None:
        """The largest file that waits, now in this run's hands; None if none waits. One job goes to one run only."""
        with self._as_batch_errors():
            row = self._base.execute(
                "UPDATE jobs SET state = 'running', run = ?, attempts = attempts + 1, error = NULL WHERE id = ("
                "SELECT id FROM jobs WHERE plan = ? AND state = 'waiting' ORDER BY source_bytes DESC LIMIT 1) "
                f"RETURNING {_COLUMNS}",
                (run, plan),
            ).fetchall()
        return _job(row[0]) if row else None

    def _open(self, copy_of: Path | None) -> None:
        self._base.row_factory = sqlite3.Row
        if copy_of is not None and copy_of.exists():
            try:
                self._copy(copy_of)
            except sqlite3.OperationalError:  # WAL needs to write beside the file, which a read-only disk forbids
                with work_folder() as folder:
                    for path in (copy_of, copy_of.with_name(f"{copy_of.name}-wal")):
                        if path.exists():
                            shutil.copy(path, folder)
                    self._copy(folder / copy_of.name)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = NORMAL")
        self._make()

    def _copy(self, path: Path) -> None:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)) as other:
            other.backup(self._base)

    def _make(self) -> None:
        version = self._one("PRAGMA user_version")[0]
        if version == 0:
            self._base.execute("BEGIN IMMEDIATE")
            if self._one("PRAGMA user_version")[0] == 0:  # another process may have been faster
                for statement in _SCHEMA.split(";"):
                    self._base.execute(statement)
            self._base.execute("COMMIT")
        elif version != _VERSION:
            raise BatchError(
                f"{self._name}: was written by another version of stcodec (layout {version}, this one knows {_VERSION}): "
                "finish it with that version, or move the file away to begin anew"
            )

    def _one(self, question: str, *values: Any) -> sqlite3.Row:
        row = self._base.execute(question, values).fetchone()
        assert isinstance(row, sqlite3.Row)
        return row

    @contextmanager
    def _as_batch_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise BatchError(
                    f"{self._name}: the job table is damaged ({error}): move it away; the same command makes a new one, "
                    "in which all that is finished and unchanged is found again"
                ) from None
            raise BatchError(
                f"{self._name}: the job table can't be used ({error}): is the disk full, or the folder gone? "
                "What was finished is kept; the same command goes on from there"
            ) from None


def now() -> str:
    """The time for people; nothing depends on it."""
    with suppress(OverflowError, OSError):  # whatever the clock says
        return datetime.now(UTC).isoformat(timespec="seconds")
    return ""


def as_bytes(path: Path) -> bytes:
    """Path as the table stores it: names need not be text."""
    return os.fsencode(path)


def _job(row: sqlite3.Row) -> JobRow:
    fields = dict(zip(row.keys(), row, strict=True))
    return JobRow(**{**fields, "source": _path(fields["source"]), "output": _path(fields["output"])})


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name))
