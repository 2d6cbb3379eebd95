"""Commands in process groups of their own, that get a signal at some instant: how and how soon they end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from command import ENVIRONMENT, Argument, program

_STEP_SECONDS = 0.01


@dataclass(frozen=True)
class End:
    """How a run ended."""

    status: int
    err: str
    seconds: float
    """After the signal; of a run that was over before, 0."""
    late_seconds: float
    """By how much this process woke too late meanwhile, all in all: the machine is crowded."""

    @property
    def was_over(self) -> bool:
        return self.seconds == 0.0

    @property
    def had_not_begun(self) -> bool:
        """Whether the interpreter was still at its own start: nothing of stcodec was at work."""
        broken = self.status in (-signal.SIGTERM, -signal.SIGHUP, -signal.SIGKILL) and self.err == ""
        python = "KeyboardInterrupt" in self.err and "/stcodec/" not in self.err
        return broken or (python and self.status in (-signal.SIGINT, 1))


def start(folder: Path, *arguments: Argument) -> subprocess.Popen[bytes]:
    """A command in a folder, with `tmp` there for temporary files, and stderr in a file `err`."""
    with (folder / "err").open("wb") as err:
        return subprocess.Popen(
            program(*arguments),
            cwd=folder,
            env={**ENVIRONMENT, "TMPDIR": str(folder / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,
        )


def end(
    process: subprocess.Popen[bytes], folder: Path, after_seconds: float, number: signal.Signals, *, to_all: bool = False
) -> End:
    """Send a signal after some time; to_all: to its children, too, as a terminal does."""
    seconds = late = 0.0
    try:
        process.wait(after_seconds)
    except subprocess.TimeoutExpired:
        begun = time.monotonic()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number) if to_all else process.send_signal(number)
        while process.poll() is None:
            slept = time.monotonic()
            time.sleep(_STEP_SECONDS)
            late += time.monotonic() - slept - _STEP_SECONDS
            assert slept - begun < 120, "it does not end"
        seconds = time.monotonic() - begun
    return End(process.returncode, (folder / "err").read_text(), seconds, late)


def group(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes of a command's group that are there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == process.pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def wait_until_alone(process: subprocess.Popen[bytes]) -> None:
    """Until all children of an ended command have ended, too."""
    until = time.monotonic() + 120
    while left := group(process):
        assert time.monotonic() < until, [Path(f"/proc/{one}/cmdline").read_text() for one in left]
        time.sleep(_STEP_SECONDS)
