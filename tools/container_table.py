"""Fate of picture, audio and subtitles of small videos of many kinds, in every container that stcodec writes.

    python tools/container_table.py --out data/results/containers.json

`make_tables.py` makes the tables of `docs/containers.md` of the results. Exit status 1 if a trial is not as it should be.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from container_matrix import OUTPUTS, SOURCES, attempt, attention_for, make_source
from results import parser_for, read, save, table

from stcodec.media.ffmpeg import ffmpeg_version, find_ffmpeg


def kept_of(kind: str) -> Callable[[], str]:
    """What became of each codec of sound ("audio") or of subtitles ("subtitles"), by container."""

    def build() -> str:
        found: dict[str, dict[str, set[str]]] = {}
        for one in read("containers")["trials"]:
            codec = one["codecs"].get(kind.removesuffix("s"))
            if codec is not None:
                outcome = "refused" if one["refusal"] else one[kind].replace("converted to ", "→ ")
                found.setdefault(codec, {}).setdefault(one["output"], set()).add(outcome)
        rows = [
            [f"`{codec}`", *(", ".join(sorted(cells.get(ending, {"-"}))) for ending in OUTPUTS)]
            for codec, cells in sorted(found.items())
        ]
        return table(["", *(f"`{ending}`" for ending in OUTPUTS)], rows)

    return build


def sources() -> str:
    """How many sources of each container came out right, with the codecs of their pictures."""
    trials = read("containers")["trials"]
    rows = []
    for ending in dict.fromkeys(Path(one["source"]).suffix for one in trials):
        own = [one for one in trials if Path(one["source"]).suffix == ending]
        codecs = list(dict.fromkeys(f"`{one['codecs']['video']}`" for one in own))
        cells = []
        for output in OUTPUTS:
            tried = [one for one in own if one["output"] == output]
            cells.append(f"{sum(not one['wrong'] and not one['refusal'] for one in tried)} of {len(tried)}")
        rows.append([f"`{ending}`", ", ".join(codecs), *cells])
    return table(["from", "pictures in", *(f"`{ending}`" for ending in OUTPUTS)], rows)


TABLES: dict[str, Callable[[], str]] = {
    "containers_audio": kept_of("audio"),
    "containers_subtitles": kept_of("subtitles"),
    "containers_sources": sources,
}


def counted(trials: list[dict[str, Any]]) -> dict[str, int]:
    """How many streams were kept, converted and said to be left out; how many files refused, and wrong."""
    outcomes = [one[kind].split()[0] for one in trials for kind in ("audio", "subtitles") if one[kind]]
    counts = {name: outcomes.count(name) for name in ("kept", "converted", "said")}
    return {
        **counts,
        "refused": sum(bool(one["refusal"]) for one in trials),
        "wrong": sum(bool(one["wrong"]) for one in trials),
    }


def main() -> int:
    parser = parser_for(__doc__)
    parser.add_argument("--out", type=Path, help="the results file; default: printed")
    given = parser.parse_args()
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(SOURCES):
            path = make_source(source, Path(folder))
            for ending in OUTPUTS:
                trial = attempt(path, source, ending, Path(folder), attention_for(number, ending))
                for wrong in trial.wrong:
                    print(f"{trial.source} to {ending}: {wrong}", file=sys.stderr)
                trials.append(trial.to_json())
    counts = counted(trials)
    save(given.out, ffmpeg_program=ffmpeg_version(find_ffmpeg()), counts=counts, trials=trials)
    print(f"{len(trials)} combinations: {counts}", file=sys.stderr)
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
