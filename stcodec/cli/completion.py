"""`stcodec completion SHELL`: the script with which a shell completes the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable

SHELLS = ("bash", "zsh", "fish")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "completion",
        help="completion of the command line in a shell",
        description="Print the script with which a shell completes commands, options, their values and names of files. zsh "
        "looks for a file _stcodec in a folder of its fpath.",
    )
    command.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    import shtab

    make: Callable[[], argparse.ArgumentParser] = arguments.top
    print(shtab.complete(with_files(make()), arguments.shell))
    return 0


def with_files(top: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser, with names of files where no other values are known."""
    import shtab

    places = dict.fromkeys(("DIR", "FOLDER"), shtab.DIRECTORY)
    files = ("FILE", "FILE.toml", "FILE.json", "FILE.html", "IN", "OUT", "MAP", "VIDEO", "SOURCE", "TARGET", "CLIPS")
    places |= dict.fromkeys(files, shtab.FILE)
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                with_files(command)
        elif action.metavar in places and action.choices is None:
            action.complete = places[action.metavar]  # type: ignore[attr-defined]
    return top
