"""The command `stcodec`: parse, call, print. stdout is data, stderr is for people."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import stcodec
from stcodec.cli import batch, compare, doctor, encode, evaluate, inspect, maps, stream, verify
from stcodec.cli.interrupts import EXIT_INTERRUPTED, SAID
from stcodec.errors import OptionsError, StcodecError
from stcodec.media.paths import display_name

EXIT_FAILED, EXIT_USAGE = 1, 2


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status, as of `stcodec.cli.main`."""
    # Encoders take all cores: a second set of threads, numpy's, makes small matrix products forty times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        parsed = parser().parse_args(arguments)
        status: int = parsed.run(parsed)
        sys.stdout.flush()
        return status
    except BaseException as error:
        ended = _ended_by(error)
        if ended is None:
            raise
        return ended


def _ended_by(error: BaseException) -> int | None:
    """Say why the run ended; its exit status. None for what is not ours to explain."""
    if isinstance(error, OptionsError):
        return _fail(error, EXIT_USAGE)
    if isinstance(error, StcodecError):
        return _fail(error, EXIT_FAILED)
    if isinstance(error, KeyboardInterrupt):
        print(SAID, file=sys.stderr)
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read stdout has gone; what is still in its buffer must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    if isinstance(error, OSError):  # stdout on a full disk, no place for temporary files
        return _fail(error, EXIT_FAILED)
    return None


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="stcodec", description="Smaller video of the same quality where people look.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"stcodec {stcodec.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (encode, stream, batch, maps, verify, evaluate, compare, inspect, doctor):
        module.add_command(commands)
    return top


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(f"{message}; `{self.prog} --help` shows what there is", EXIT_USAGE))


def _fail(reason: object, status: int) -> int:
    print(f"stcodec: {display_name(str(reason))}", file=sys.stderr)
    return status
