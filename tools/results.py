"""Shared by the scripts: their command lines, the results files that they write, and the tables made of those."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from stcodec.pipeline.summary import versions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "data" / "results"
DEMO = ROOT / "data" / "demo.mp4"


def parser_for(doc: str | None, *, gaze_data: bool = False) -> argparse.ArgumentParser:
    """A parser for a script with this docstring; gaze_data: with --data, a folder of clips with recorded gaze."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    if gaze_data:
        parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json, videos/ and fixations/")
    return parser


def portable(text: str) -> str:
    """A text without the folders of this machine: of every absolute path only the last part stays."""
    return re.sub(r"(?<![\w.])/(?:[^/\s=,]+/)+", "", text)


def command() -> str:
    """The command line of the script that runs."""
    return portable(shlex.join(["python", f"tools/{Path(sys.argv[0]).name}", *sys.argv[1:]]))


def load() -> dict[str, Any]:
    """The machine, and how busy it is."""
    return {"cores": os.cpu_count(), "system": platform.system(), "load_1_minute": os.getloadavg()[0]}


def save(path: Path | None, /, **fields: Any) -> None:
    """Write a results file with the command and the versions; print it if there is no path."""
    text = json.dumps({"command": command(), "versions": versions(), **fields}, indent=1) + "\n"
    if path is None:
        print(text, end="")
    else:
        path.write_text(text, encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """A file of results."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def least_seconds(job: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least wall and CPU time of a job in some rounds; CPU time is that of all threads and of finished child processes."""

    def spent() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    walls, cpus = [], []
    for _ in range(rounds):
        began, before = time.perf_counter(), spent()
        job()
        walls.append(time.perf_counter() - began)
        cpus.append(spent() - before)
    return min(walls), min(cpus)
