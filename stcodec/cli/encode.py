"""`stcodec encode IN OUT`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from stcodec.cli.options import (
    add_attention_flags,
    add_output_flags,
    add_verify_flag,
    add_video_flags,
    encode_options,
    say_device,
)
from stcodec.cli.show import ProgressBar, json_progress, summary
from stcodec.options import EncodeOptions, RunOptions

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from stcodec.pipeline.progress import ProgressSink
    from stcodec.report import EncodeReport
    from stcodec.search.options import MatchOptions


def add_command(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "encode",
        help="encode one video",
        description="Encode one video with quality where viewers look. Everything else in the file is copied.",
        allow_abbrev=False,
    )
    command.add_argument("source", metavar="IN")
    command.add_argument("output", metavar="OUT", help="the ending chooses the container: .mp4, .mkv, .mov, .webm, .ts")
    add_video_flags(command)
    add_attention_flags(command)
    _add_search(command)
    add_output_flags(command)
    command.add_argument("--report", metavar="FILE.json", help="also write the report to a file")
    command.add_argument("--dry-run", action="store_true", help="check everything, say what would be done, write nothing")
    add_verify_flag(command)
    command.set_defaults(run=run)


def _add_search(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("search for a quality, shot by shot (docs/match.md)")
    group.add_argument(
        "--match-crf", type=float, metavar="N", help="the smallest file that is as good as a plain encode with --crf N"
    )
    group.add_argument(
        "--target", metavar="METRIC=VALUE", help="the smallest file of a quality: attended-vmaf=93, attended-psnr=40"
    )
    group.add_argument(
        "--match-metric", metavar="METRIC", help="attended-psnr (default), attended-ssim, attended-vmaf, psnr or vmaf"
    )
    group.add_argument(
        "--match-tolerance", type=float, metavar="X", help="how near is near enough (0.1 dB, 0.3 points of VMAF)"
    )
    group.add_argument(
        "--match-verify",
        choices=("parts", "full"),
        help="compare parts of the finished file, or all of it (default: parts, all of it up to 20 s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    say_device(arguments.device)
    options = encode_options(arguments)
    running = RunOptions(
        overwrite=arguments.overwrite,
        verify=arguments.verify,
        keep_partial=arguments.keep_partial,
        report_path=arguments.report,
    )
    goal = _goal(arguments)
    if arguments.dry_run:
        return _dry_run(arguments, options, running, goal)
    with ProgressBar(arguments.source, enabled=not (arguments.quiet or arguments.json)) as bar:
        report = _encode(arguments, options, running, goal, json_progress if arguments.json else bar.show)
    if arguments.json:
        print(json.dumps({"event": "report", **json.loads(report.to_json())}), flush=True)
    elif not arguments.quiet:
        print(summary(report), file=sys.stderr)
    return 0


def _goal(arguments: argparse.Namespace) -> MatchOptions | None:
    from stcodec.search.options import match_options

    return match_options(
        arguments.match_crf,
        arguments.target,
        arguments.match_metric,
        arguments.match_tolerance,
        arguments.match_verify,
    )


def _encode(
    arguments: argparse.Namespace,
    options: EncodeOptions,
    running: RunOptions,
    goal: MatchOptions | None,
    sink: ProgressSink,
) -> EncodeReport:
    if goal is None:
        from stcodec.pipeline.encode import encode

        return encode(arguments.source, arguments.output, options=options, run=running, progress=sink)
    from stcodec.search.match import match

    return match(arguments.source, arguments.output, goal, options=options, run=running, progress=sink)


def _dry_run(arguments: argparse.Namespace, options: EncodeOptions, running: RunOptions, goal: MatchOptions | None) -> int:
    from stcodec.pipeline.dry_run import dry_run

    plan = dry_run(arguments.source, arguments.output, goal.base(options) if goal else options, running)
    if goal is not None:
        plan["match"] = goal.planned(options)
    if arguments.json:
        print(json.dumps({"event": "plan", **plan}), flush=True)
    else:
        print("\n".join(f"{key}: {_words(value)}" for key, value in plan.items() if value not in (None, False, "", [], {})))
    return 0


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={one}" for key, one in value.items())
    return "; ".join(value) if isinstance(value, list) else str(value)
