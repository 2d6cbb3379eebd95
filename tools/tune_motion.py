"""Tune the motion source on the training clips of a gaze data set, and score it.

    python tools/tune_motion.py --data ../shared/data/video-gaze --search 2
    python tools/tune_motion.py --data ../shared/data/video-gaze --out data/results/motion_source.json

--search goes over the constants of `MotionTuning` so many times, a step up and down each, keeps what raises the mean gain
over the centre prior (both inputs together), prints it, and stops there. The floors that keep pans, noise and
standing pictures dark are no part of the search: gaze clips hold few of those, tests/test_motion.py has them.
Without --search the defaults are scored on the train and the dev split, for each input.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gaze_clips import GazeClip, RealArray, mean_scores, read_clips, scores
from results import parser_for, save

from stcodec.attention.center import center_density, map_shape
from stcodec.attention.motion import MotionSource, MotionWatch
from stcodec.attention.motion_energy import Evidence, MotionMemory, MotionTuning
from stcodec.media.clips import read_clip
from stcodec.pipeline.summary import versions
from stcodec.types import Clip, FloatArray

INPUTS = ("vectors", "flow", "vectors_without_pictures")
SEARCHED = (
    "change_levels",
    "memory_seconds",
    "blur",
    "spread",
    "share",
    "crowd_area",
    "speed_spreads",
    "noise_medians",
    "mass_floor",
)
_STEP = 1.25
_LEAST_GAIN_BITS = 5e-4


@dataclass(frozen=True)
class Replay:
    """A clip's evidence, which does not depend on the tuning, and the fixations to score against."""

    prior: FloatArray
    steps: list[tuple[float, Evidence | None, float]]
    """For each instant: seconds, the evidence of the step that ended there (None at a shot's start) and its length."""
    gaze: list[tuple[float, RealArray, RealArray]]

    def gain_bits(self, tuning: MotionTuning) -> float:
        """Mean gain over the centre prior, bits per fixation."""
        memory = MotionMemory(self.prior, tuning)
        times = np.array([seconds for seconds, _, _ in self.steps])
        wanted = {nearest(times, seconds): (x, y) for seconds, x, y in self.gaze}
        gains = []
        for index, (_, evidence, length) in enumerate(self.steps):
            if evidence is None:
                memory.forget()
            else:
                memory.remember(evidence, length)
            if index in wanted:
                gains.append(scores(memory.density(), self.prior, *wanted[index])["gain_bits"])
        return float(np.mean(gains))


def nearest(times: RealArray, seconds: float) -> int:
    """The instant whose map is on screen about then."""
    return int(np.argmin(np.abs(times - seconds)))


def with_input(clip: Clip, name: str) -> Clip:
    """The clip as the source would see it with this input only; times from the first frame on."""
    return replace(
        clip,
        pts_seconds=clip.pts_seconds - clip.pts_seconds[0],
        thumbnails=None if name == "vectors_without_pictures" else clip.thumbnails,
        motion_vectors=None if name == "flow" else clip.motion_vectors,
    )


def replays(gaze_clips: list[GazeClip]) -> Iterator[Replay]:
    """Each clip's evidence from vectors and from flow."""
    for gaze_clip in gaze_clips:
        clip = read_clip(gaze_clip.video, MotionSource.spec)
        prior = center_density(*map_shape(clip.video))
        for name in ("vectors", "flow"):
            yield Replay(prior, list(_evidence(with_input(clip, name))), list(gaze_clip.instants()))


def _evidence(clip: Clip) -> Iterator[tuple[float, Evidence | None, float]]:
    watch = MotionWatch(clip.video, MotionTuning())
    for index, seconds in enumerate(clip.pts_seconds.tolist()):
        length = watch.see(clip, index)
        if clip.shot_starts[index] or length:
            yield seconds, watch.evidence, length


def search(gaze_clips: list[GazeClip], rounds: int) -> MotionTuning:
    """Coordinate search from the defaults."""
    clips = list(replays(gaze_clips))

    def objective(tuning: MotionTuning) -> float:
        return float(np.mean([clip.gain_bits(tuning) for clip in clips]))

    best = MotionTuning()
    best_gain = objective(best)
    print(f"defaults: {best_gain:.4f} bits")
    for _ in range(rounds):
        for name in SEARCHED:
            for factor in (_STEP, 1 / _STEP):
                tried = replace(best, **{name: min(getattr(best, name) * factor, 0.95 if name == "share" else np.inf)})
                gain = objective(tried)
                if gain > best_gain + _LEAST_GAIN_BITS:
                    best, best_gain = tried, gain
                    print(f"{name} = {getattr(best, name):.4g}: {best_gain:.4f} bits", flush=True)
                    break
    return best


def evaluate(gaze_clips: list[GazeClip]) -> dict[str, Any]:
    """Scores of the centre prior and of each input, per clip and mean, and CPU time per map."""
    per_clip: dict[str, dict[str, dict[str, float]]] = {name: {} for name in ("center", *INPUTS)}
    spent, maps = dict.fromkeys(INPUTS, 0.0), 0
    for gaze_clip in gaze_clips:
        clip = read_clip(gaze_clip.video, MotionSource.spec)
        prior = center_density(*map_shape(clip.video))
        gaze = list(gaze_clip.instants())
        per_clip["center"][gaze_clip.name] = mean_scores([scores(prior, prior, x, y) for _, x, y in gaze])
        maps += len(clip)
        for name in INPUTS:
            seen = with_input(clip, name)
            began = time.process_time()
            track = MotionSource().attend(seen)
            spent[name] += time.process_time() - began
            found = []
            for seconds, x, y in gaze:
                saliency = track.saliency[nearest(seen.pts_seconds, seconds)]
                found.append(scores(saliency / saliency.sum(), prior, x, y))
            per_clip[name][gaze_clip.name] = mean_scores(found)
    return {
        "mean": {name: mean_scores(list(each.values())) for name, each in per_clip.items()},
        "cpu_ms_per_map": {name: round(1000 * spent[name] / maps, 2) for name in INPUTS},
        "per_clip": per_clip,
    }


def main() -> None:
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--search", type=int, default=0, metavar="ROUNDS", help="search on the train split and print")
    parser.add_argument("--splits", nargs="+", default=["train", "dev"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.search:
        print(search(read_clips(given.data, "train"), given.search))
        return
    splits = {split: evaluate(read_clips(given.data, split)) for split in given.splits}
    for split, found in splits.items():
        for name, means in found["mean"].items():
            print(split, name, " ".join(f"{key} {value:.3f}" for key, value in means.items()))
        print(split, "CPU ms per map", found["cpu_ms_per_map"])
    if given.out is not None:
        save(given.out, versions=versions() | {"opencv": cv2.__version__}, tuning=asdict(MotionTuning()), splits=splits)


if __name__ == "__main__":
    main()
