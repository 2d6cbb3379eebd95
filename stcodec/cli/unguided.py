"""What those get who name an encoder that is given no map by default, and say nothing of attention."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from stcodec.options import EncodeOptions

if TYPE_CHECKING:
    from stcodec.matching.options import MatchOptions

PLAIN = "this is the plain encode, as with --attention none"
_ENCODES = 5
_ASKING = ("attention", "policy", "strength", "floor", "min_delta_qp", "max_delta_qp", "anchor", "step_qp", "levels")


def gets_map(arguments: argparse.Namespace, *, own_anchor: str | None = None) -> bool:
    """Whether blocks are guided: by default, or because a flag of `add_attention_flags` asks for it.

    own_anchor: the command's default.
    """
    from stcodec.encoders.table import find_encoder  # late: help does without ffmpeg

    asked = any(getattr(arguments, name) not in (None, own_anchor if name == "anchor" else None) for name in _ASKING)
    return asked or find_encoder(arguments.encoder).guided_by_default


def without_map(
    arguments: argparse.Namespace, options: EncodeOptions, goal: MatchOptions | None, *, has_rate: bool = False
) -> tuple[EncodeOptions, MatchOptions | None]:
    """Options and goal as they are, or, where blocks get no map, those of a search for the CRF of each shot.

    has_rate: bitrates are given elsewhere, so that nothing is left to search, as with a bitrate in the options: then it is
    the plain encode. What was chosen is said on stderr.
    """
    if gets_map(arguments):
        return options, goal
    from stcodec.encoders.table import find_encoder

    encoder = find_encoder(options.encoder)
    if has_rate or options.bitrate_kbps is not None:
        options, said = replace(options, attention="none"), PLAIN
    else:
        from stcodec.matching.options import MatchOptions  # with metrics that other encodes do without

        options = replace(options, policy=replace(options.policy, strength=0.0))
        if goal is None:
            goal = MatchOptions(crf=encoder.usual_crf if options.crf is None else options.crf)
            options = replace(options, crf=None)
        said = (
            f"a CRF is searched for each shot, in about {_ENCODES} encodes, as with --strength 0 and the goal "
            f"{goal.text}; --attention none is one encode"
        )
    say_unguided(arguments, said)
    return options, goal


def say_unguided(arguments: argparse.Namespace, said: str) -> None:
    """Say on stderr what is done instead of giving blocks a map, unless --quiet."""
    from stcodec.encoders.table import find_encoder

    if not arguments.quiet:
        name = find_encoder(arguments.encoder).name
        print(f"stcodec: {name} gets no map unless --attention names one: {said} (docs/encoders.md)", file=sys.stderr)
