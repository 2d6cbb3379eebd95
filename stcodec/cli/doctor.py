"""`stcodec doctor`: what works on this machine, and the reason where something does not."""

from __future__ import annotations

import argparse
import json

from stcodec.media.paths import display_name


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "doctor",
        help="what works on this machine",
        description="Try every encoder with offsets, find the sources of attention, and say why what is missing is missing.",
    )
    command.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Do it; exit status 0 if all that stcodec drives works, else 1."""
    from stcodec.pipeline.doctor import examine

    found = examine()
    if arguments.json:
        print(json.dumps(found, ensure_ascii=True))
    else:
        for title, rows in found.items():
            print(f"{title}:")
            for name, text in rows.items():
                print(f"  {display_name(name):16} {display_name(text)}")
    return 0 if all(text.startswith("ok") for text in found["encoders"].values()) else 1
