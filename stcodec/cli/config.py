"""`stcodec config show COMMAND`: every option, its value, and where that comes from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from stcodec.cli.arguments import settings_of
from stcodec.cli.settings import options_of
from stcodec.cli.tables import aligned
from stcodec.errors import OptionsError
from stcodec.media.paths import display_name


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "config",
        help="show what files and presets set",
        description="Show every option of a command, its value, and where that comes from: the command line, a file, a "
        "preset or the default.",
    )
    command.add_argument("what", choices=("show",), help="the only thing that there is to do")
    command.add_argument("--json", action="store_true", help="JSON on stdout, an object")
    command.add_argument("command", metavar="COMMAND", help="encode, stream, batch, ...")
    command.add_argument("options", nargs=argparse.REMAINDER, metavar="OPTIONS", help="as they would be given to it")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    commands: Mapping[str, argparse.ArgumentParser] = arguments.commands
    known = {name: one for name, one in commands.items() if one.get_default("has_settings")}
    name = arguments.command
    if name not in known:
        raise OptionsError(f"config show {display_name(name)}: allowed are {', '.join(known)}", value=name)
    given, settings = settings_of(name, commands, arguments.options)
    rows = list(_rows(known[name], given, {key: (one.value, one.origin) for key, one in settings.items()}))
    if arguments.json:
        print(json.dumps({key: {"value": value, "from": origin} for key, value, origin in rows}, default=str))
    else:
        print(aligned([["option", "value", "from"], *([key, _text(value), origin] for key, value, origin in rows)]))
    return 0


def _rows(
    command: argparse.ArgumentParser, given: argparse.Namespace, settings: Mapping[str, tuple[Any, str]]
) -> Iterator[tuple[str, Any, str]]:
    for key, action in options_of(command).items():
        if hasattr(given, action.dest):
            yield key, getattr(given, action.dest), "command line"
        elif key in settings:
            yield key, *settings[key]
        else:
            yield key, action.default, "default"


def _text(value: object) -> str:
    if value is None or value in ([], ()):
        return "-"
    return display_name(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
