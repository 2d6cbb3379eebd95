"""Who watches a batch."""

from __future__ import annotations

from stcodec.batch.table import JobRow
from stcodec.progress import Progress


class Listener:
    """Hears of nothing; a watcher overrides what it wants to hear of."""

    def note(self, text: str) -> None:
        """A line for people: a file that is passed over, or made again."""

    def progress(self, progress: Progress) -> None:
        """How far the run is."""

    def finished(self, job: JobRow) -> None:
        """A file is done with, well or not."""
