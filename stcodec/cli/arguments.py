"""A command line with the settings that files and presets add to it."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping, Sequence

from stcodec.cli.settings import Setting, nearest, resolve, words_of


def given_by(command: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """The options of a command that words give, and only those. Exits where they can't be understood."""
    bare = copy.deepcopy(command)
    bare._actions = [action for action in bare._actions if action.option_strings]
    for action in bare._actions:
        action.default, action.required = argparse.SUPPRESS, False
    bare._defaults.clear()
    vars(bare)["print_help"] = command.print_help  # with the defaults, which help texts name
    return bare.parse_known_args(words)[0]


def settings_of(
    name: str, commands: Mapping[str, argparse.ArgumentParser], words: Sequence[str]
) -> tuple[argparse.Namespace, dict[str, Setting]]:
    """Options that words give to a command, and those that files and presets add. Raises as `resolve` does."""
    given = given_by(commands[name], words)
    return given, resolve(name, commands, given)


def parse(
    top: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser], arguments: Sequence[str]
) -> argparse.Namespace:
    """Parsed arguments, with the settings; `settings` says which, `words` is the whole command line."""
    words, settings = list(arguments), dict[str, Setting]()
    command = commands.get(words[0]) if words else None
    if command is not None and command.get_default("has_settings"):
        _, settings = settings_of(words[0], commands, words[1:])
        words[1:1] = words_of(settings, command)
    parsed, rest = top.parse_known_args(words)
    if command is not None:
        rest = _fill(parsed, command, rest)
    if rest:
        (command or top).error(f"unrecognized arguments: {' '.join(rest)}{_nearest(command or top, rest)}")
    parsed.settings, parsed.words = settings, words
    return parsed


def _nearest(command: argparse.ArgumentParser, rest: Sequence[str]) -> str:
    """The option that was probably meant, in words; empty where none is near."""
    options = [name for action in command._actions for name in action.option_strings]
    near = [nearest(word.split("=")[0], options) for word in rest if word.startswith("--")]
    return next((f": the nearest to it is {name}" for name in near if name), "")


def _fill(parsed: argparse.Namespace, command: argparse.ArgumentParser, rest: list[str]) -> list[str]:
    """Give names behind an option to positionals that may be missing: argparse takes those for missing. What is left."""
    for action in command._actions:
        is_missing = not action.option_strings and action.nargs == "?" and getattr(parsed, action.dest, "") is None
        if is_missing and rest and (rest[0] == "-" or not rest[0].startswith("-")):
            setattr(parsed, action.dest, rest[0])
            rest = rest[1:]
    return rest
