"""`stcodec encode IN OUT`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec.cli.options import (
    add_attention_flags,
    add_keep_flags,
    add_output_flags,
    add_search_flags,
    add_verify_flag,
    add_video_flags,
    add_view_flags,
    encode_options,
    from_flags,
    goal_of,
    say_device,
)
from stcodec.cli.pipes import PIPE, piped_input, piped_output
from stcodec.cli.progress_bar import shown
from stcodec.cli.show import summary
from stcodec.cli.unguided import without_map
from stcodec.errors import OptionsError
from stcodec.media.paths import display_name, free_name
from stcodec.options import EncodeOptions, RunOptions

if TYPE_CHECKING:
    from stcodec.matching.options import MatchOptions
    from stcodec.progress import ProgressSink
    from stcodec.report import EncodeReport

_CONTAINERS = (".mp4", ".mkv", ".mov", ".webm", ".ts")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "encode",
        help="encode one video",
        description="Encode one video with quality where viewers look. Everything else in the file is copied.",
    )
    command.add_argument("source", metavar="IN", help="a file, or - for stdin")
    command.add_argument(
        "output",
        metavar="OUT",
        nargs="?",
        help="the ending chooses the container: .mp4, .mkv, .mov, .webm, .ts; - for stdout; default: beside IN, as "
        "IN-stcodec.mp4 or a name that is free",
    )
    command.add_argument("--container", choices=("mkv", "mp4"), help="of what goes to stdout (mkv)")
    add_video_flags(command)
    add_view_flags(command)
    add_attention_flags(command)
    add_keep_flags(command)
    add_search_flags(command)
    add_output_flags(command)
    command.add_argument("--report", metavar="FILE.json", help="also write the report to a file")
    command.add_argument("--dry-run", action="store_true", help="check everything, say what would be done, write nothing")
    add_verify_flag(command)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    say_device(arguments.device)
    arguments.fragmented |= arguments.output == PIPE  # readers of pipes can't go to an index at the end
    options, goal = without_map(arguments, encode_options(arguments), goal_of(arguments))
    running = from_flags(RunOptions, arguments, report_path=arguments.report)
    if arguments.output is None:
        arguments.output = _own_name(arguments.source)
        if not arguments.quiet:
            print(f"stcodec: no OUT is given: {display_name(arguments.output)}", file=sys.stderr)
    if arguments.container is not None and arguments.output != PIPE:
        raise OptionsError(
            f"--container {arguments.container}: goes with - only; the ending of {display_name(arguments.output)} chooses "
            "the container",
            value=arguments.container,
        )
    if arguments.dry_run:
        return _dry_run(arguments, options, running, goal)
    if arguments.json and arguments.output == PIPE:
        raise OptionsError("--json and - both write to stdout: use --report FILE.json")
    with (
        piped_input(arguments.source, says=not arguments.quiet) as source,
        piped_output(arguments.output, arguments.container) as output,
        shown(arguments, source) as sink,
    ):
        report = _encode(source, output, options, running, goal, sink)
    if arguments.json:
        print(json.dumps({"event": "report", **json.loads(report.to_json())}), flush=True)
    elif not arguments.quiet:
        print(summary(report), file=sys.stderr)
    return 0


def _own_name(source: str) -> str:
    """A name beside a source under which there is nothing: with its ending, if that is a container's, else .mkv."""
    if source == PIPE:
        raise OptionsError("- has no name of its own: give OUT, too")
    path = Path(source)
    ending = path.suffix if path.suffix.lower() in _CONTAINERS else ".mkv"
    return str(free_name(path.with_name(f"{path.stem}-stcodec{ending}")))


def _encode(
    source: str,
    output: str,
    options: EncodeOptions,
    running: RunOptions,
    goal: MatchOptions | None,
    sink: ProgressSink,
) -> EncodeReport:
    if goal is None:
        from stcodec.media.memory import return_large_blocks
        from stcodec.pipeline.encode import encode

        return_large_blocks()
        return encode(source, output, options=options, run=running, progress=sink)
    from stcodec.matching.match import match

    return match(source, output, goal, options=options, run=running, progress=sink)


def _dry_run(arguments: argparse.Namespace, options: EncodeOptions, running: RunOptions, goal: MatchOptions | None) -> int:
    from stcodec.pipeline.dry_run import dry_run

    plan = dry_run(arguments.source, arguments.output, goal.base(options) if goal else options, running)
    if goal is not None:
        plan["match"] = goal.planned(options)
    if arguments.json:
        print(json.dumps({"event": "plan", **plan}), flush=True)
    else:
        shown = {key: _words(value) for key, value in plan.items() if value not in (None, False, "", [], {})}
        print("\n".join(display_name(f"{key}: {words}") for key, words in shown.items()))
    return 0


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={one}" for key, one in value.items())
    return "; ".join(value) if isinstance(value, list) else str(value)
