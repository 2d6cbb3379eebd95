"""What those get who name an encoder that is given no map by default, and say nothing of attention."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from stcodec.options import EncodeOptions

if TYPE_CHECKING:
    from stcodec.matching.options import MatchOptions

_ASKING = ("attention", "policy", "strength", "floor", "min_delta_qp", "max_delta_qp", "anchor", "step_qp", "levels")


def gets_map(arguments: argparse.Namespace) -> bool:
    """Whether blocks are guided: by default, or because a flag of `add_attention_flags` asks for it."""
    from stcodec.encoders.table import find_encoder  # late: help does without ffmpeg

    return find_encoder(arguments.encoder).guided_by_default or any(getattr(arguments, name) is not None for name in _ASKING)


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
        options, said = replace(options, attention="none"), "this is the plain encode, as with --attention none"
    else:
        from stcodec.matching.options import MatchOptions  # with metrics that other encodes do without

        options = replace(options, policy=replace(options.policy, strength=0.0))
        if goal is None:
            goal = MatchOptions(crf=encoder.usual_crf if options.crf is None else options.crf)
            options = replace(options, crf=None)
        said = (
            f"a CRF is searched for each shot, as with --strength 0 and the goal {goal.text}; --attention none is one pass"
        )
    if not arguments.quiet:
        print(
            f"stcodec: {encoder.name} gets no map unless --attention names one: {said} (docs/encoders.md)", file=sys.stderr
        )
    return options, goal
