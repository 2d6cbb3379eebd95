"""The command `stcodec`: parse, call, print. stdout is data, stderr is for people."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import stcodec
from stcodec.cli import batch, compare, doctor, encode, evaluate, inspect, maps, stream
from stcodec.errors import OptionsError, StcodecError
from stcodec.media.paths import display_name

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
_CLEAN_UP_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0 done, 1 failed, 2 usage, 3 some failed, 130 interrupted."""
    # Encoders take all cores: a second set of threads, numpy's, makes small matrix products forty times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with _Interrupts():
        try:
            parsed = parser().parse_args(arguments)
            status: int = parsed.run(parsed)
            sys.stdout.flush()
            return status
        except OptionsError as error:
            return _fail(error, EXIT_USAGE)
        except StcodecError as error:
            return _fail(error, EXIT_FAILED)
        except KeyboardInterrupt:
            return _fail("interrupted; nothing was left behind", EXIT_INTERRUPTED)
        except BrokenPipeError:
            # Whoever read stdout has gone; what is still in its buffer must not fail once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_FAILED
        except OSError as error:  # stdout on a full disk, no place for temporary files
            return _fail(error, EXIT_FAILED)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="stcodec", description="Smaller video of the same quality where people look.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"stcodec {stcodec.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (encode, stream, batch, maps, evaluate, compare, inspect, doctor):
        module.add_command(commands)
    return top


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(f"{message}; `{self.prog} --help` shows what there is", EXIT_USAGE))


class _Interrupts:
    """Ctrl-C, SIGTERM and a closed terminal raise KeyboardInterrupt, once: the next seconds belong to the clean-up."""

    def __enter__(self) -> None:
        self._until = 0.0
        self._before = {
            number: signal.signal(number, self._interrupt)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) != signal.SIG_IGN  # as nohup wants it
        }

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, _: int, __: FrameType | None) -> None:
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + _CLEAN_UP_SECONDS
            raise KeyboardInterrupt


def _fail(reason: object, status: int) -> int:
    print(f"stcodec: {display_name(str(reason))}", file=sys.stderr)
    return status
