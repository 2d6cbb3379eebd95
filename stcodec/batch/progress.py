"""Progress of a batch."""

from __future__ import annotations

import time

from stcodec.batch.listener import Listener
from stcodec.batch.table import JobRow, Table
from stcodec.progress import Progress


class BatchProgress:
    """Progress of a run by files; the time left by their size."""

    def __init__(self, table: Table, plan: int, listener: Listener) -> None:
        self._table = table
        self._plan = plan
        self._listener = listener
        self._started = time.monotonic()
        self._bytes = self._steps = 0
        self._ahead, self._bytes_ahead = self._waiting()

    def step(self, job: JobRow, what: str) -> None:
        """Another file is done with; what: as in `tell`."""
        self._listener.finished(job)
        self._steps += 1
        self._bytes += job.source_bytes
        self.tell(what)

    @property
    def bytes_left(self) -> int:
        """Bytes of the sources that are not done."""
        return max(0, self._bytes_ahead - self._bytes)

    def tell(self, what: str) -> None:
        """Report the progress; what: the file that is at work, and what is done of it."""
        left = self.bytes_left
        elapsed = time.monotonic() - self._started
        seconds = elapsed / self._bytes * left if self._bytes else None
        self._listener.progress(Progress("files", self._steps, self._ahead, seconds, what))

    def _waiting(self) -> tuple[int, int]:
        asked = "SELECT COUNT(*), COALESCE(SUM(source_bytes), 0) FROM jobs WHERE plan = ? AND state = 'waiting'"
        count, size = self._table.ask(asked, self._plan)[0]
        return int(count), int(size)
