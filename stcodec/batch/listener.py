"""Interface of whatever watches a batch."""

from __future__ import annotations

from stcodec.batch.table import JobRow
from stcodec.progress import Progress


class Listener:
    """A listener that ignores everything; a watcher overrides what it wants to be told."""

    def note(self, text: str) -> None:
        """A line for people: a file that is passed over, or made again."""

    def progress(self, progress: Progress) -> None:
        """Progress of the run."""

    def finished(self, job: JobRow) -> None:
        """A file is done with, well or not."""
