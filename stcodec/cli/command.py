"""The command `stcodec`: parse, call, print. stdout is data, stderr is for people."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import stcodec
from stcodec.cli import batch, compare, completion, config, doctor, encode, evaluate, inspect, maps, preview, stream, verify
from stcodec.cli.arguments import parse
from stcodec.cli.examples import add_examples
from stcodec.cli.options import add_limit_flags, use_limits
from stcodec.cli.settings import add_settings_flags
from stcodec.cli.streams import forgiving_streams
from stcodec.errors import OptionsError, StcodecError
from stcodec.media.paths import display_name

EXIT_FAILED, EXIT_USAGE = 1, 2
_FIRST_STEPS = """first steps:
  stcodec preview in.mp4          what would happen, on a page, in about 10 seconds
  stcodec encode in.mp4           in-stcodec.mp4 beside it
  stcodec doctor                  what works on this machine
  stcodec encode --help           all of a command's options, and examples"""


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status, as of `stcodec.cli.main`."""
    # Encoders take all cores: a second set of threads, numpy's, makes small matrix products forty times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with forgiving_streams() as lost:
        try:
            given = sys.argv[1:] if arguments is None else arguments
            top, commands = parsers()
            if not given:
                top.print_help()
                return 0
            parsed = parse(top, commands, given)
            _say_settings(parsed)
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
    return parsers()[0]


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The whole command line, and each command."""
    top = _Parser(
        prog="stcodec",
        description="Smaller video of the same quality where people look.",
        epilog=_FIRST_STEPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"stcodec {stcodec.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (encode, preview, stream, batch, maps, verify, evaluate, compare, inspect, config, completion, doctor):
        module.add_command(commands)
        list(commands.choices.values())[-1].set_defaults(run=module.run)
    for name, command in commands.choices.items():
        add_examples(name, command)
        if name not in ("config", "completion"):
            add_limit_flags(command)
            add_settings_flags(command)
            command.set_defaults(has_settings=True)
    commands.choices["completion"].set_defaults(top=parser)
    commands.choices["config"].set_defaults(commands=commands.choices)
    return top, dict(commands.choices)


def _say_settings(parsed: argparse.Namespace) -> None:
    """Say what a file sets that was not named, as it may have been forgotten."""
    found: dict[str, list[str]] = {}
    for key, one in parsed.settings.items():
        if one.trust != "explicit":
            found.setdefault(one.origin, []).append(f"{key} = {one.value}")
    if not getattr(parsed, "quiet", False):
        for origin, said in found.items():
            print(f"stcodec: {display_name(origin)} sets {display_name(', '.join(said))}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and says what is wrong in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(f"{message}; `{self.prog} --help` shows what there is", EXIT_USAGE))


def _lacks_memory(error: Exception) -> bool:
    """Whether memory was missing for an array, a library or a thread, for which Python has no class of its own."""
    is_library = isinstance(error, ImportError) and error.path is not None and not isinstance(error, ModuleNotFoundError)
    return isinstance(error, MemoryError) or is_library or str(error) == "can't start new thread"


def _fail(reason: object, status: int) -> int:
    print(f"stcodec: {display_name(str(reason))}", file=sys.stderr)
    return status
