"""Video with gaze, as the network sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stcodec.attention.gaze import GazeSource
from stcodec.attention.neural_input import FrameMotion, MotionInput, picture
from stcodec.media.clips import read_clip
from stcodec.model.config import MAPS_PER_SECOND
from stcodec.train.cutouts import manifest_names
from stcodec.train.images import CELLS, INPUT_SHAPE
from stcodec.train.losses import fixation_map
from stcodec.types import Clip, ClipSpec

LEAD_SECONDS = 0.3
"""The first fixation is on the centre of the screen, where the clip was announced."""
LEAST_OBSERVERS = 4
SPEC = ClipSpec(maps_per_second=MAPS_PER_SECOND, thumbnail_side_px=max(INPUT_SHAPE), shots=True)


@dataclass(frozen=True, kw_only=True)
class Instants:
    """T instants of a clip, 5 a second: all that is known of them but the pictures."""

    motion: Tensor
    """[T, 4, H/8, W/8]."""
    score: Tensor
    """[T, H/16, W/16], what the gate goes by."""
    position: Tensor
    """[T, H/16 * W/16, 2] in frame widths, the camera's motion removed."""
    shot: Tensor
    """[T] int64, number of the shot."""
    seconds: Tensor
    """[T]."""
    density: Tensor
    """[T, H/8, W/8] sums to 1; 0 where not scored."""

    def __len__(self) -> int:
        return len(self.seconds)

    def known(self) -> dict[str, Tensor]:
        """The fields of this class, by name."""
        return {one.name: getattr(self, one.name) for one in fields(Instants)}


@dataclass(frozen=True, kw_only=True)
class Recording(Instants):
    """A clip with its pictures."""

    name: str
    pictures: Tensor
    """[T, 3, H, W] float16 in [-1, 1]."""

    def mirrored(self) -> Recording:
        """Left and right exchanged."""
        rows, cols = self.score.shape[1:]
        position = self.position.reshape(-1, rows, cols, 2).flip(2) * torch.tensor([-1.0, 1.0])
        return replace(
            self,
            pictures=self.pictures.flip(3),
            motion=self.motion.flip(3),
            score=self.score.flip(2),
            position=position.flatten(1, 2),
            density=self.density.flip(2),
        )


def read_recordings(folder: Path) -> list[Recording]:
    """The clips of a folder with manifest.json, videos/NAME.avi and fixations/NAME.csv."""
    names = manifest_names(folder, "video with gaze")
    return [read_recording(folder / "videos" / f"{name}.avi", folder / "fixations" / f"{name}.csv") for name in names]


def read_recording(video: Path, gaze: Path) -> Recording:
    """One clip with its gaze."""
    clip = read_clip(video, SPEC)
    assert clip.thumbnails is not None
    fixations = GazeSource(gaze).fixations
    width, height = clip.video.display_width_px, clip.video.display_height_px
    motion = MotionInput(clip.video, INPUT_SHAPE)
    seen = [motion.see(clip, index) for index in range(len(clip))]
    densities = []
    for now in (clip.pts_seconds - clip.pts_seconds[0]).tolist():
        active = (fixations.start_seconds <= now) & (now < fixations.end_seconds)
        x, y = fixations.x_px[active] / width, fixations.y_px[active] / height
        inside = (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
        scored = inside.sum() >= LEAST_OBSERVERS and now >= LEAD_SECONDS
        densities.append(fixation_map(x[inside], y[inside], CELLS) if scored else torch.zeros(CELLS))
    pictures = torch.from_numpy(np.stack([picture(one, INPUT_SHAPE) for one in clip.thumbnails])).half()
    return recording_of(video.stem, pictures, seen, clip, torch.stack(densities))


def recording_of(name: str, pictures: Tensor, seen: Sequence[FrameMotion], clip: Clip, density: Tensor) -> Recording:
    """A recording out of its parts."""
    return Recording(
        name=name,
        pictures=pictures,
        motion=torch.from_numpy(np.stack([one.channels for one in seen])),
        score=torch.from_numpy(np.stack([one.score for one in seen])),
        position=torch.from_numpy(np.stack([one.position for one in seen])),
        shot=torch.from_numpy(np.cumsum(clip.shot_starts)),
        seconds=torch.from_numpy((clip.pts_seconds - clip.pts_seconds[0]).astype(np.float32)),
        density=density,
    )
