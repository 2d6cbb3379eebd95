"""Errors carry facts: a program tells them apart by class and attributes, never by words."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import stcodec
from stcodec.encoders.table import ENCODERS, find_encoder
from stcodec.errors import MediaError, MissingFileError, NoSpaceError, OptionsError, StcodecError
from stcodec.media.paths import file_error


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
    ],
)
def test_options_say_what_was_given_and_what_can_be(make: Callable[[], object], value: object, allowed: object) -> None:
    with pytest.raises(stcodec.OptionsError) as caught:
        make()
    assert (caught.value.value, caught.value.allowed) == (value, allowed)
