"""What the experimenter chooses of a pair test."""

from __future__ import annotations

from dataclasses import dataclass

from stcodec.errors import OptionsError

SHOWS = ("in-turn", "side-by-side")
"""One after the other in the middle of the screen; or both at once."""
SECONDS = (1.0, 30.0)
"""Shortest and longest excerpt that is allowed; 6 to 10 s are usual (ITU-T P.910)."""
MOST_PAIRS = 100


@dataclass(frozen=True)
class PairTestOptions:
    """How a pair test is made."""

    seconds: float = 8.0
    """Length of an excerpt."""
    pairs: int = 8
    """Excerpts on which each two files are compared, where the video has room for so many."""
    show: str = "in-turn"
    """One of SHOWS."""
    seed: int = 0
    """Of the choice of hidden repeats, of orders and of sides."""

    def __post_init__(self) -> None:
        if not SECONDS[0] <= self.seconds <= SECONDS[1]:
            raise OptionsError(
                f"ab-seconds is {self.seconds:g}: {SECONDS[0]:g} to {SECONDS[1]:g} are allowed, 6 to 10 usual"
            )
        if not 1 <= self.pairs <= MOST_PAIRS:
            raise OptionsError(f"ab-pairs is {self.pairs}: 1 to {MOST_PAIRS} are allowed")
        if self.show not in SHOWS:
            raise OptionsError(f"ab-show is {self.show!r}: choose from {', '.join(SHOWS)}")
        if self.seed < 0:
            raise OptionsError(f"ab-seed is {self.seed}: it must be 0 or more")
