"""`stcodec compare REFERENCE A B...`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec.cli.options import add_viewing_flags, command_line, names
from stcodec.cli.tables import show_results

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_METRICS = "psnr,ssim,vmaf,xpsnr"


def add_command(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "compare",
        help="score existing files against their reference",
        description="Score files of any encoder against their reference. Frames are paired by their times; all must be "
        "there, in the reference's size.",
        allow_abbrev=False,
    )
    command.add_argument("reference", metavar="REFERENCE")
    command.add_argument("files", nargs="+", metavar="FILE")
    weights = command.add_mutually_exclusive_group()
    weights.add_argument("--gaze", metavar="FILE.csv", help="fixations in the reference, by which scores are weighted")
    weights.add_argument("--weights", metavar="SOURCE", help="a source of attention instead: map:FILE, mask:FILE, ...")
    command.add_argument(
        "--metrics", default=_METRICS, metavar="NAMES", help="also vmaf-neg, cambi, fvvdp, cvvdp, all (%(default)s)"
    )
    add_viewing_flags(command)
    command.add_argument("--report", metavar="DIR", help="folder for results.json, results.csv, report.html")
    command.add_argument("--jobs", type=int, metavar="N", help="files scored side by side; default: one a core")
    command.add_argument("-y", dest="overwrite", action="store_true", help="replace the results that are in the folder")
    command.add_argument("--json", action="store_true", help="JSON on stdout: progress and results, an object a line")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr and no table")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status: 3 if some of the files could not be scored."""
    import stcodec.evaluate as evaluation
    from stcodec.cli.progress_bar import ProgressBar, json_progress

    options = evaluation.CompareOptions(
        gaze=None if arguments.gaze is None else Path(arguments.gaze),
        weights=arguments.weights,
        metrics=names(arguments.metrics),
        viewing_distance=arguments.viewing_distance,
        observers=arguments.observers,
        jobs=arguments.jobs,
    )
    with ProgressBar(enabled=not (arguments.quiet or arguments.json)) as bar:
        results = evaluation.compare(
            arguments.reference,
            arguments.files,
            options=options,
            report=arguments.report,
            overwrite=arguments.overwrite,
            command=command_line(),
            progress=json_progress if arguments.json else bar.show,
        )
    return show_results(results, arguments)
