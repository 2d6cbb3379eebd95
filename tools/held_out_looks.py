"""What the network foretells when it looks only at pictures that differ, as it is, on clips that it was not trained on.

    python tools/held_out_looks.py --data ../shared/data/video-gaze --folds build/cv/folds

--folds: a folder with 0/ to 3/, in each the weights of a fold (`fold-N.safetensors` of tools/cross_validate.py --maps) as
attention.safetensors and the graphs that tools/export_model.py makes of them. The saving is not measured by encodes: it
follows from the maps by the model D ~ 2^(dQP/3), R ~ 2^(-dQP/6) with the default policy, at equal attended error. The
setting is stored beside those that are in the results file already.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from cross_validate import SHAPE, track_scores
from gaze_clips import GazeClip, read_clips
from results import command, parser_for
from training_study import FOLDS

from stcodec.attention.neural import NeuralSource
from stcodec.media.clips import read_clip
from stcodec.metrics.saliency import fixation_density
from stcodec.options import OffsetPolicy
from stcodec.pipeline.summary import versions
from stcodec.qp import MapTimeline, QpLaw
from stcodec.qp.grid import block_areas
from stcodec.types import BlockGrid, SaliencyTrack

RESULTS = Path(__file__).parents[1] / "data" / "results" / "held_out_looks.json"
_FIXATION_WIDTH = 1 / 40
"""Standard deviation of a fixation, frame widths."""


def saving_percent(clip: GazeClip, track: SaliencyTrack, start_seconds: float) -> float:
    """Change of the size at equal error where viewers look, by the model, in the mean over a clip's instants."""
    grid = BlockGrid(clip.width_px, clip.height_px, 16)
    law, areas = QpLaw(grid, OffsetPolicy()), block_areas(grid)
    timeline = MapTimeline(reduce=law.blocks)
    timeline.push(track)
    timeline.end()
    found = []
    for now, x, y in clip.instants():
        blocks = timeline.at(start_seconds + now)
        assert blocks is not None
        delta = law.offsets(blocks)
        delta = delta - (delta * areas).sum()
        gaze = law.blocks(np.asarray(fixation_density(SHAPE, x, y, SHAPE[1] * _FIXATION_WIDTH), np.float32)) * areas
        error = float((gaze / gaze.sum() * 2 ** (delta / 3)).sum())
        found.append(100 * (float((areas * 2 ** (-delta / 6)).sum()) * error**0.5 - 1))
    return float(np.mean(found))


def clip_scores(clip: GazeClip, source: NeuralSource) -> dict[str, float]:
    """Scores of a source's maps of a clip."""
    seen = read_clip(clip.video, source.spec)
    track = source.attend(seen)
    scores = track_scores(clip, track, seen.video.start_seconds)
    return {
        "saving_percent": round(saving_percent(clip, track, seen.video.start_seconds), 4),
        **{name: round(scores[name], 4) for name in ("kl", "nss", "cc")},
        "looked_at_share": round(float(track.looks.mean()), 4),
    }


def main() -> None:
    """The command line."""
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--folds", type=Path, required=True, help="folder with the weights and graphs of the four folds")
    parser.add_argument("--name", default="optical flow, pictures that differ", help="of the setting in the results file")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    given = parser.parse_args()
    clips = {one.name: one for one in read_clips(given.data, "all")}
    each: dict[str, dict[str, float]] = {}
    for number, names in enumerate(FOLDS):
        source = NeuralSource(weights=given.folds / str(number) / "attention.safetensors")
        each |= {name: clip_scores(clips[name], source) for name in names}
        print(number, {name: each[name] for name in names}, flush=True)
    keys = next(iter(each.values()))
    mean = {key: round(float(np.mean([one[key] for one in each.values()])), 4) for key in keys}
    print(mean)
    result = json.loads(given.out.read_text(encoding="utf-8"))
    result["settings"][given.name] = {"command": command(), "versions": versions(), "mean": mean, "clips": each}
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
