"""What caches keep has a version: it must be raised when the same input makes another content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from artefacts import GOLDENS, MAKERS, Studio

from stcodec.work.cache import open_cache
from stcodec.work.versions import VERSIONS, Artefact, made_by

RECORDED = json.loads(GOLDENS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("artefact", list(VERSIONS))
def test_a_content_that_changes_has_a_new_version(artefact: Artefact, tmp_path: Path) -> None:
    golden = RECORDED[artefact]
    assert golden["version"] == VERSIONS[artefact], "record the new version's content: python tests/artefacts.py"
    with open_cache(tmp_path / "cache") as cache:
        found = MAKERS[artefact](Studio(tmp_path, cache))
    hint = f"caches hold another content of {artefact}: raise its version in stcodec/work/versions.py, and record it"
    assert found.keys() == golden["values"].keys(), hint
    for name, values in found.items():
        # Arithmetic differs a little between processors; a change that anybody would notice is larger.
        assert values == pytest.approx(golden["values"][name], rel=2e-3, abs=3e-3), f"{name}: {hint}"


def test_every_artefact_counts_in_a_key() -> None:
    assert len({made_by(one) for one in VERSIONS} | {made_by(*VERSIONS)}) == len(VERSIONS) + 1


def test_a_raised_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = made_by("maps", "guided"), made_by("plain")
    monkeypatch.setitem(VERSIONS, "maps", VERSIONS["maps"] + 1)
    assert made_by("maps", "guided") != before[0]
    assert made_by("plain") == before[1]
