"""`stcodec verify FILE --map MAP`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from stcodec.cli.options import add_policy_flags, policy_of
from stcodec.media.paths import display_name

if TYPE_CHECKING:
    from stcodec.report import OffsetsApplied

_EXIT_NOT_APPLIED = 1


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "verify",
        help="read back what any encoder did with a map",
        description="Compare the QP of a video's blocks with the offsets that a map asks for, whoever encoded it. Exit "
        "status 1 if they are not there.",
    )
    command.add_argument("file", metavar="FILE")
    command.add_argument("--map", required=True, metavar="MAP", dest="maps", help="saliency maps, as map:FILE reads them")
    command.add_argument("--plain", metavar="FILE", help="the same frames from the same encoder without offsets")
    command.add_argument("--reference", metavar="FILE", help="what was encoded; for codecs whose decoders tell no QP")
    command.add_argument("--json", action="store_true", help="the verdict as JSON on stdout")
    add_policy_flags(command.add_argument_group("offsets that the map asks for"))


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from stcodec.pipeline.verify import verify

    found = verify(
        arguments.file,
        maps=arguments.maps,
        plain=arguments.plain,
        reference=arguments.reference,
        policy=policy_of(arguments),
    )
    print(json.dumps({"event": "verdict", **dataclasses.asdict(found)}) if arguments.json else _said(found), flush=True)
    return _EXIT_NOT_APPLIED if found.verdict == "not-applied" else 0


def _said(found: OffsetsApplied) -> str:
    words = [f"{found.verdict}: {display_name(found.why)}"]
    if found.slope is not None:
        unit = "dB" if found.method == "effect" else "QP"
        correlation = "" if found.correlation is None else f", correlation {found.correlation:.2f}"
        words.append(f"{found.slope:.2f} {unit} for each QP step asked for{correlation}")
        words.append(f"{found.blocks} blocks of {found.frames} frames")
    if found.share_applied is not None:
        words.append(f"{100 * found.share_applied:.0f} % of them within a step")
    return "; ".join(words)
