"""Train the attention network: python -m stcodec.train --images DIR --masks DIR --video DIR --stem FILE.pth --out FILE"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import stcodec
from stcodec.errors import OptionsError, StcodecError
from stcodec.media.output import atomic_output, check_output
from stcodec.media.paths import display_name
from stcodec.model.config import Calibration
from stcodec.model.weights_file import WeightsInfo
from stcodec.train.config import TrainConfig

try:
    import torch

    from stcodec.model.network import AttentionNet
    from stcodec.model.weights import load_stem, save_weights
    from stcodec.train.recipe import Trainer, read_material
except ModuleNotFoundError as error:
    sys.exit(f'stcodec.train: needs {error.name}, which is not installed: pip install "stcodec[train]"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse (the command line's arguments if None), train, save; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    given = _parser().parse_args(arguments)
    try:
        _train(given, shlex.join(["python", "-m", "stcodec.train", *arguments]))
    except StcodecError as error:
        print(f"stcodec.train: {display_name(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stcodec.train: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stcodec.train", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder with fixations.csv and SET/IMAGE files")
    parser.add_argument("--masks", type=Path, required=True, help="folder with manifest.json, NAME.mkv and NAME.mask.mkv")
    parser.add_argument("--video", type=Path, required=True, help="folder with manifest.json, videos/ and fixations/")
    parser.add_argument("--leave-out", nargs="*", default=[], help="clips that are not trained on")
    parser.add_argument(
        "--stem", type=Path, required=True, help="ImageNet weights of EfficientNet-Lite0 (.pth), or stcodec's own"
    )
    parser.add_argument("--out", type=Path, required=True, help="the weights, .safetensors; checkpoints stand beside it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image-steps", type=int, default=TrainConfig().images.steps)
    parser.add_argument("--synthetic-runs", type=int, default=TrainConfig().synthetic_runs, help="0: leave the stage out")
    parser.add_argument("--video-steps", type=int, default=TrainConfig().video.steps)
    parser.add_argument("--temperature", type=float, default=1.0, help="fitted on clips that were left out")
    parser.add_argument("--center-share", type=float, default=0.0, help="fitted on clips that were left out")
    parser.add_argument("--device", default="cpu", help="as torch names it (default: %(default)s)")
    parser.add_argument("-y", action="store_true", help="replace the output if it exists")
    return parser


def _train(given: argparse.Namespace, command: str) -> None:
    target = check_output(given.out, overwrite=given.y, source=given.stem)
    if given.device.startswith("cuda") and (torch.device(given.device).index or 0) >= torch.cuda.device_count():
        raise OptionsError(
            f"device {given.device}: torch sees {torch.cuda.device_count()} GPUs here; use cpu", value=given.device
        )
    base = TrainConfig()
    config = replace(
        base,
        seed=given.seed,
        device=given.device,
        images=replace(base.images, steps=given.image_steps),
        video=replace(base.video, steps=given.video_steps),
        synthetic_runs=given.synthetic_runs,
    )
    net = AttentionNet()
    if load_stem(net.stem, given.stem):
        config = config.with_trained_stem()
    material = read_material(given.images, given.masks, given.video, net.stem, config, given.leave_out)
    curve: list[tuple[str, int, float]] = []

    def report(stage: str, step: int, loss: float) -> None:
        curve.append((stage, step, loss))
        print(f"{stage} {step}: loss {loss:.4f}", file=sys.stderr, flush=True)

    trainer = Trainer(net, material, config, report, target)
    trainer.learn_pictures()
    trainer.learn_motion()
    net = trainer.tune(list(material.clips))
    provenance = {
        "command": command,
        "config": json.dumps(asdict(config)),
        "curve": json.dumps(curve),
        "stem_sha256": hashlib.sha256(given.stem.read_bytes()).hexdigest(),
        "clips": " ".join(material.clips),
        "versions": f"stcodec {stcodec.__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }
    info = WeightsInfo(net.config, Calibration(given.temperature, given.center_share), provenance)
    with atomic_output(target, overwrite=given.y) as temporary:
        info = save_weights(net.cpu(), temporary, info)
    for point in trainer.points():
        point.unlink(missing_ok=True)
    print(json.dumps({"output": target.name, "sha256": info.sha256, "last_loss": curve[-1][2] if curve else None}))


if __name__ == "__main__":
    sys.exit(main())
