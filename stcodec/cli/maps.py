"""`stcodec maps IN OUT.mkv`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from stcodec.cli.options import (
    ATTENTION_HELP,
    add_device_flag,
    add_output_flags,
    add_smoothing_flag,
    add_view_flags,
    on_device,
    say_device,
    view_of,
)
from stcodec.cli.progress_bar import ProgressBar, json_progress
from stcodec.options import DEFAULT_ATTENTION, OffsetPolicy

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_command(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "maps",
        help="write the saliency maps of a video as a video",
        description="Write the saliency maps of a video as gray FFV1 in Matroska: any player shows it, map:FILE reads it.",
        allow_abbrev=False,
    )
    command.add_argument("source", metavar="IN")
    command.add_argument("output", metavar="OUT.mkv")
    command.add_argument("--attention", default=DEFAULT_ATTENTION, metavar="SOURCE", help=ATTENTION_HELP)
    add_device_flag(command)
    add_smoothing_flag(command, OffsetPolicy().smoothing_seconds)
    add_view_flags(command)
    add_output_flags(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from stcodec.pipeline.maps import maps

    say_device(arguments.device)
    with ProgressBar(enabled=not (arguments.quiet or arguments.json), source=arguments.source) as bar:
        report = maps(
            arguments.source,
            arguments.output,
            attention=on_device(arguments.attention, arguments.device),
            smoothing_seconds=arguments.smoothing_seconds,
            overwrite=arguments.overwrite,
            keep_partial=arguments.keep_partial,
            view=view_of(arguments),
            progress=json_progress if arguments.json else bar.show,
        )
    if arguments.json:
        print(json.dumps({"event": "report", **dataclasses.asdict(report)}), flush=True)
    elif not arguments.quiet:
        print(f"{report.maps} maps of {report.frames} frames in {report.shots} shots: {report.output}", file=sys.stderr)
    return 0
