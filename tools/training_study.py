"""Networks trained for cross-validation: variants that leave out one part each, by seed and fold, kept in a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from stcodec.attention import motion_energy
from stcodec.attention.global_motion import GlobalMotion
from stcodec.model.config import NetworkConfig
from stcodec.model.network import AttentionNet
from stcodec.model.weights import load_stem
from stcodec.train.clip_features import ClipFeatures
from stcodec.train.config import TrainConfig
from stcodec.train.recipe import Material, Trainer, read_material
from stcodec.train.stages import expect_video
from stcodec.types import FloatArray

FOLDS = (
    ("ParkScene", "Yan", "BasketballDrill", "BasketballDrillText", "Johnny"),
    ("BQTerrace", "Female", "Keiba", "FourPeople", "ChinaSpeed"),
    ("BasketballDrive", "Lee", "PartyScene", "Vidyo1", "Vidyo4"),
    ("Tennis", "Couple", "BQSquare", "BasketballPass", "SlideEditing", "PeopleOnStreet"),
)
"""The clips of one scene together."""


@dataclass(frozen=True)
class Variant:
    """The network and its training, without one part."""

    temporal: bool = True
    gate: bool = True
    """False: all tokens enter the temporal branch, and are let through."""
    camera: bool = True
    """False: the camera's motion is not taken away."""
    pictures: bool = True
    """False: no gaze on pictures is seen, neither still nor in synthetic video."""
    synthetic: bool = True
    motion: bool = True
    """False: nothing that moves is seen. The gate stays shut, and the density of the `motion` source does not count."""

    @property
    def network(self) -> NetworkConfig:
        """How the network is made."""
        return NetworkConfig() if self.gate else NetworkConfig(token_share=1.0)

    def config(self, seed: int) -> TrainConfig:
        """How it is trained."""
        base = TrainConfig(seed=seed, replay=TrainConfig().replay if self.pictures else 0)
        if self.temporal:
            return base
        synthetic, video = (replace(stage, temporal_rate=0.0) for stage in (base.synthetic, base.video))
        return replace(base, synthetic=synthetic, video=video)

    def material(self, whole: Material) -> Material:
        """What it is shown of a material."""
        shown: Callable[[ClipFeatures], ClipFeatures] = (lambda run: run) if self.gate else _ungated
        if not self.motion:
            shown = _motionless
        synthetic = [shown(run) for run in whole.synthetic] if self.synthetic and self.pictures and self.motion else []
        clips = {name: (shown(run), shown(mirrored)) for name, (run, mirrored) in whole.clips.items()}
        return Material(whole.views, synthetic, clips)


VARIANTS = {
    "full": Variant(),
    "without temporal attention": Variant(temporal=False),
    "without the gate": Variant(gate=False),
    "without camera-motion removal": Variant(camera=False),
    "without image pretraining": Variant(pictures=False),
    "without synthetic motion": Variant(synthetic=False),
    "without any motion": Variant(motion=False),
}


class Study:
    """Trains what is not in the folder yet."""

    def __init__(self, data: Path, stem: Path, imagenet: Path | None, folder: Path) -> None:
        """data: the folder with image-gaze, object-masks and video-gaze; stem: as for `python -m stcodec.train`.

        imagenet: a stem that has seen no gaze, for the variants without pictures.
        """
        self._data, self._stem, self._imagenet, self._folder = data, stem, imagenet, folder
        self._wholes: dict[str, Material] = {}

    def material(self, name: str) -> Material:
        """What a variant is shown."""
        variant = VARIANTS[name]
        kind = ("camera" if variant.camera else "raw") + ("" if variant.pictures else "-imagenet")
        if kind not in self._wholes:
            path = self._folder / f"material-{kind}.pt"
            if not path.exists():
                torch.save(self._read(variant), path)
            self._wholes[kind] = torch.load(path, weights_only=False)  # this script's own
        return variant.material(self._wholes[kind])

    def networks(self, name: str, seed: int) -> list[AttentionNet]:
        """A variant by fold: each was not trained on its own."""
        trainer = self._pretrained(name, seed)
        return [self._tuned(trainer, name, seed, fold) for fold in FOLDS]

    def final(self, seed: int) -> AttentionNet:
        """The full network, trained on all clips."""
        return self._tuned(self._pretrained("full", seed), "full", seed, ())

    def _pretrained(self, name: str, seed: int) -> Trainer:
        """A variant's trainer, when the stages before recorded video are done."""
        variant = VARIANTS[name]
        torch.manual_seed(seed)
        net = AttentionNet(variant.network)
        config = variant.config(seed)
        if load_stem(net.stem, self._stem_of(variant)):
            config = config.with_trained_stem()
        trainer = Trainer(net, self.material(name), config, _teller(name, seed))
        if variant.pictures:
            self._kept(f"pictures-{seed}", net, trainer.learn_pictures)
        else:
            expect_video(net)
        self._kept(f"{name}-{seed}", net, trainer.learn_motion)
        return trainer

    def _tuned(self, trainer: Trainer, name: str, seed: int, left_out: Sequence[str]) -> AttentionNet:
        tuned = AttentionNet(trainer.net.config)

        def tune() -> None:
            clips = [clip for clip in self.material(name).clips if clip not in left_out]
            tuned.load_state_dict(trainer.tune(clips).state_dict())

        number = FOLDS.index(tuple(left_out)) if left_out else "all"
        self._kept(f"{name}-{seed}-{number}", tuned, tune)
        return tuned.eval()

    def _stem_of(self, variant: Variant) -> Path:
        if variant.pictures:
            return self._stem
        if self._imagenet is None:
            raise SystemExit("a variant without pictures needs --imagenet: a stem that has seen no gaze")
        return self._imagenet

    def _kept(self, name: str, net: AttentionNet, make: Callable[[], None]) -> None:
        """Fill a network from a file of the folder, or make it so and write the file."""
        path = self._folder / f"{name.replace(' ', '-')}.pt"
        if path.exists():
            net.load_state_dict(torch.load(path, weights_only=True))
        else:
            make()
            torch.save(net.state_dict(), path)

    def _read(self, variant: Variant) -> Material:
        stem = AttentionNet().stem
        load_stem(stem, self._stem_of(variant))
        config = TrainConfig() if variant.pictures else replace(TrainConfig(), views=1, synthetic_runs=0)
        folders = [self._data / name for name in ("image-gaze", "object-masks", "video-gaze")]
        with ExitStack() as stack:
            if not variant.camera:
                stack.enter_context(patch.object(motion_energy, "fit_global_motion", _tripod))
            return read_material(folders[0], folders[1], folders[2], stem, config)


def _ungated(run: ClipFeatures) -> ClipFeatures:
    return replace(run, score=torch.ones_like(run.score))


def _motionless(run: ClipFeatures) -> ClipFeatures:
    return replace(run, motion=torch.zeros_like(run.motion), score=torch.zeros_like(run.score))


def _tripod(velocity: FloatArray, trust: FloatArray) -> GlobalMotion:
    return GlobalMotion(np.zeros(3, np.complex128), 0.0)


def _teller(name: str, seed: int) -> Callable[[str, int, float], None]:
    def tell(stage: str, step: int, loss: float) -> None:
        if step % 20 == 0:
            print(f"{name}, seed {seed}: {stage} {step}: {loss:.4f}", file=sys.stderr, flush=True)

    return tell
