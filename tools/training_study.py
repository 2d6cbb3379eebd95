"""Networks trained for cross-validation: variants that leave out one part each, by seed and fold, kept in a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
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
from stcodec.model.stem import load_imagenet
from stcodec.train.config import TrainConfig
from stcodec.train.recipe import Material, Trainer, read_material
from stcodec.train.runs import Run
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
        shown: Callable[[Run], Run] = (lambda run: run) if self.gate else _ungated
        synthetic = [shown(run) for run in whole.synthetic] if self.synthetic and self.pictures else []
        clips = {name: (shown(run), shown(mirrored)) for name, (run, mirrored) in whole.clips.items()}
        return Material(whole.views, synthetic, clips)


VARIANTS = {
    "full": Variant(),
    "without temporal attention": Variant(temporal=False),
    "without the gate": Variant(gate=False),
    "without camera-motion removal": Variant(camera=False),
    "without image pretraining": Variant(pictures=False),
    "without synthetic motion": Variant(synthetic=False),
}


class Study:
    """Trains what is not in the folder yet."""

    def __init__(self, data: Path, stem: Path, folder: Path) -> None:
        """data: the folder with image-gaze, object-masks and video-gaze; stem: ImageNet weights of EfficientNet-Lite0."""
        self._data, self._stem, self._folder = data, stem, folder
        self._wholes: dict[bool, Material] = {}

    def material(self, name: str) -> Material:
        """What a variant is shown."""
        camera = VARIANTS[name].camera
        if camera not in self._wholes:
            path = self._folder / f"material-{'still' if camera else 'raw'}.pt"
            if not path.exists():
                torch.save(self._read(camera), path)
            self._wholes[camera] = torch.load(path, weights_only=False)  # this script's own
        return VARIANTS[name].material(self._wholes[camera])

    def network(self, name: str, seed: int, fold: int) -> AttentionNet:
        """A variant that was not trained on a fold."""
        variant, material = VARIANTS[name], self.material(name)
        net = AttentionNet(variant.network)
        trainer = Trainer(net, material, variant.config(seed), _teller(name, seed))

        def pretrain() -> None:
            torch.manual_seed(seed)
            net.load_state_dict(AttentionNet(variant.network).state_dict())
            load_imagenet(net.stem, self._stem)
            if variant.pictures:
                self._kept(f"pictures-{seed}", net, trainer.learn_pictures)
            trainer.learn_motion()

        def tune() -> None:
            net.load_state_dict(trainer.tune([clip for clip in material.clips if clip not in FOLDS[fold]]).state_dict())

        self._kept(f"{name}-{seed}", net, pretrain)
        self._kept(f"{name}-{seed}-{fold}", net, tune)
        return net.eval()

    def _kept(self, name: str, net: AttentionNet, make: Callable[[], None]) -> None:
        """Fill a network from a file of the folder, or make it so and write the file."""
        path = self._folder / f"{name.replace(' ', '-')}.pt"
        if path.exists():
            net.load_state_dict(torch.load(path, weights_only=True))
        else:
            make()
            torch.save(net.state_dict(), path)

    def _read(self, camera: bool) -> Material:
        stem = AttentionNet().stem
        load_imagenet(stem, self._stem)
        with ExitStack() as stack:
            if not camera:
                stack.enter_context(patch.object(motion_energy, "fit_global_motion", _tripod))
            folders = [self._data / name for name in ("image-gaze", "object-masks", "video-gaze")]
            return read_material(folders[0], folders[1], folders[2], stem, TrainConfig())


def _ungated(run: Run) -> Run:
    return replace(run, score=torch.ones_like(run.score))


def _tripod(velocity: FloatArray, trust: FloatArray) -> GlobalMotion:
    return GlobalMotion(np.zeros(3, np.complex128), 0.0)


def _teller(name: str, seed: int) -> Callable[[str, int, float], None]:
    def tell(stage: str, step: int, loss: float) -> None:
        if step % 20 == 0:
            print(f"{name}, seed {seed}: {stage} {step}: {loss:.4f}", file=sys.stderr, flush=True)

    return tell
