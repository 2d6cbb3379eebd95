"""Options of a pair test."""

from __future__ import annotations

from dataclasses import dataclass

from stcodec.errors import check_choice, check_range

SHOWS = ("in-turn", "side-by-side")
"""One after the other in the middle of the screen; or both at once."""
SECONDS = (1.0, 30.0)
"""Shortest and longest excerpt that is allowed; 6 to 10 s are usual (ITU-T P.910)."""
MOST_PAIRS = 100


@dataclass(frozen=True)
class PairTestOptions:
    """Options of a pair test, for the experimenter to choose."""

    seconds: float = 8.0
    """Length of an excerpt."""
    pairs: int = 8
    """Excerpts on which each two files are compared, where the video has room for so many."""
    show: str = "in-turn"
    """One of SHOWS."""
    seed: int = 0
    """Of the choice of hidden repeats, of orders and of sides."""

    def __post_init__(self) -> None:
        check_range("ab-seconds", self.seconds, *SECONDS, note=", 6 to 10 is usual")
        check_range("ab-pairs", self.pairs, 1, MOST_PAIRS)
        check_choice("ab-show", self.show, SHOWS)
        check_range("ab-seed", self.seed, 0)
