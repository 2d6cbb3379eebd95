"""The command `stcodec`: parse, call, print. stdout is data, stderr is for people."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import stcodec
from stcodec.cli import batch, compare, doctor, encode, evaluate, inspect, maps, stream, verify
from stcodec.cli.options import add_limit_flags, use_limits
from stcodec.cli.streams import forgiving_streams
from stcodec.errors import OptionsError, StcodecError
from stcodec.media.paths import display_name

EXIT_FAILED, EXIT_USAGE = 1, 2


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status, as of `stcodec.cli.main`."""
    # Encoders take all cores: a second set of threads, numpy's, makes small matrix products forty times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with forgiving_streams() as lost:
        try:
            parsed = parser().parse_args(arguments)
            use_limits(parsed)
            status: int = parsed.run(parsed)
        except OptionsError as error:
            status = _fail(error, EXIT_USAGE)
        except (StcodecError, OSError) as error:  # OSError: no place for temporary files
            status = _fail(error, EXIT_FAILED)
        except Exception as error:
            if not _lacks_memory(error):
                raise
            status = _fail(f"there is not enough memory ({error})", EXIT_FAILED)
        sys.stdout.flush()
        if lost.error is None or isinstance(lost.error, BrokenPipeError):  # who read stdout has seen enough
            return status
        return max(status, _fail(f"stdout can't be written ({lost.error.strerror}): the rest was done", EXIT_FAILED))


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(prog="stcodec", description="Smaller video of the same quality where people look.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"stcodec {stcodec.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (encode, stream, batch, maps, verify, evaluate, compare, inspect, doctor):
        module.add_command(commands)
    for command in commands.choices.values():
        add_limit_flags(command)
    return top


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(f"{message}; `{self.prog} --help` shows what there is", EXIT_USAGE))


def _lacks_memory(error: Exception) -> bool:
    """Whether memory was missing for an array, a library or a thread, for which Python has no class of its own."""
    is_library = isinstance(error, ImportError) and error.path is not None and not isinstance(error, ModuleNotFoundError)
    return isinstance(error, MemoryError) or is_library or str(error) == "can't start new thread"


def _fail(reason: object, status: int) -> int:
    print(f"stcodec: {display_name(str(reason))}", file=sys.stderr)
    return status
