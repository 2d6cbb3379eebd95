"""`stcodec preview IN`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec.cli.options import (
    add_attention_flags,
    add_video_flags,
    add_view_flags,
    encode_options,
    from_flags,
    say_device,
)
from stcodec.cli.progress_bar import shown, size
from stcodec.cli.unguided import gets_map, say_unguided
from stcodec.media.paths import display_name, free_name
from stcodec.options import RunOptions

if TYPE_CHECKING:
    from stcodec.preview import Preview


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "preview",
        help="see what an encode would do, in about 10 seconds",
        description="Encode a few excerpts with and without attention, and show them on a page: source, map, offsets, the "
        "result against the plain encode at the same bits, the size to be expected, and the command that encodes the whole.",
    )
    command.add_argument("source", metavar="IN")
    command.add_argument("--page", metavar="FILE.html", help="default: IN-preview.html here, or a name that is free")
    add_video_flags(command)
    add_view_flags(command)
    add_attention_flags(command)
    command.add_argument("-y", dest="overwrite", action="store_true", help="replace the page if it exists")
    command.add_argument("--json", action="store_true", help="JSON on stdout: progress and the figures, an object a line")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from stcodec.media.output import atomic_output, check_output
    from stcodec.preview import preview
    from stcodec.preview.page.page import render

    say_device(arguments.device)
    options = encode_options(arguments)
    if not gets_map(arguments):
        say_unguided(arguments, "encode searches a CRF for each shot instead; this is a preview of what a map would do")
    name = arguments.page or free_name(Path(f"{Path(arguments.source).stem}-preview.html"))
    page = check_output(name, overwrite=arguments.overwrite, source=arguments.source)
    with shown(arguments) as sink:
        found = preview(arguments.source, options, from_flags(RunOptions, arguments), sink)
    command = _command(arguments, found)
    with atomic_output(page, overwrite=arguments.overwrite) as temporary:
        temporary.write_text(render(found, command, _figures(found)), encoding="utf-8")
    if arguments.json:
        figures = {
            "page": display_name(page),
            "command": command,
            "expected_bytes": round(found.expected_bytes),
            "video_kbps": found.video_kbps,
            "change_percent": found.change_percent,
            "instants": [
                {
                    "seconds": one.seconds,
                    "guided": dataclasses.asdict(one.guided)["video_kbps"],
                    "plain": one.plain.video_kbps,
                    "same_bits": one.same_bits.video_kbps,
                }
                for one in found.instants
            ],
        }
        print(json.dumps({"event": "preview", **figures}), flush=True)
    elif not arguments.quiet:
        lines = [f"{name}: {value}" for name, value in _figures(found)]
        print("\n".join([*lines, f"the page: {display_name(page)}", f"to encode it: {command}"]), file=sys.stderr)
    return 0


def _figures(found: Preview) -> list[tuple[str, str]]:
    word = "smaller" if found.change_percent <= 0 else "LARGER"
    return [
        ("video to be expected", f"about {size(found.expected_bytes)}, {found.video_kbps:.0f} kbit/s"),
        ("the source, with all tracks", size(found.source_bytes)),
        ("against the plain encode with the same options", f"{abs(found.change_percent):.1f} % {word}"),
    ]


def _command(arguments: argparse.Namespace, found: Preview) -> str:
    """The command that encodes the whole with these options."""
    words, skips = [], False
    for word in arguments.words[1:]:
        if not skips and word not in ("--page", "-y", "--json", "-q", "--quiet") and not word.startswith("--page="):
            words.append(display_name(word))
        skips = word == "--page"
    if not gets_map(arguments):
        words += ["--attention", found.options.attention]
    if arguments.crf is None and arguments.bitrate_kbps is None:
        words += ["--crf", f"{found.options.crf:g}"]
    return shlex.join(["stcodec", "encode", *words])
