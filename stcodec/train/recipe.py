"""The whole of training: what is read, once, and the stages one after another."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from stcodec.model.network import AttentionNet
from stcodec.model.stem import Stem
from stcodec.train.clip_features import ClipFeatures, features_of
from stcodec.train.config import TrainConfig
from stcodec.train.cutouts import read_cutouts
from stcodec.train.images import read_images
from stcodec.train.recordings import read_recordings
from stcodec.train.stages import Report, train_clips, train_images
from stcodec.train.synthetic import synthetic_clip
from stcodec.train.views import Views, read_views

_VIEW_SEED, _SYNTHETIC_SEED = 0, 77
"""The same views and synthetic clips for every seed of the training."""


@dataclass(frozen=True)
class Material:
    """Training material, as a stem with ImageNet weights sees it."""

    views: Views
    synthetic: Sequence[ClipFeatures]
    clips: Mapping[str, tuple[ClipFeatures, ClipFeatures]]
    """By name: as it is, and mirrored."""


def read_material(
    images: Path, masks: Path, video: Path, stem: Stem, config: TrainConfig, leave_out: Collection[str] = ()
) -> Material:
    """Read pictures with gaze, video with masks and video with gaze; leave_out: clips with gaze that are not wanted."""
    pictures = read_images(images)
    views = read_views(pictures, stem, config.views, _VIEW_SEED)
    cutouts = read_cutouts(masks) if config.synthetic_runs else []
    synthetic = [
        features_of(
            synthetic_clip(pictures, cutouts, config.instants, np.random.default_rng((_SYNTHETIC_SEED, number))), stem
        )
        for number in range(config.synthetic_runs)
    ]
    clips = {
        one.name: (features_of(one, stem), features_of(one.mirrored(), stem))
        for one in read_recordings(video)
        if one.name not in leave_out
    }
    return Material(views, synthetic, clips)


class Trainer:
    """A network on its way through the stages, on a material and with a configuration."""

    def __init__(
        self, net: AttentionNet, material: Material, config: TrainConfig, report: Report, checkpoints: Path | None = None
    ) -> None:
        """checkpoints: a path to which the name of the stage is added; a run that was broken off goes on from there."""
        self.net = net
        self._material = material
        self._config = config
        self._report = report
        self._checkpoints = checkpoints

    def learn_pictures(self) -> None:
        """The first stage, pictures with gaze."""
        train_images(self.net, self._material.views, self._config, self._report, self._point("images"))

    def learn_motion(self) -> None:
        """The second stage, synthetic video; nothing if there is none."""
        if self._material.synthetic and self._config.synthetic.trains:
            clips = [(self._seen(one),) for one in self._material.synthetic]
            point = self._point("synthetic")
            train_clips(self.net, "synthetic", clips, self._pictures, self._config, self._report, point)

    def tune(self, names: Collection[str]) -> AttentionNet:
        """The last stage, on the clips of these names: a network of its own; the trainer's stays as it was."""
        net = copy.deepcopy(self.net)
        clips = [tuple(self._seen(one) for one in self._material.clips[name]) for name in names]
        train_clips(net, "video", clips, self._pictures, self._config, self._report, self._point("video"))
        return net

    def points(self) -> list[Path]:
        """Checkpoints that may be there."""
        return [one for stage in ("images", "synthetic", "video") if (one := self._point(stage)) is not None]

    def _seen(self, clip: ClipFeatures) -> ClipFeatures:
        """A clip as the stem sees it by now."""
        return clip.through(self.net.stem) if self._config.trains_stem else clip

    @cached_property
    def _pictures(self) -> Views:
        """Two views of each picture, more or less, as the stem sees them by now."""
        views = self._material.views
        some = views.sample(2 * len(views) // max(1, self._config.views), np.random.default_rng(_VIEW_SEED))
        return some.through(self.net.stem) if self._config.trains_stem else some

    def _point(self, stage: str) -> Path | None:
        return None if self._checkpoints is None else self._checkpoints.with_suffix(f".{stage}.checkpoint")
