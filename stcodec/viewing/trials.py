"""Trials that viewers are shown: pairs, hidden repeats, pairs of one and the same, and in which order and on which side."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, get_args

import numpy as np

Kind = Literal["pair", "repeat", "same", "practice"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PLANS = 48
"""Orders that a test holds; the viewer's number says which. Each second one has all sides of the one before swapped."""
_PAIRS_A_REPEAT = 4
_PAIRS_A_SAME = 8
_TRIES = 300
"""Random orders of which the best is taken."""
_LEAST_BETWEEN = 4
"""Trials from one showing of a pair to its repeat, where there are so many."""
_ID_BYTES = 8


@dataclass(frozen=True)
class Trial:
    """Two files shown to be judged."""

    id: str
    """As the viewers' page and their answers know it."""
    kind: Kind
    excerpt: int
    candidates: tuple[int, int]
    """Numbers of the compared files; twice the same in a pair of one and the same."""
    of: str | None = None
    """Of a repeat: the pair's id."""


@dataclass(frozen=True)
class Showing:
    """A trial in a plan."""

    trial: Trial
    first: int
    """The candidate that is at the left, or comes first."""
    second: int


Plan = tuple[Showing, ...]


def secret_id() -> str:
    """A name that tells nothing."""
    return secrets.token_hex(_ID_BYTES)


def make_trials(candidates: int, excerpts: int, rng: np.random.Generator) -> list[Trial]:
    """All trials of a test: practice first, then each two candidates on each excerpt, repeats and pairs of the same."""
    pairs = [
        Trial(secret_id(), "pair", excerpt, (one, other))
        for excerpt in range(excerpts)
        for one, other in combinations(range(candidates), 2)
    ]
    repeated = rng.choice(len(pairs), size=max(1, len(pairs) // _PAIRS_A_REPEAT), replace=False)
    chosen = [pairs[number] for number in sorted(repeated)]
    repeats = [Trial(secret_id(), "repeat", pair.excerpt, pair.candidates, pair.id) for pair in chosen]
    same = []
    for _ in range(max(1, len(pairs) // _PAIRS_A_SAME)):
        candidate = int(rng.integers(candidates))
        same.append(Trial(secret_id(), "same", int(rng.integers(excerpts)), (candidate, candidate)))
    example = pairs[int(rng.integers(len(pairs)))]
    return [Trial(secret_id(), "practice", example.excerpt, example.candidates), *pairs, *repeats, *same]


def make_plans(trials: Sequence[Trial], rng: np.random.Generator) -> list[Plan]:
    """PLANS orders; a pair's repeat has its sides swapped, so that who always says "left" contradicts himself."""
    plans = []
    swapped: dict[str, bool] = {}
    for number in range(PLANS):
        swapped = {name: not value for name, value in swapped.items()} if number % 2 else _sides(trials, rng)
        plans.append(tuple(_showing(trial, swapped[trial.of or trial.id]) for trial in _order(trials, rng)))
    return plans


def _showing(trial: Trial, swap: bool) -> Showing:
    one, other = trial.candidates
    return Showing(trial, other, one) if swap != (trial.kind == "repeat") else Showing(trial, one, other)


def _sides(trials: Sequence[Trial], rng: np.random.Generator) -> dict[str, bool]:
    """Whether the sides of each are swapped, by id: at random, in half of them."""
    sides = np.arange(len(trials)) % 2 == int(rng.integers(2))
    return {trial.id: bool(side) for trial, side in zip(trials, rng.permutation(sides), strict=True)}


def _order(trials: Sequence[Trial], rng: np.random.Generator) -> list[Trial]:
    """Practice first, then a random order in which what is alike lies apart."""
    practice = [trial for trial in trials if trial.kind == "practice"]
    rest = [trial for trial in trials if trial.kind != "practice"]
    best: list[Trial] = rest
    least = None
    for _ in range(_TRIES):
        tried = [rest[place] for place in rng.permutation(len(rest))]
        cost = _alike(tried)
        if least is None or cost < least:
            best, least = tried, cost
        if least == 0:
            break
    return [*practice, *best]


def _alike(order: Sequence[Trial]) -> int:
    """Count of excerpts that follow themselves, and how much too near repeats are."""
    places = {trial.id: place for place, trial in enumerate(order)}
    near = sum(max(0, _LEAST_BETWEEN - abs(places[trial.id] - places[trial.of])) for trial in order if trial.of)
    return near + sum(one.excerpt == other.excerpt for one, other in pairwise(order))
