"""Hooks: the command that is run for every finished file, without a shell, the file's name as its last argument.

It is run at least once for each file: one that was broken off is run again by the next run.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stcodec import interrupts
from stcodec.batch.listener import Listener
from stcodec.batch.outputs import Results
from stcodec.batch.table import JobRow, Table
from stcodec.errors import OptionsError
from stcodec.media.paths import display_name

DUE, DONE = "due", "done"
"""Values of the column `hook`; any other is the reason why the command failed."""


def command_words(text: str) -> tuple[str, ...]:
    """The words of a command. Raises OptionsError if there is none, or no such program."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise OptionsError(f"--on-done {text!r}: {error}", value=text) from None
    if not words or shutil.which(words[0]) is None:
        raise OptionsError(
            f"--on-done {text!r}: there is no program of that name that can be run (no shell is used)", value=text
        )
    return words


@dataclass
class Hooks:
    """Commands that are running."""

    words: tuple[str, ...]
    """Empty = nothing is run."""
    source_name: Callable[[Path], str]
    """Name of a source for programs."""
    results: Results
    table: Table
    listener: Listener
    most: int
    """At a time."""
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    """By the number of the job."""

    def begin(self, job: JobRow) -> None:
        """Run the command for a file that is done; waits while too many are running."""
        if not self.words:
            return
        while len(self._running) >= self.most:
            self._reap(wait=True)
        names = {"STCODEC_SOURCE": self.source_name(job.source), "STCODEC_OUTPUT": self.results.full_name(job.output)}
        try:
            self._running[job.id] = subprocess.Popen(
                [*self.words, names["STCODEC_OUTPUT"]],
                env={**os.environ, **names},
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),  # our own stdout is data
            )
        except OSError as error:
            self._note(job.id, f"can't be run ({error.strerror})")

    def finish(self) -> None:
        """Wait for all of them."""
        while self._running:
            self._reap(wait=True)

    def look(self) -> None:
        """Note those that have ended."""
        self._reap(wait=False)

    def stop(self) -> None:
        """End those that still run; they are due again."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()
        self._running.clear()

    def _reap(self, *, wait: bool) -> None:
        if wait:
            interrupts.check()
            with suppress(subprocess.TimeoutExpired):
                next(iter(self._running.values())).wait(interrupts.POLL_SECONDS)
        for job, process in list(self._running.items()):
            status = process.poll()
            if status is not None:
                del self._running[job]
                self._note(job, DONE if status == 0 else f"ended with status {status}")

    def _note(self, job: int, what: str) -> None:
        self.table.update(job, hook=what)
        if what != DONE:
            row = self.table.row("id = ?", job)
            name = "" if row is None else display_name(row.output)
            self.listener.note(f"--on-done failed: {name}: {what}")
