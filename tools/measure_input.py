"""Gain and cost of the network's input: the size of its pictures, how many a second, and a second look at larger ones.

    python tools/measure_input.py --data ../shared/data/video-gaze --maps build/cv/maps

--maps: the folder that tools/cross_validate.py --maps wrote; each clip is seen by the network it was held out of. These were
trained on 320x192 and five instants a second, which the other settings have against them. The second look is at pictures of
640x384: a quarter of what the spatial branch's log density becomes by it is added. The cost is the ratio of a core's own
time for the spatial branch of the shipped graphs, medians of interleaved rounds; nothing else should be running.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from cross_validate import difference, track_scores
from gaze_clips import GazeClip, mean_scores, read_clips
from numpy.typing import NDArray
from results import command, parser_for
from torch import Tensor
from torch.nn import functional as F
from training_study import FOLDS

from stcodec.attention import neural, neural_input
from stcodec.attention.neural_engine import BranchLogits, FrameOutput, GatedFrame, Look
from stcodec.attention.neural_onnx import OnnxEngine
from stcodec.attention.neural_options import NeuralOptions
from stcodec.attention.neural_torch import TorchEngine
from stcodec.media.clips import read_clip
from stcodec.model.config import INPUT_AREA_PX, MAPS_PER_SECOND
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.pipeline.summary import versions
from stcodec.types import FloatArray

RESULTS = Path(__file__).parents[1] / "data" / "results" / "neural_input.json"
LARGER = (640, 384)
SHARE = 0.25
"""Of the second look."""
_SCORES = ("nss", "cc", "kl", "gain_bits")
_FRAME = (1280, 720)
_ROUNDS, _PICTURES = 9, 8


@dataclass(frozen=True)
class Setting:
    """How the network is shown a video."""

    width_px: int = 320
    height_px: int = 192
    """Of frames of 16:9; others get about this area."""
    maps_per_second: float = MAPS_PER_SECOND
    looks_twice: bool = False

    @property
    def name(self) -> str:
        """For people."""
        size = f"{self.width_px}x{self.height_px}"
        return f"{size} and {LARGER[0]}x{LARGER[1]}" if self.looks_twice else size


SETTINGS = (
    Setting(),
    Setting(256, 160),
    Setting(384, 224),
    Setting(480, 288),
    Setting(*LARGER),
    Setting(looks_twice=True),
    Setting(maps_per_second=2.5),
    Setting(maps_per_second=4.0),
    Setting(maps_per_second=8.0),
)


@contextmanager
def input_of(width_px: int, height_px: int) -> Iterator[None]:
    """The network's input has about this area."""
    with patch.object(neural_input, "INPUT_AREA_PX", width_px * height_px):
        neural_input.input_shape.cache_clear()
        try:
            yield
        finally:
            neural_input.input_shape.cache_clear()


class SecondLook:
    """An engine that sees larger pictures of the same frames, too."""

    def __init__(self, engine: TorchEngine) -> None:
        self.info = engine.info
        self._engine = engine
        self.larger: list[FloatArray] = []
        """Of the frames that come next, in order."""

    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        """The spatial branch, its logits moved by a share of what the larger pictures say."""
        count = len(pictures)
        seen = zip(self._engine.frames(pictures), self._engine.frames(self.larger[:count]), strict=True)
        del self.larger[:count]
        return [FrameOutput(one.middle, one.logits + SHARE * _beside(large.logits, one.logits)) for one, large in seen]

    def tokens(self, gated: Sequence[GatedFrame]) -> list[Any]:
        """As the engine's."""
        return list(self._engine.tokens(gated))

    def fuse(self, looks: Sequence[Look], shares: bool = False) -> list[BranchLogits]:
        """As the engine's."""
        return self._engine.fuse(looks, shares)


def _beside(large: Tensor, small: Tensor) -> Tensor:
    """Log density of the larger picture, on the grid of the smaller, less that of the smaller."""
    log_large, log_small = (torch.log_softmax(one.flatten(), 0).reshape(one.shape) for one in (large, small))
    resized = F.interpolate(log_large.reshape(1, 1, *large.shape[-2:]), size=small.shape[-2:], mode="bilinear")
    return resized.reshape(small.shape) - log_small


def clip_scores(clip: GazeClip, weights: Path, setting: Setting) -> dict[str, float]:
    """What the source scores on a clip, seen so."""
    plain = TorchEngine(weights, "cpu")
    engine: TorchEngine | SecondLook = plain
    side = LARGER[0] if setting.looks_twice else max(setting.width_px, setting.height_px)
    spec = replace(neural.NeuralSource.spec, thumbnail_side_px=side, maps_per_second=setting.maps_per_second)
    seen = read_clip(clip.video, spec)
    assert seen.thumbnails is not None
    video = seen.video
    if setting.looks_twice:
        engine = SecondLook(plain)
        with input_of(*LARGER):
            larger_shape = neural_input.input_shape(video.display_width_px, video.display_height_px)
    with ExitStack() as stack:
        if isinstance(engine, SecondLook):
            larger = engine.larger

            def both(thumbnail: NDArray[np.uint8], shape: tuple[int, int]) -> FloatArray:
                """The input of a picture that is looked at; the larger one is kept for the second look."""
                larger.append(neural_input.picture(thumbnail, larger_shape))
                return neural_input.picture(thumbnail, shape)

            stack.enter_context(patch.object(neural, "picture", both))
        stack.enter_context(input_of(setting.width_px, setting.height_px))
        stack.enter_context(patch.object(neural, "open_engine", lambda *_: engine))
        track = neural.NeuralSource(NeuralOptions(device="torch"), weights).attend(seen)
    return track_scores(clip, track, video.start_seconds)


def costs() -> dict[str, float]:
    """A core's own time for the spatial branch by size, in that of 320x192."""
    engine = OnnxEngine(WEIGHTS_PATH)
    sizes = {one.name: (one.width_px, one.height_px) for one in SETTINGS if not one.looks_twice}
    pictures: dict[str, FloatArray] = {}
    for name, size in sizes.items():
        with input_of(*size):
            pictures[name] = np.zeros((3, *neural_input.input_shape(*_FRAME)), np.float32)
    spent: dict[str, list[float]] = {name: [] for name in sizes}
    for _ in range(_ROUNDS):
        for name, one in pictures.items():
            engine.frames([one])
            begun = time.thread_time()
            engine.frames([one] * _PICTURES)
            spent[name].append(time.thread_time() - begun)
    medians = {name: float(np.median(each)) for name, each in spent.items()}
    first = medians[Setting().name]
    return {name: round(median / first, 2) for name, median in medians.items()}


def main() -> None:
    """The command line."""
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--maps", type=Path, required=True, help="folder with fold-N.safetensors")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    assert SETTINGS[0].width_px * SETTINGS[0].height_px == INPUT_AREA_PX
    clips = read_clips(given.data, "all")
    weights = {name: given.maps / f"fold-{number}.safetensors" for number, fold in enumerate(FOLDS) for name in fold}
    cost = costs()
    cost[Setting(looks_twice=True).name] = round(1 + cost[Setting(*LARGER).name], 2)
    rows: list[dict[str, Any]] = []
    by_clip: list[dict[str, dict[str, float]]] = []
    for setting in SETTINGS:
        by_clip.append({one.name: clip_scores(one, weights[one.name], setting) for one in clips})
        first, this = by_clip[0], by_clip[-1]
        each = {key: [np.array([found[one.name][key] for one in clips]) for found in (first, this)] for key in _SCORES}
        rows.append(
            {
                "input": setting.name,
                "maps_per_second": setting.maps_per_second,
                "cost_of_a_picture": cost[setting.name],
                "mean": mean_scores(list(this.values())),
                "minus_first": {key: difference(*pair) for key, pair in each.items()},
                "clips": this,
            }
        )
        print(setting, rows[-1]["mean"], flush=True)
    result = {
        "command": command(),
        "versions": versions() | {"torch": torch.__version__},
        "protocol": "held-out networks of one seed; 192x256 cells, one instant a second, 8 or more observers",
        "settings": rows,
    }
    given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
