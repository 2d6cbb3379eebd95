"""`stcodec inspect VIDEO`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec.cli.options import (
    ATTENTION_HELP,
    add_device_flag,
    add_output_flags,
    add_smoothing_flag,
    add_view_flags,
    from_flags,
    on_device,
    say_device,
    view_of,
)
from stcodec.cli.progress_bar import counted, shown
from stcodec.media.paths import display_name
from stcodec.options import DEFAULT_ATTENTION

if TYPE_CHECKING:
    from stcodec.diagnose.results import InspectReport

_STYLES = ("overlay", "contour", "side-by-side")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "inspect",
        help="see what attention does over time, and where it fails",
        description="Look at the attention maps of a video over time: named faults with their moments, a page, the video "
        "with the maps in it.",
    )
    command.add_argument("source", metavar="VIDEO")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--attention", metavar="SOURCE", help=f"{ATTENTION_HELP}, or a checkpoint: FILE.safetensors")
    which.add_argument("--compare", nargs=2, metavar=("A", "B"), help="two sources or checkpoints instead of one")
    add_device_flag(command)
    command.add_argument("--report", type=Path, metavar="OUT.html", help="write a page that opens offline")
    command.add_argument("--video", type=Path, metavar="OUT.mp4", help="write the video with the maps in it, audio kept")
    command.add_argument("--style", choices=_STYLES, default=_STYLES[0], help="of that video (%(default)s)")
    command.add_argument(
        "--encode", type=Path, metavar="FILE", help="an encode of VIDEO: its QP, and whether attention moved"
    )
    command.add_argument("--gaze", type=Path, metavar="FILE.csv", help="recorded fixations to score the maps by")
    add_smoothing_flag(command, 0.0)
    command.add_argument(
        "--moments",
        type=int,
        default=2,
        metavar="N",
        help="moments that the page shows with other windows and balances of the network (%(default)s)",
    )
    add_view_flags(command)
    add_output_flags(command)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from stcodec.diagnose import InspectOptions, inspect

    say_device(arguments.device)
    texts = arguments.compare or [arguments.attention or DEFAULT_ATTENTION]
    sources = [on_device(text, arguments.device) for text in texts]
    against = sources[1] if arguments.compare else None
    options = from_flags(InspectOptions, arguments, attention=sources[0], against=against, view=view_of(arguments))
    with shown(arguments, arguments.source) as sink:
        report = inspect(arguments.source, options, progress=sink)
    if arguments.json:
        print(json.dumps({"event": "report", **report.to_dict()}), flush=True)
    elif not arguments.quiet:
        _show(report)
    return 0


def _show(report: InspectReport) -> None:
    """Findings are data and go to stdout; what was done goes to stderr."""
    titles = {fault.name: fault.title for fault in report.faults}
    several = len(report.subjects) > 1
    for subject in report.subjects:
        source = f"{display_name(subject.attention)}\t" if several else ""
        for one in (*subject.ranked, *subject.findings):
            print(f"{source}{one.start_seconds:.2f}-{one.end_seconds:.2f} s\t{titles[one.fault]}\t{display_name(one.text)}")
    found = ", ".join(f"{len(one.findings)} findings with {one.attention}" for one in report.subjects)
    maps, frames, shots = counted(report.instants, "map"), counted(report.frames, "frame"), counted(report.shots, "shot")
    summary = f"{maps} of {frames} in {shots}: {found}"
    for line in (summary, *report.notes, *(f"written: {one}" for one in report.outputs)):
        print(display_name(line), file=sys.stderr)
