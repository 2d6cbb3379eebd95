"""A pair test that was made, and what its answers say, as text."""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from stcodec.cli.tables import aligned
from stcodec.media.paths import display_name
from stcodec.web.page import finite

if TYPE_CHECKING:
    from stcodec.viewing.judging import Agreement, Judgement, Preference
    from stcodec.viewing.making import PairTest
    from stcodec.viewing.statistics import Range


def show_test(made: PairTest, arguments: argparse.Namespace) -> None:
    """Say where a test lies and what is to be known of it."""
    if arguments.json:
        value = {**asdict(made), **{name: display_name(getattr(made, name)) for name in ("folder", "page", "key")}}
        print(json.dumps({"event": "test", **finite(value)}), flush=True)
    elif not arguments.quiet:
        least = (
            "the very pictures"
            if math.isinf(made.least_psnr_db)
            else f"each picture {made.least_psnr_db:.1f} dB or more against its file's"
        )
        print(
            f"the test: {display_name(made.page)}, with its folder, for viewers ({made.trials} pairs, about "
            f"{made.minutes:.0f} min; excerpts encoded again as H.264, {least})\n"
            f"the key: {display_name(made.key)}, for you alone",
            file=sys.stderr,
        )
    for message in made.messages:
        print(f"note: {display_name(message)}", file=sys.stderr)


def show_judgement(found: Judgement, arguments: argparse.Namespace) -> None:
    """Print what answers say."""
    if arguments.json:
        print(json.dumps({"event": "judgement", **finite(asdict(found))}), flush=True)
    elif not arguments.quiet:
        print("\n\n".join(part for part in (_pairs(found), _strengths(found), _viewers(found), _metrics(found)) if part))
    for message in found.messages:
        print(f"note: {display_name(message)}", file=sys.stderr)


def _pairs(found: Judgement) -> str:
    lines = [_pair(one) for one in found.pairs]
    if found.pairs_without_doubtful:
        doubtful = sum(bool(viewer.doubts) for viewer in found.viewers)
        lines += [f"without {doubtful} doubtful viewers:", *(f"  {_pair(one)}" for one in found.pairs_without_doubtful)]
    return "\n".join(lines)


def _pair(one: Preference) -> str:
    over = ""
    if one.low_over_viewers is not None and one.high_over_viewers is not None:
        over = f"; over viewers [{one.low_over_viewers:.0%}, {one.high_over_viewers:.0%}]"
    return (
        f"{one.candidates[1]} is preferred to {one.candidates[0]} in {one.wins} of {one.answers} answers: {one.share:.0%} "
        f"[{one.low:.0%}, {one.high:.0%}]{over}; by chance with p = {one.p:.2g}"
    )


def _strengths(found: Judgement) -> str:
    rows = [[one.candidate, f"{one.value:.0%}", f"[{one.low:.0%}, {one.high:.0%}]"] for one in found.strengths]
    return aligned([["Bradley-Terry: preferred to the average", "", "95 %"], *rows]) if rows else ""


def _viewers(found: Judgement) -> str:
    rows = [["viewer", "answers", "repeats agreed", "first", "doubts"]]
    for one in found.viewers:
        share = "-" if one.first_share is None else f"{one.first_share:.0%}"
        agreed = f"{one.repeats_agreed} of {one.repeats}"
        rows.append([str(one.number), str(one.answers), agreed, share, "; ".join(one.doubts) or "none"])
    same = ""
    if found.same_first is not None:
        same = f"\npairs of the same file: {_range(found.same_first, '.0%')} of {found.same_answers} answers for the first"
    return aligned(rows) + same


def _metrics(found: Judgement) -> str:
    rows = [["metric", "pairs", "Pearson", "Spearman", "answers predicted"]]
    rows += [
        [one.label, str(one.pairs), _range(one.pearson), _range(one.spearman), _predicted(one)] for one in found.agreements
    ]
    return aligned(rows)


def _predicted(one: Agreement) -> str:
    return f"{one.predicted} of {one.answers}" if one.answers else "-"


def _range(one: Range | None, form: str = ".2f") -> str:
    return "-" if one is None else f"{one.value:{form}} [{one.low:{form}}, {one.high:{form}}]"
