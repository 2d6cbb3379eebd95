"""Tables of docs/viewing-test.md: what so many answers can tell, computed by the functions that judge them."""

from __future__ import annotations

import math

from results import table

from stcodec.viewing.statistics import answers_needed, power, wilson

_SHARES = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
_ANSWERS = (20, 40, 80, 160, 320, 640)
_PAIRS = 8
_ALIKE = 0.1
"""Correlation of the answers of one viewer (intraclass), assumed."""


def answers_for_shares() -> str:
    """Answers that a preference needs to be found, and viewers who judge eight pairs each."""
    inflation = 1 + (_PAIRS - 1) * _ALIKE
    rows = []
    for share in _SHARES:
        needed, surer = answers_needed(share), answers_needed(share, 0.9)
        viewers = (math.ceil(needed / _PAIRS), math.ceil(needed * inflation / _PAIRS))
        rows.append([f"{share:.0%}", str(needed), str(surer), *map(str, viewers)])
    head = [
        "prefer the better one",
        "answers, power 80 %",
        "answers, power 90 %",
        "viewers of 8 pairs, alone",
        "viewers, alike by 0.1",
    ]
    return table(head, rows)


def intervals() -> str:
    """Wilson's interval of what a test finds, by the number of answers, and what it is likely to miss."""
    rows = []
    for answers in _ANSWERS:
        cells = []
        for share in (0.5, 0.6, 0.75):
            found = wilson(round(share * answers), answers)
            cells.append(f"{found.low:.0%} to {found.high:.0%}")
        rows.append([str(answers), *cells, *(f"{power(answers, share):.0%}" for share in (0.6, 0.67, 0.75))])
    head = ["answers", "found 50 %", "found 60 %", "found 75 %", "finds 60 %", "finds 67 %", "finds 75 %"]
    return table(head, rows)
