"""`stcodec evaluate CLIPS... --report DIR`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec import interrupts
from stcodec.cli.options import (
    add_device_flag,
    add_policy_flags,
    add_viewing_flags,
    command_line,
    from_flags,
    on_device,
    policy_of,
    say_device,
)
from stcodec.cli.tables import show_results
from stcodec.cli.values import key_values, names

if TYPE_CHECKING:
    from stcodec.evaluate import EvaluateOptions

_ARMS = "plain,center,motion"
_METRICS = "psnr,ssim,vmaf,xpsnr"


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "evaluate",
        help="bits saved at the same attended quality, and what it costs elsewhere",
        description="Encode clips with and without attention at several rates, score them by where people look, and report "
        "the bits saved at equal quality. A run that was broken off goes on where it ended.",
    )
    command.add_argument("clips", nargs="+", metavar="CLIPS", help="videos, folders of them, or patterns")
    command.add_argument("--report", required=True, metavar="DIR", help="folder for results.json, results.csv, report.html")
    _add_encodes(command)
    _add_scores(command)
    policy = command.add_argument_group("attention")
    add_device_flag(policy)
    add_policy_flags(policy)
    _add_run(command)


def _add_encodes(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what is encoded")
    group.add_argument(
        "--encoder", default="libx264", metavar="NAMES", help="libx264,libx265,libvpx-vp9,libsvtav1 (%(default)s)"
    )
    group.add_argument("--preset", default="medium", metavar="NAME", help="for all, or medium,libvpx-vp9=8 (%(default)s)")
    group.add_argument("--crf", default="22:38:4", metavar="FROM:TO:STEP", help="or a list: 22,26,30 (%(default)s)")
    group.add_argument(
        "--arms",
        action="append",
        metavar="NAMES",
        help="sources of attention, NAME=SOURCE, plain, or human (half of the observers guide, the others judge); {clip} "
        f"in a source stands for the clip's name ({_ARMS})",
    )
    group.add_argument("--frames", type=int, help="only so many from the start of each clip")
    size = group.add_mutually_exclusive_group()
    size.add_argument("--scale", type=float, default=1.0, help="size of the frames, up to 1 (%(default)s)")
    size.add_argument("--half", dest="halve", action="store_true", help="clips of 720 lines and more at half size")
    group.add_argument("--keyint", type=int, metavar="FRAMES", help="longest distance of key frames")
    group.add_argument(
        "--opt", action="append", default=[], metavar="KEY=VALUE", help="any other option of the encoder; repeatable"
    )
    group.add_argument("--threads", type=int, default=1, help="of each encoder: more change its bits (%(default)s)")


def _add_scores(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("what it is scored by")
    group.add_argument(
        "--gaze", type=Path, metavar="DIR", help="folder of NAME.csv with fixations; default: beside each clip"
    )
    group.add_argument("--weights", metavar="SOURCE", help="an independent source instead of gaze: map:FILE, mask:FILE, ...")
    group.add_argument("--split-seed", type=int, default=0, metavar="N", help="of the split of observers (%(default)s)")
    group.add_argument(
        "--metrics", default=_METRICS, metavar="NAMES", help="also vmaf-neg, cambi, fvvdp, cvvdp, all (%(default)s)"
    )
    add_viewing_flags(group)
    group.add_argument(
        "--instants", type=int, default=12, metavar="N", help="instants a clip with pictures in the report (%(default)s)"
    )


def _add_run(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the run")
    group.add_argument("--jobs", type=int, metavar="N", help="encodes side by side; default: one a core")
    group.add_argument(
        "--cache", type=Path, metavar="DIR", help="where what was made is kept; default: cache in the report's folder"
    )
    group.add_argument("-y", dest="overwrite", action="store_true", help="replace the results that are in the folder")
    group.add_argument("--json", action="store_true", help="JSON on stdout: progress and results, an object a line")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr and no table")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status: 3 if something failed and the rest went on."""
    import stcodec.evaluate as evaluation
    from stcodec.cli.progress_bar import shown

    say_device(arguments.device)
    options = _options(arguments)
    running = from_flags(evaluation.EvaluateRun, arguments, command=command_line(arguments))
    interrupts.ending.said = "what was made is kept, and the same command goes on from there"
    interrupts.ending.said_without = interrupts.ending.said
    with shown(arguments) as sink:
        results = evaluation.run(arguments.clips, arguments.report, options=options, running=running, progress=sink)
    return show_results(results, arguments)


def _options(arguments: argparse.Namespace) -> EvaluateOptions:
    from stcodec.evaluate import EvaluateOptions
    from stcodec.evaluate.options import parse_arms, parse_crfs, parse_presets
    from stcodec.options import EncodeOptions

    return from_flags(
        EvaluateOptions,
        arguments,
        encoders=names(arguments.encoder),
        presets=parse_presets(arguments.preset),
        crfs=parse_crfs(arguments.crf),
        arms=tuple(
            replace(arm, source=on_device(arm.source, arguments.device))
            for arm in parse_arms([name for text in arguments.arms or [_ARMS] for name in names(text)])
        ),
        encode=EncodeOptions(
            keyint=arguments.keyint,
            extra=key_values(arguments.opt),
            policy=policy_of(arguments),
            levels=arguments.levels,
        ),
        weights=None if arguments.weights is None else on_device(arguments.weights, arguments.device),
        metrics=names(arguments.metrics),
    )
