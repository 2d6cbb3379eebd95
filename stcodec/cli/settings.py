"""Settings: options from files and presets, put before those of the command line, which win.

A file is TOML: names of options as on the command line, for all commands that have them, or in the table of one command;
`use` names a preset, and a table below `presets` is one. An explicit flag wins over a file, a file over a preset, and that
over the default. With `--config` only that file is read; else `stcodec.toml` in the working folder, over the one in the
user's configuration folder.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stcodec.errors import OptionsError
from stcodec.media.paths import display_name, file_error

NAME = "stcodec.toml"
PRESETS = Path(__file__).with_name("presets.toml")
"""Those of the package, as a file: a table for each."""
ONLY_EXPLICIT = frozenset(
    [
        "allow-origin",
        "allow-playlists",
        "dashboard",
        "metrics",
        "on-done",
        "overwrite",
        "ray",
        "replace",
        "serve",
        "token-file",
    ]
)
"""Options that no file sets that was not named with --config: they run programs, listen, follow files, or replace files."""
_FROM_FOLDER = """anchor arms attention audio audio-bitrate audio-track bitrate bufsize crf crop deinterlace encoder exclude
    faststart floor fps frames half include instants key-at-cuts keyint ladder levels match-crf match-metric match-tolerance
    match-verify max-delta-qp max-latency maxrate min-delta-qp min-saving observers part-seconds pix-fmt policy preset quiet
    rendition scale smoothing step-qp strength strip-location subtitles target two-pass verify viewing-distance"""
ALSO_FROM_FOLDER = frozenset(_FROM_FOLDER.split())
"""Options that a file in the working folder may set, whoever put it there: no names of files, no words for libraries."""
_OWN_SOURCES = re.compile(r"[-0-9.*+() ]*((neural(:[\w=.,]*)?|motion|center|none|plain|human)[-0-9.*+(), ]*)+")
_META = ("help", "version", "config", "use")


@dataclass(frozen=True)
class SettingsLayer:
    """A source of settings."""

    origin: str
    """A file as the user knows it, or "preset NAME"."""
    table: Mapping[str, Any]
    trust: str
    """"explicit", "user" (of the user's configuration folder) or "folder" (of the working folder)."""


@dataclass(frozen=True)
class Setting:
    """A value for an option, and where it comes from."""

    value: Any
    origin: str
    trust: str = "explicit"


def add_settings_flags(command: argparse.ArgumentParser) -> None:
    """Flags of every command whose options can be set in files."""
    group = command.add_argument_group("settings", "Flags win over files, files over presets (docs/settings.md).")
    group.add_argument("--config", metavar="FILE.toml", help=f"options from this file alone; else from {NAME} here, if any")
    group.add_argument("--use", metavar="PRESET", help="archive, web, live, evaluate-quick, or one of your own")


def options_of(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options of a command by the names that files know them by."""
    found: dict[str, argparse.Action] = {}
    for action in command._actions:
        names = [one.removeprefix("--") for one in action.option_strings if one.startswith("--")]
        name = (names or [action.dest])[0]
        if action.option_strings and name not in _META:
            found[name] = action
    return found


def resolve(name: str, commands: Mapping[str, argparse.ArgumentParser], given: argparse.Namespace) -> dict[str, Setting]:
    """The settings of a command beside those that were given: by option, what files and presets say.

    given: what the command line itself says. Raises OptionsError for a name that is none, a wrong value, and an option that
    such a file may not set; MediaError for a file that can't be read.
    """
    layers = list(_files(getattr(given, "config", None)))
    for layer in layers:
        _check_names(layer, commands)
    wanted = getattr(given, "use", None) or next(
        (one for layer in layers for one in (_own(layer, name).get("use"),) if one is not None), None
    )
    if wanted is not None:
        layers.append(_preset(wanted, layers))
        _check_names(layers[-1], commands)
    options = options_of(commands[name])
    settings: dict[str, Setting] = {}
    for layer in layers:
        for key, value in _own(layer, name).items():
            if (
                key == "use"
                or key not in options
                or key in settings
                or _is_decided(options[key], commands[name], given, settings)
            ):
                continue
            _check_trust(layer, key, value)
            list(_words(options[key], key, Setting(value, layer.origin)))  # raises for a wrong value
            settings[key] = Setting(value, layer.origin, layer.trust)
    return settings


def words_of(settings: Mapping[str, Setting], command: argparse.ArgumentParser) -> list[str]:
    """Settings as words of a command line."""
    options = options_of(command)
    return [word for key, one in settings.items() for word in _words(options[key], key, one)]


def _is_decided(
    action: argparse.Action, command: argparse.ArgumentParser, given: argparse.Namespace, settings: Mapping[str, Setting]
) -> bool:
    """Whether the command line, or what wins over this layer, says it already, or says what excludes it."""
    rivals = [
        one for group in command._mutually_exclusive_groups if action in group._group_actions for one in group._group_actions
    ]
    options = options_of(command)
    said = {options[key].dest for key in settings}
    return any(hasattr(given, one.dest) or one.dest in said for one in (action, *rivals))


def _files(config: str | None) -> Iterator[SettingsLayer]:
    if config is not None:
        yield SettingsLayer(display_name(config), _read(Path(config)), "explicit")
        return
    import platformdirs

    here = Path(NAME)
    if here.is_file():
        yield SettingsLayer(NAME, _read(here), "folder")
    own = platformdirs.user_config_path("stcodec") / NAME
    if os.access(own, os.F_OK) and own.is_file():  # no access: it is in the folder of another user
        yield SettingsLayer(display_name(own), _read(own), "user")


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise file_error(path, "can't be read", error) from None
    except ValueError as error:  # of TOML, or of its encoding
        raise OptionsError(f"{display_name(path)}: is no TOML ({error})", path=path) from None


def _own(layer: SettingsLayer, command: str) -> dict[str, Any]:
    """Values that a layer has for a command; its own table wins over what is said to all."""
    for_all = {key: value for key, value in layer.table.items() if not isinstance(value, dict)}
    for_one: dict[str, Any] = layer.table.get(command, {})
    return for_all | for_one


def _preset(name: object, layers: Iterable[SettingsLayer]) -> SettingsLayer:
    own = {one: layer for layer in reversed(list(layers)) for one in layer.table.get("presets", {})}
    if isinstance(name, str) and name in own:
        return SettingsLayer(f"preset {name} of {own[name].origin}", own[name].table["presets"][name], own[name].trust)
    known = _read(PRESETS)
    if not isinstance(name, str) or name not in known:
        raise OptionsError(f"preset {name!r}: there is none of that name{_nearest(str(name), [*own, *known])}", value=name)
    return SettingsLayer(f"preset {name}", known[name], "explicit")


def _check_names(layer: SettingsLayer, commands: Mapping[str, argparse.ArgumentParser]) -> None:
    """Raise OptionsError for an option or a command that doesn't exist; one that some other command has is none here."""
    of_all = {key for command in commands.values() for key in options_of(command)} | {"use"}
    for key, value in layer.table.items():
        if key == "presets" and not layer.origin.startswith("preset "):
            if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
                raise OptionsError(f"{layer.origin}: presets: write a table for each, [presets.NAME]")
            for name, table in value.items():
                _check_names(SettingsLayer(f"preset {name} of {layer.origin}", table, layer.trust), commands)
        elif isinstance(value, dict):
            if key not in commands:
                raise OptionsError(
                    f"{layer.origin}: [{key}]: there is no such command{_nearest(key, [*commands, 'presets'])}"
                )
            for option in value:
                _check_option(layer.origin, f"[{key}] ", option, options_of(commands[key]).keys() | {"use"})
        else:
            _check_option(layer.origin, "", key, of_all)


def _check_option(origin: str, place: str, key: str, known: Iterable[str]) -> None:
    if key not in known:
        raise OptionsError(f"{origin}: {place}{display_name(key)}: there is no such option{_nearest(key, known)}", value=key)


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant; None if none is near."""
    import difflib

    return next(iter(difflib.get_close_matches(text, sorted(known), 1, 0.5)), None)


def _nearest(text: str, known: Iterable[str]) -> str:
    near = nearest(text, known)
    return f": there are {', '.join(sorted(known))}" if near is None else f"; the nearest is {near}"


def _check_trust(layer: SettingsLayer, key: str, value: object) -> None:
    if layer.trust == "explicit":
        return
    named = f"{layer.origin}: {key}: "
    if key in ONLY_EXPLICIT:
        raise OptionsError(f"{named}is taken from the command line, or from a file that --config names, only", value=key)
    if layer.trust != "folder":
        return
    texts = [str(one) for one in (value if isinstance(value, list) else [value])]
    names_source = key in ("attention", "arms") and not all(_OWN_SOURCES.fullmatch(one) for one in texts)
    if key not in ALSO_FROM_FOLDER or names_source:
        what = f"{texts[0]!r} names a file or another package's source, and " if names_source else ""
        raise OptionsError(
            f"{named}{what}a file found in the working folder may not set it, whoever put it there: give --config {NAME} "
            "if you trust it",
            value=key,
        )


def _words(action: argparse.Action, key: str, setting: Setting) -> Iterator[str]:
    """The words that say a value. Raises OptionsError for a wrong one."""
    name, value, origin = action.option_strings[-1] if action.nargs == 0 else f"--{key}", setting.value, setting.origin
    if action.nargs == 0:  # a switch
        if not isinstance(value, bool):
            raise OptionsError(f"{origin}: {key} = {value!r}: allowed are true and false", value=value)
        if isinstance(action, argparse.BooleanOptionalAction):
            yield f"--{key}" if value else f"--no-{key}"
        elif value:
            yield name
        return
    is_list = isinstance(value, list)
    if is_list and not isinstance(action, argparse._AppendAction):
        raise OptionsError(f"{origin}: {key}: one value is allowed, not a list", value=value)
    for given in value if is_list else [value]:
        one = action.const if given is True and action.nargs == "?" else given
        if isinstance(one, bool) or not isinstance(one, str | int | float):
            raise OptionsError(f"{origin}: {key} = {one!r}: a number or a text is allowed", value=one)
        yield f"--{key}={_checked(action, str(one), f'{origin}: {key} = {one!r}')}"


def _checked(action: argparse.Action, text: str, said: str) -> str:
    """The text of a value that an option takes."""
    try:
        known: Any = action.type(text) if callable(action.type) else text
    except argparse.ArgumentTypeError as error:
        raise OptionsError(f"{said}: {error}", value=text) from None
    except (ValueError, TypeError):
        raise OptionsError(f"{said} is no such value", value=text) from None
    if action.choices is not None and known not in action.choices:
        raise OptionsError(f"{said}: allowed are {', '.join(map(str, action.choices))}", value=text)
    return text
