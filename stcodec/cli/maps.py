"""`stcodec maps IN OUT.mkv`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from stcodec.cli.options import (
    ATTENTION_HELP,
    add_device_flag,
    add_output_flags,
    add_policy_flags,
    add_view_flags,
    on_device,
    policy_of,
    say_device,
    view_of,
)
from stcodec.cli.progress_bar import counted, shown
from stcodec.options import DEFAULT_ATTENTION


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "maps",
        help="write the saliency maps of a video as a video",
        description="Write the saliency maps of a video as gray FFV1 in Matroska: any player shows it, map:FILE reads it.",
    )
    command.add_argument("source", metavar="IN")
    command.add_argument("output", metavar="OUT")
    command.add_argument("--attention", default=DEFAULT_ATTENTION, metavar="SOURCE", help=ATTENTION_HELP)
    add_device_flag(command)
    command.add_argument(
        "--export",
        metavar="FORMAT",
        help="write what other encoders read instead: svt-roi, kvazaar-roi, x265-gaze, x264-saliency, json-rects",
    )
    add_policy_flags(command.add_argument_group("offsets, with --export"))
    add_view_flags(command)
    add_output_flags(command)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from stcodec.pipeline.export import export_maps
    from stcodec.pipeline.maps import maps

    say_device(arguments.device)
    policy = policy_of(arguments)
    with shown(arguments, arguments.source) as sink:
        common = {
            "attention": on_device(arguments.attention, arguments.device),
            "overwrite": arguments.overwrite,
            "keep_partial": arguments.keep_partial,
            "view": view_of(arguments),
            "progress": sink,
        }
        files = (arguments.source, arguments.output)
        if arguments.export is None:
            report = maps(*files, smoothing_seconds=policy.smoothing_seconds, **common)
        else:
            report = export_maps(*files, arguments.export, policy=policy, **common)
    if arguments.json:
        print(json.dumps({"event": "report", **dataclasses.asdict(report)}), flush=True)
    elif not arguments.quiet:
        sure = "" if report.confidence is None else f", expected NSS {report.confidence:.1f}"
        found = f"{counted(report.maps, 'map')} of {counted(report.frames, 'frame')} in {counted(report.shots, 'shot')}"
        print(f"{found}{sure}: {report.output}", file=sys.stderr)
        for message in report.messages:
            print(f"note: {message}", file=sys.stderr)
    return 0
