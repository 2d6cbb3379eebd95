"""Preference, its intervals, and what it agrees with: small exact formulas, with their sources."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
LEAST_FOR_CORRELATION = 4
"""Pairs; with fewer Fisher's interval is not defined."""
_BT_STEPS = 10_000
_BT_PRIOR = 0.5

RealArray = NDArray[np.float64]


class Range(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(wins: int, answers: int) -> Range:
    """Share of wins with Wilson's score interval (Wilson 1927). Raises ValueError without answers."""
    if answers < 1:
        raise ValueError("there are no answers to take a share of")
    share, square = wins / answers, _Z**2
    middle = (share + square / (2 * answers)) / (1 + square / answers)
    half = _Z / (1 + square / answers) * math.sqrt(share * (1 - share) / answers + square / (4 * answers**2))
    return Range(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))  # rounding aside


def sign_test(wins: int, answers: int) -> float:
    """The chance of a share at least as far from one half if nobody saw a difference: exact, two-sided."""
    tail: int = sum(math.comb(answers, one) for one in range(min(wins, answers - wins) + 1))
    return float(min(1.0, 2 * tail / 2**answers))


def power(answers: int, share: float) -> float:
    """The chance that the sign test at 5 % finds a preference for the better one that has this share."""
    least = _least_wins(answers)
    if least is None:
        return 0.0
    return sum(_binomial(answers, wins, share) for wins in range(least, answers + 1))


def answers_needed(share: float, wanted_power: float = 0.8) -> int:
    """Independent answers from which on the sign test finds a share with this power. Raises ValueError below 0.505."""
    if not 0.505 <= share <= 1:
        raise ValueError(f"share is {share:g}: 0.505 to 1 are allowed; nothing finds a preference that is hardly there")
    # The power goes up in teeth: the answer is the least number after which it never falls below what is wanted.
    rough = ((_Z * 0.5 + NormalDist().inv_cdf(wanted_power) * math.sqrt(share * (1 - share))) / (share - 0.5)) ** 2
    needed = most = int(rough * 1.3) + 30
    for answers in range(most, 0, -1):
        if power(answers, share) < wanted_power:
            break
        needed = answers
    return needed


@cache
def _least_wins(answers: int) -> int | None:
    """Wins from which on the sign test finds a preference at 5 %; None if no number does."""
    ways, tail, least = 1, 1, None
    for lost in range(answers // 2 + 1):  # ways: to lose so often; tail: or less often
        if 40 * tail > 2**answers:
            return least
        least = answers - lost
        ways = ways * (answers - lost) // (lost + 1)
        tail += ways
    return least


def _binomial(answers: int, wins: int, share: float) -> float:
    if share == 1:
        return float(wins == answers)
    log = math.lgamma(answers + 1) - math.lgamma(wins + 1) - math.lgamma(answers - wins + 1)
    return math.exp(log + wins * math.log(share) + (answers - wins) * math.log(1 - share))


def bradley_terry(wins: RealArray) -> list[Range]:
    """Strength of each of K candidates from wins [K, K] (row over column): the chance to be preferred to the mean one.

    The model of Bradley and Terry (1952), by Hunter's iteration (2004); intervals from the curvature of the likelihood at
    its peak (Fisher information), answers taken as independent. Half a win is added to each side of each two that were
    compared, so that one who never lost has a strength, too. Raises ValueError if some were never compared with the others.
    """
    compared = (wins + wins.T) > 0
    counts = wins + _BT_PRIOR * compared
    total = counts + counts.T
    _check_connected(compared)
    strength = np.ones(len(wins))
    for _ in range(_BT_STEPS):
        weight = total / (strength[:, None] + strength[None, :])
        new = counts.sum(axis=1) / weight.sum(axis=1)
        new /= np.exp(np.log(new).mean())
        if np.abs(np.log(new / strength)).max() < 1e-10:
            break
        strength = new
    logs = np.log(strength)
    chance = strength[:, None] / (strength[:, None] + strength[None, :])
    information = -total * chance * chance.T
    np.fill_diagonal(information, 0)
    np.fill_diagonal(information, -information.sum(axis=1))
    errors = np.sqrt(np.diag(np.linalg.pinv(information)))
    return [
        Range(_logistic(log), _logistic(log - _Z * error), _logistic(log + _Z * error))
        for log, error in zip(logs, errors, strict=True)
    ]


def _check_connected(compared: NDArray[np.bool_]) -> None:
    reached, size = {0}, 0
    while len(reached) > size:
        size = len(reached)
        reached |= {int(other) for one in reached for other in np.flatnonzero(compared[one])}
    if len(reached) < len(compared):
        raise ValueError("some files were never compared with the others")


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def pearson(one: Sequence[float], other: Sequence[float]) -> Range | None:
    """Correlation with Fisher's interval; None for too few values, or for values that are all the same."""
    return _correlation(np.asarray(one, np.float64), np.asarray(other, np.float64))


def spearman(one: Sequence[float], other: Sequence[float]) -> Range | None:
    """Rank correlation (ties share their mean rank) with Fisher's interval; None as `pearson`."""
    return _correlation(_ranks(one), _ranks(other))


def _correlation(one: RealArray, other: RealArray) -> Range | None:
    if len(one) < LEAST_FOR_CORRELATION or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    value = float(np.clip(np.corrcoef(one, other)[0, 1], -1, 1))
    middle = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, value)))
    half = _Z / math.sqrt(len(one) - 3)
    return Range(value, math.tanh(middle - half), math.tanh(middle + half))


def _ranks(values: Sequence[float]) -> RealArray:
    known = np.asarray(values, np.float64)
    below, same = ((compared(known[:, None], known)).sum(axis=1) for compared in (np.greater, np.equal))
    return np.asarray(below + (same - 1) / 2, np.float64)
