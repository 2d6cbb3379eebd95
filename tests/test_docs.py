"""The docs say what is true: tables as measured, commands that exist, links that lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stcodec.cli.command import parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "data" / "README.md"]


def test_tables_are_what_the_results_say() -> None:
    command = [sys.executable, str(ROOT / "tools" / "make_tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_scripts_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`(?:python )?((?:tools|tests|stcodec)/[\w/]+\.(?:py|sh))", page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_commands_of_the_readme_parse() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.split("#")[0].split("&&")[-1].split() for line in text.splitlines() if "stcodec " in line]
    commands = [line[1:] for line in lines if line[:1] == ["stcodec"]]
    assert len(commands) >= 6
    for command in commands:
        parser().parse_args(command)
