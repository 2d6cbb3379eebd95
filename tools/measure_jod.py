"""FovVideoVDP of the settings of tools/measure_front.py: many encodes in one pass, along several viewers' scanpaths.

    python tools/measure_jod.py --data ../shared/data/video-gaze --maps neural=MAPS --work build/front --observers 2 \
        --only plain balanced --out build/jod.json

takes the options of tools/measure_front.py (but for --metrics) and adds `fvvdp` to the points of a file of its kind. What
is in the file is not measured again, so that a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from headline import clip_files
from measure_front import Setting, add_points, arm_name, chosen_settings, evaluation_of, groups, keep, opened, parsed
from numpy.typing import NDArray
from shared_jod import screening, shared_jods

from stcodec.evaluate.plan import make_plan
from stcodec.evaluate.provenance import all_versions
from stcodec.evaluate.scanpaths import write_scanpaths
from stcodec.evaluate.stages import ClipWork, Stages
from stcodec.evaluate.summary import scores_of
from stcodec.metrics.foveated import VIEWING_DISTANCE
from stcodec.metrics.jod import Screening
from stcodec.work.cache import open_cache
from stcodec.work.workers import Workers

TOGETHER = 24
"""Files in one pass: each holds a quarter of a second in memory."""


class Encode(NamedTuple):
    """One point that is to be scored."""

    setting: Setting
    crf: str
    path: Path
    counts: dict[str, float]


def main() -> None:
    given = parsed(__doc__)
    given.metrics = "psnr"
    given.work.mkdir(parents=True, exist_ok=True)
    chosen, result = chosen_settings(given), opened(given)
    for clip in clip_files(given.data, given.split, given.clips):
        wanted = [one for one in chosen if not _is_known(result, one, clip.stem)]
        if not wanted:
            continue
        work, encodes, versions = encoded(wanted, given, clip)
        result["versions"].update(versions)
        for at in range(0, len(encodes), TOGETHER):
            score(result, work, encodes[at : at + TOGETHER], given.observers)
        keep(result, given.out)
        print(clip.stem, file=sys.stderr, flush=True)
    for name, one in result.get("summary", {}).items():
        print(f"{name:40}", one["bd_rate_percent"].get("fvvdp"))


def _is_known(result: dict[str, Any], setting: Setting, clip: str) -> bool:
    points = result["settings"].get(setting.name, {}).get("points", {}).get(clip, {})
    return bool(points) and all("fvvdp" in one for one in points.values())


def encoded(
    settings: Sequence[Setting], given: argparse.Namespace, clip: Path
) -> tuple[ClipWork, list[Encode], dict[str, str]]:
    """A clip with all its encodes, and the versions that they were made with."""
    found: list[Encode] = []
    with open_cache(given.work / "cache") as cache, Workers(given.jobs or 1, cache.work) as workers:
        for group in groups(settings):
            options = evaluation_of(group, given, [clip])
            stages = Stages(make_plan([str(clip)], options), cache, workers, 1, None)
            (work,) = stages.guided(stages.references())
            names = {arm_name(at, one): one for at, one in enumerate(group)}
            for place, scored in stages.points([work]).items():
                if place.arm in names:
                    made = scored.encoded
                    counts = {"kbps": round(made.kbps, 3), "bytes": made.video_bytes}
                    found.append(Encode(names[place.arm], f"{place.crf:g}", made.path, counts))
            for failure in stages.failures:
                print(f"failed: {failure}", file=sys.stderr)
    return work, found, all_versions({one.setting.encoder: one.path for one in found}.values())


def score(result: dict[str, Any], work: ClipWork, encodes: Sequence[Encode], observers: int) -> None:
    """Measure some encodes of one clip; their scores are added to the results."""
    reference = work.reference.path
    shown = screening(reference, VIEWING_DISTANCE)
    jods = shared_jods(reference, [one.path for one in encodes], shown, looked_at(work, shown, observers), work.scored)
    for one, values in zip(encodes, jods.mean(axis=1), strict=True):
        known = {key: round(value, 4) for key, value in scores_of({"fvvdp": list(values)}, work.scored).items() if value}
        add_points(result["settings"], one.setting, {work.clip.name: {one.crf: {**one.counts, **known}}})


def looked_at(work: ClipWork, shown: Screening, observers: int) -> NDArray[np.float32]:
    """[N, T, 2], px: where so many of the viewers who judge a clip look at each frame."""
    reference = work.reference
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "scanpaths.npy"
        write_scanpaths(reference.original, work.judging.weights, reference.seconds, observers, place)
        shares = np.load(place)
    return np.asarray(shares * (shown.width_px, shown.height_px) - 0.5, np.float32)


if __name__ == "__main__":
    main()
