"""`stcodec compare REFERENCE A B...`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stcodec.cli.options import add_viewing_flags, command_line
from stcodec.cli.tables import show_results
from stcodec.cli.values import names
from stcodec.errors import OptionsError

_METRICS = "psnr,ssim,vmaf,xpsnr"
_TEST_FLAGS = ("seconds", "pairs", "show", "seed")


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "compare",
        help="score existing files against their reference",
        description="Score files of any encoder against their reference. Frames are paired by their times; all must be "
        "there, in the reference's size.",
    )
    command.add_argument("reference", nargs="?", metavar="REFERENCE")
    command.add_argument("files", nargs="*", metavar="FILE")
    weights = command.add_mutually_exclusive_group()
    weights.add_argument("--gaze", metavar="FILE.csv", help="fixations in the reference, by which scores are weighted")
    weights.add_argument("--weights", metavar="SOURCE", help="a source of attention instead: map:FILE, mask:FILE, ...")
    command.add_argument(
        "--metrics", default=_METRICS, metavar="NAMES", help="also vmaf-neg, cambi, fvvdp, cvvdp, all (%(default)s)"
    )
    add_viewing_flags(command)
    _add_test_flags(command)
    command.add_argument("--report", metavar="DIR", help="folder for results.json, results.csv, report.html")
    command.add_argument("--jobs", type=int, metavar="N", help="files scored side by side; default: one a core")
    command.add_argument("-y", dest="overwrite", action="store_true", help="replace the results that are in the folder")
    command.add_argument("--json", action="store_true", help="JSON on stdout: progress and results, an object a line")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr and no table")


def _add_test_flags(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("a test with people (docs/viewing-test.md)")
    group.add_argument("--ab", metavar="DIR", help="make a blinded pair test of the files in a new folder")
    group.add_argument("--ab-seconds", type=float, metavar="S", help="length of an excerpt (8)")
    group.add_argument("--ab-pairs", type=int, metavar="N", help="excerpts on which each two files are compared (8)")
    group.add_argument("--ab-show", metavar="HOW", help="in-turn (default) or side-by-side")
    group.add_argument("--ab-seed", type=int, metavar="N", help="of orders, sides and repeats (0)")
    group.add_argument("--ab-results", nargs="+", metavar="FILE.json", help="instead of files: judge the answers of viewers")
    group.add_argument("--key", metavar="key.json", help="of that test; default: beside the answers or in the folder above")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status: 3 if some of the files could not be scored."""
    tests = {name: value for name in _TEST_FLAGS if (value := getattr(arguments, f"ab_{name}")) is not None}
    if arguments.ab_results is not None:
        if arguments.reference is not None or arguments.ab is not None or tests:
            raise OptionsError("--ab-results judges answers alone: give no videos and no other --ab flags with it")
        return _judge(arguments)
    if arguments.key is not None:
        raise OptionsError("--key is for --ab-results")
    if arguments.ab is None and tests:
        raise OptionsError(f"--ab-{next(iter(tests))} is for --ab DIR")
    if not arguments.files:
        raise OptionsError("give REFERENCE and the files to be compared with it, or --ab-results FILE.json")
    return _compare(arguments, tests)


def _judge(arguments: argparse.Namespace) -> int:
    from stcodec.cli.preferences import show_judgement
    from stcodec.viewing import judge

    show_judgement(judge(arguments.ab_results, arguments.key), arguments)
    return 0


def _compare(arguments: argparse.Namespace, tests: dict[str, Any]) -> int:
    import stcodec.evaluate as evaluation
    from stcodec.cli.progress_bar import shown

    options = evaluation.CompareOptions(
        gaze=None if arguments.gaze is None else Path(arguments.gaze),
        weights=arguments.weights,
        metrics=names(arguments.metrics),
        viewing_distance=arguments.viewing_distance,
        observers=arguments.observers,
        jobs=arguments.jobs,
    )
    shared: dict[str, Any] = {
        "report": arguments.report,
        "overwrite": arguments.overwrite,
        "command": command_line(arguments),
    }
    with shown(arguments) as shared["progress"]:
        if arguments.ab is None:
            results = evaluation.compare(arguments.reference, arguments.files, options=options, **shared)
            return show_results(results, arguments)
        from stcodec.viewing import PairTestOptions, make_test

        made, results = make_test(
            arguments.reference,
            arguments.files,
            arguments.ab,
            options=PairTestOptions(**tests),
            scored_by=options,
            **shared,
        )
    from stcodec.cli.preferences import show_test

    status = show_results(results, arguments)
    show_test(made, arguments)
    return status
