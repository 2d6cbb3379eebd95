"""Results of a pair test, from its answers: who is preferred, how surely, who answered at random, which metric agrees."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from stcodec.errors import MissingFileError, OptionsError
from stcodec.media.paths import display_name
from stcodec.metrics.bd import bootstrap
from stcodec.viewing.answers import Answer, ViewerAnswers, read_answers
from stcodec.viewing.key import KEY_NAME, Key, KeyMetric, read_key
from stcodec.viewing.statistics import Range, bradley_terry, pearson, sign_test, spearman, wilson

_SIDE_CHANCE = 0.01
"""Chance of so one-sided answers below which a viewer is said to prefer a side."""
_MOST_DROPPED = 0.01
"""Share of frames that a machine may drop."""
_QUICK_SECONDS = 0.3
"""Nobody decides so fast on what was seen."""


@dataclass(frozen=True)
class Preference:
    """Two files, in the answers of all viewers; repeats are not counted twice."""

    candidates: tuple[str, str]
    """The share is that of the second."""
    wins: int
    answers: int
    share: float
    low: float
    """Wilson's 95 % interval: every answer counts as independent."""
    high: float
    low_over_viewers: float | None
    """95 % bootstrap interval over viewers, wider where viewers differ; None with fewer than 3 of them."""
    high_over_viewers: float | None
    p: float
    """Of the sign test: the chance of this if nobody saw a difference."""


@dataclass(frozen=True)
class Strength:
    """A file among more than two (Bradley and Terry): its chance to be preferred to the average one."""

    candidate: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ViewerCheck:
    """Reliability of a viewer's answers."""

    viewer: str
    number: int
    answers: int
    """Without practice."""
    repeats: int
    repeats_agreed: int
    first_share: float | None
    """Answers "left" or "first" of all; None without answers."""
    side_p: float | None
    """The chance of so one-sided answers; small = a preference for a side."""
    dropped_share: float
    """Of frames."""
    full_screen: bool
    """Whether all was seen in full screen."""
    doubts: tuple[str, ...]
    """Why the viewer is doubtful; empty if there is no reason."""


@dataclass(frozen=True)
class Agreement:
    """A metric beside the viewers, over pairs."""

    metric: str
    label: str
    pairs: int
    """Pairs with answers and scores."""
    pearson: Range | None
    """Of the difference in the metric and the share of preference; None with fewer than 4 pairs, or all alike."""
    spearman: Range | None
    predicted: int
    """Answers for the file that the metric has higher."""
    answers: int
    """On pairs whose scores differ."""


@dataclass(frozen=True)
class Judgement:
    """All that answers say."""

    test: str
    names: tuple[str, ...]
    viewers: tuple[ViewerCheck, ...]
    pairs: tuple[Preference, ...]
    pairs_without_doubtful: tuple[Preference, ...]
    """The same without doubtful viewers; empty if there are none, or no others."""
    strengths: tuple[Strength, ...]
    """Empty for two files."""
    same_answers: int
    """To pairs of one and the same file."""
    same_first: Range | None
    """Share of "left" or "first" among them: half, unless a side is favoured."""
    agreements: tuple[Agreement, ...]
    messages: tuple[str, ...]


def judge(answers: Sequence[str | os.PathLike[str]], key: str | os.PathLike[str] | None = None) -> Judgement:
    """Judge files of answers by the key of their test; None = the `key.json` beside them or in the folder above.

    Raises OptionsError, or MediaError for files that are no answers, or of another test.
    """
    paths = [Path(path) for path in answers]
    found = read_key(_key_path(paths) if key is None else Path(key))
    viewers, messages = read_answers(paths, found)
    checks = tuple(_check(viewer) for viewer in viewers)
    reliable = [viewer for viewer, check in zip(viewers, checks, strict=True) if not check.doubts]
    same = [answer for viewer in viewers for answer in viewer.answers if answer.trial.kind == "same"]
    pairs = _preferences(viewers, found)
    if not pairs:
        messages.append("nobody has answered anything yet but practice")
    return Judgement(
        found.test,
        found.names,
        checks,
        pairs,
        _preferences(reliable, found) if 0 < len(reliable) < len(viewers) else (),
        _strengths(viewers, found, messages),
        len(same),
        wilson(sum(one.chose_first for one in same), len(same)) if same else None,
        tuple(_agreement(metric, viewers, found) for metric in found.metrics),
        tuple(messages),
    )


def _key_path(paths: Sequence[Path]) -> Path:
    for folder in (paths[0].parent, paths[0].absolute().parent.parent) if paths else ():
        if (folder / KEY_NAME).is_file():
            return folder / KEY_NAME
    if paths and not paths[0].exists():
        raise MissingFileError(f"{display_name(paths[0])}: no such file", path=paths[0])
    raise OptionsError(f"the key of the test is needed: --key DIR/{KEY_NAME}")


def _counted(viewer: ViewerAnswers) -> list[Answer]:
    """Answers that say something of the files: each pair once."""
    return [answer for answer in viewer.answers if answer.trial.kind == "pair"]


def _preferences(viewers: Sequence[ViewerAnswers], key: Key) -> tuple[Preference, ...]:
    return tuple(
        preference
        for two in combinations(range(len(key.names)), 2)
        if (preference := _preference(viewers, two, key)) is not None
    )


def _preference(viewers: Sequence[ViewerAnswers], two: tuple[int, int], key: Key) -> Preference | None:
    votes = [[one.chosen == two[1] for one in _counted(viewer) if one.trial.candidates == two] for viewer in viewers]
    votes = [of_viewer for of_viewer in votes if of_viewer]
    wins, answers = sum(map(sum, votes)), sum(map(len, votes))
    if not answers:
        return None
    share = wilson(wins, answers)
    over = bootstrap([float(np.mean(of_viewer)) for of_viewer in votes]) if len(votes) >= 3 else None
    return Preference(
        (key.names[two[0]], key.names[two[1]]),
        wins,
        answers,
        share.value,
        share.low,
        share.high,
        None if over is None else over.low,
        None if over is None else over.high,
        sign_test(wins, answers),
    )


def _strengths(viewers: Sequence[ViewerAnswers], key: Key, messages: list[str]) -> tuple[Strength, ...]:
    count = len(key.names)
    if count < 3:
        return ()
    wins = np.zeros((count, count))
    for answer in (one for viewer in viewers for one in _counted(viewer)):
        loser = answer.second if answer.chose_first else answer.first
        wins[answer.chosen, loser] += 1
    try:
        found = bradley_terry(wins)
    except ValueError as error:
        messages.append(f"no ranking: {error}")
        return ()
    return tuple(Strength(name, *strength) for name, strength in zip(key.names, found, strict=True))


def _check(viewer: ViewerAnswers) -> ViewerCheck:
    real = [answer for answer in viewer.answers if answer.trial.kind != "practice"]
    chosen = {answer.trial.id: answer.chosen for answer in real}
    repeats = [answer for answer in real if answer.trial.kind == "repeat" and answer.trial.of in chosen]
    agreed = sum(answer.chosen == chosen[answer.trial.of or ""] for answer in repeats)
    first = sum(answer.chose_first for answer in real)
    side_p = sign_test(first, len(real)) if real else None
    frames = sum(answer.frames for answer in real)
    dropped = sum(answer.dropped_frames for answer in real) / frames if frames else 0.0
    doubts = [
        text
        for applies, text in (
            (len(repeats) >= 2 and agreed * 2 <= len(repeats), f"agreed with {agreed} of {len(repeats)} own answers"),
            (side_p is not None and side_p < _SIDE_CHANCE, f"chose the first in {first} of {len(real)}"),
            (dropped > _MOST_DROPPED, f"{dropped:.1%} of the frames were dropped"),
            (any(not one.one_to_one for one in real), "saw pictures that were not pixel for pixel"),
            (any(one.seconds < _QUICK_SECONDS for one in real), f"answered in less than {_QUICK_SECONDS:g} s"),
            (not viewer.complete, "did not finish"),
        )
        if applies
    ]
    return ViewerCheck(
        viewer.viewer,
        viewer.number,
        len(real),
        len(repeats),
        agreed,
        first / len(real) if real else None,
        side_p,
        dropped,
        all(one.full_screen for one in real),
        tuple(doubts),
    )


def _agreement(metric: KeyMetric, viewers: Sequence[ViewerAnswers], key: Key) -> Agreement:
    """Over all pairs: how much better the second is by the metric, and the share of viewers who preferred it."""
    votes: dict[str, list[bool]] = {}
    for answer in (one for viewer in viewers for one in _counted(viewer)):
        votes.setdefault(answer.trial.id, []).append(answer.chosen == answer.trial.candidates[1])
    differences, shares, predicted, answers = [], [], 0, 0
    for name, chosen in votes.items():
        trial = key.trials[name]
        one, other = (key.scores[trial.excerpt][candidate][metric.name] for candidate in trial.candidates)
        if one is None or other is None:
            continue
        better = (other - one) * (1 if metric.higher_is_better else -1)
        differences.append(better)
        shares.append(float(np.mean(chosen)))
        if better:
            answers += len(chosen)
            predicted += sum(choice == (better > 0) for choice in chosen)
    return Agreement(
        metric.name,
        metric.label,
        len(differences),
        pearson(differences, shares),
        spearman(differences, shares),
        predicted,
        answers,
    )
