"""Errors carry facts: a program tells them apart by class and attributes, never by words."""

from __future__ import annotations

import errno
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import stcodec
from stcodec.attention.center import CenterSource
from stcodec.attention.neural_options import NeuralOptions
from stcodec.attention.smoothed import SmoothedSource
from stcodec.batch.ladder import parse_ladder
from stcodec.batch.options import BatchOptions, BatchRun
from stcodec.encoders.table import ENCODERS, find_encoder
from stcodec.errors import MediaError, MissingFileError, NoSpaceError, OptionsError, StcodecError
from stcodec.evaluate.comparison import CompareOptions
from stcodec.evaluate.options import EvaluateOptions, parse_arms
from stcodec.matching.options import MatchOptions
from stcodec.matching.quality import METRICS
from stcodec.media.paths import file_error
from stcodec.stream.options import StreamOptions
from stcodec.viewing.options import SHOWS, PairTestOptions


def test_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        stcodec.encode(tmp_path / "no.mp4", tmp_path / "out.mp4")
    assert (caught.value.path, caught.value.errno) == (tmp_path / "no.mp4", errno.ENOENT)


def test_full_disk(small_disk: Path, bikes: Path) -> None:
    with pytest.raises(NoSpaceError) as caught:
        stcodec.encode(bikes, small_disk / "out.mp4", attention="none", preset="ultrafast")
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, NoSpaceError), (errno.EDQUOT, NoSpaceError), (errno.ENOENT, MissingFileError)]
)
def test_class_by_the_systems_reason(number: int, kind: type[MediaError]) -> None:
    error = file_error("a\nb", "can't be written", OSError(number, os.strerror(number)), "; do this")
    assert type(error) is kind
    assert str(error) == f"a\\nb: can't be written ({os.strerror(number)}); do this"
    assert (error.path, error.errno) == ("a\nb", number)


def test_facts_go_to_other_processes() -> None:
    error: StcodecError = OptionsError("crf is 99: allowed is 0 to 51", value=99, allowed=(0, 51))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is OptionsError
    assert (str(again), again.value, again.allowed) == (str(error), 99, (0, 51))


@pytest.mark.parametrize(
    ("make", "value", "allowed"),
    [
        (lambda: stcodec.OffsetPolicy(strength=3), 3, (0, 2)),
        (lambda: stcodec.OffsetPolicy(anchor="x"), "x", ("attended", "half", "mean")),  # type: ignore[arg-type]
        (lambda: stcodec.EncodeOptions(keyint=0), 0, (1, 1_000_000)),
        (lambda: find_encoder("x"), "x", tuple(ENCODERS)),
        (lambda: find_encoder("libkvazaar"), "libkvazaar", tuple(ENCODERS)),
        (lambda: find_encoder("libx264").check_crf(52), 52, (0, 51)),
        (lambda: BatchOptions(template="{x}"), "{x}", ("stem", "ext", "encoder")),
        (lambda: BatchOptions(ladder=parse_ladder("97p@1M")), 97, (64, 8192)),
        (lambda: BatchOptions(min_saving_percent=100), 100, (0, 100)),
        (lambda: BatchRun(watch_seconds=0), 0, (0.1, 86400)),
        (lambda: MatchOptions(crf=20, tolerance=0), 0, (pytest.approx(0.01), pytest.approx(10))),
        (lambda: MatchOptions(crf=20, metric="x"), "x", tuple(METRICS)),
        (lambda: SmoothedSource(CenterSource(), 61), 61, (0, 60)),
        (lambda: EvaluateOptions(arms=parse_arms([]), scale=2), 2, (0, 1)),
        (lambda: CompareOptions(observers=0), 0, (1, math.inf)),
        (lambda: StreamOptions("a.mp4", ("b.ts",), stall_seconds=0), 0, (0.2, 3600)),
        (lambda: NeuralOptions(balance=math.inf), math.inf, (0, 1)),
        (lambda: PairTestOptions(show="x"), "x", SHOWS),
    ],
)
def test_options_say_what_was_given_and_what_can_be(make: Callable[[], object], value: object, allowed: object) -> None:
    with pytest.raises(stcodec.OptionsError) as caught:
        make()
    assert (caught.value.value, caught.value.allowed) == (value, allowed)
