"""Versions of what is kept in caches."""

from __future__ import annotations

from typing import Literal, get_args

from stcodec.media.packets import library_versions
from stcodec.work.cache import key_of

Artefact = Literal["reference", "maps", "weights", "plain", "guided", "score", "trials"]

VERSIONS: dict[Artefact, int] = {
    "reference": 1,
    "maps": 3,
    "weights": 2,
    "plain": 1,
    "guided": 3,
    "score": 1,
    "trials": 3,
}
"""Of each artefact; raised on purpose, when the same input makes another content: nothing older is found any more then.

tests/test_versions.py fails when a content changes and its version does not. New libraries need no new version: theirs
stand in the keys.
"""
assert set(VERSIONS) == set(get_args(Artefact))


def made_by(*artefacts: Artefact) -> str:
    """Part of the key of a cache entry: the versions of what it holds and is made from, and of the libraries."""
    return key_of(versions={name: VERSIONS[name] for name in artefacts}, libraries=library_versions())
