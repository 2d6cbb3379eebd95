"""What would the attention network gain from its own maps of the seconds before?

    python tools/measure_memory.py --data ../shared/data --work build/cv --out data/results/neural_memory.json

On the held-out maps of tools/cross_validate.py (--work: its folder), of which no network had seen the clip. Each variant
multiplies a map with powers of earlier maps of the shot, or with what a small convolutional network makes of them. Powers
and network are fitted on the clips of the other folds (KL to the density of the fixations) and judged on the fold that is
left out. A power below 0 is inhibition of return. "gaze" takes the recorded gaze of the seconds before, which nobody has: an
upper bound for any memory of where people looked. Scores are on the network's own grid, of all instants with enough
fixations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from cross_validate import averaged, calibrated, difference, held_out
from fit_confidence import weak_clips
from numpy.typing import NDArray
from results import parser_for, save
from torch import Tensor, nn
from training_study import FOLDS, Study

from stcodec.model.config import MEAN_SECONDS
from stcodec.model.weights_file import WEIGHTS_PATH, read_info
from stcodec.train.clip_features import ClipFeatures
from stcodec.train.losses import correlation

SPANS = {"0.5 s": (0.0, 0.5), "0.5 to 2 s": (0.5, 2.0), "2 to 4 s": (2.0, 4.0), "2 s": (0.0, 2.0), "4 s": (0.0, 4.0)}
"""How long before an instant the maps are that are averaged."""
RECENT = ("0.5 s", "0.5 to 2 s", "2 to 4 s")
POWERS: Mapping[str, Sequence[str]] = {
    "sharpness fitted again": (),
    "mean of 2 s before": ("2 s",),
    "mean of 4 s before": ("4 s",),
    "three spans of up to 4 s": RECENT,
    "gaze of 2 s before": ("gaze",),
}
"""Maps whose powers are fitted beside the map's own, by variant."""
NETWORK = "small network on the three spans"
REFERENCE = "sharpness fitted again"
STEPS, BATCH, DROPOUT, CHANNELS = 240, 32, 0.5, 8
SCORES = ("nss", "cc", "kl")


class Memory(NamedTuple):
    """What is known at the scored instants of a clip."""

    maps: Mapping[str, Tensor]
    """[T, h, w] logarithms of maps: "now", by span, and "gaze"; all the same where nothing is known."""
    truth: Tensor
    """[T, h, w] density of the fixations."""


def memory_of(run: ClipFeatures, densities: NDArray[np.float32]) -> Memory:
    """The maps of a clip [T, h, w] and those before them."""
    maps = torch.from_numpy(densities)
    found = {name: _before(run, maps, span) for name, span in SPANS.items()}
    found |= {"now": maps.log(), "gaze": _before(run, run.density, SPANS["2 s"])}
    return Memory({name: one[run.scored] for name, one in found.items()}, run.density[run.scored])


def _before(run: ClipFeatures, maps: Tensor, span: tuple[float, float]) -> Tensor:
    """[T, h, w] log of the mean of a shot's maps that are so long before each instant, mixed with a uniform one."""
    age = run.seconds[:, None] - run.seconds[None, :]
    taken = (age > span[0] + 0.01) & (age <= span[1] + 0.01) & (run.shot[:, None] == run.shot[None, :])
    taken &= maps.flatten(1).sum(1)[None, :] > 0
    total = torch.einsum("ts,shw->thw", taken.float(), maps)
    uniform = 1 / maps[0].numel()
    mean = total / taken.sum(1).clamp(min=1)[:, None, None]
    return torch.where(taken.any(1)[:, None, None], 0.9 * mean + 0.1 * uniform, torch.full_like(mean, uniform)).log()


def loss_of(logits: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """KL of maps [N, h, w] to the densities of fixations, nats but for those densities' own entropy; weight: [N], sum 1."""
    each = -(truth.flatten(1) * torch.log_softmax(logits.flatten(1), 1)).sum(1)
    return (each * weight).sum()


def _weight(learnt: Sequence[Memory]) -> Tensor:
    """[N] of their instants: each clip weighs the same."""
    return torch.cat([torch.full((len(one.truth),), 1 / len(one.truth) / len(learnt)) for one in learnt])


def by_powers(learnt: Sequence[Memory], spans: Sequence[str], other: Sequence[Memory]) -> tuple[list[Tensor], list[float]]:
    """Logits of other clips, and the powers: of the map itself, then of the spans."""
    names = ("now", *spans)
    known = torch.stack([torch.cat([one.maps[name] for one in learnt]) for name in names], -1)
    truth, weight = torch.cat([one.truth for one in learnt]), _weight(learnt)
    power = torch.tensor([1.0, *(0.0 for _ in spans)], requires_grad=True)
    descent = torch.optim.LBFGS([power], max_iter=25, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        descent.zero_grad()
        found = loss_of(known @ power, truth, weight)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    descent.step(loss)  # type: ignore[no-untyped-call]
    fitted = power.detach()
    logits = [torch.stack([one.maps[name] for name in names], -1) @ fitted for one in other]
    return logits, [round(float(one), 3) for one in fitted]


def by_network(learnt: Sequence[Memory], other: Sequence[Memory]) -> list[Tensor]:
    """Logits of other clips by a small network on the map and those before; in training some of those are left out."""
    torch.manual_seed(0)
    last = nn.Conv2d(CHANNELS, 1, 1)
    nn.init.zeros_(last.weight)
    first, second = nn.Conv2d(1 + len(RECENT), CHANNELS, 3, padding=1), nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
    net = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=STEPS)

    def seen(one: Memory) -> Tensor:
        maps = torch.stack([one.maps[name] for name in ("now", *RECENT)], 1)
        return maps + float(np.log(maps[0, 0].numel()))

    maps, truth, chance = torch.cat([seen(one) for one in learnt]), torch.cat([one.truth for one in learnt]), _weight(learnt)
    for _ in range(STEPS):
        drawn = torch.multinomial(chance, BATCH)
        kept = torch.ones(BATCH, 1 + len(RECENT), 1, 1)
        kept[:, 1:] = (torch.rand(BATCH, len(RECENT), 1, 1) > DROPOUT).float()
        shown, wanted = maps[drawn] * kept, truth[drawn]
        if torch.rand(()) < 0.5:
            shown, wanted = shown.flip(-1), wanted.flip(-1)
        loss = loss_of(shown[:, 0] + net(shown)[:, 0], wanted, torch.full((BATCH,), 1 / BATCH))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return [one[:, 0] + net(one)[:, 0] for one in map(seen, other)]


def scores_of(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """Mean scores of a clip."""
    density, wanted = torch.softmax(logits.flatten(1), 1), truth.flatten(1)
    deviation = (density - density.mean(1, keepdim=True)) / density.std(1, keepdim=True)
    shown = {
        "nss": (deviation * wanted).sum(1),
        "cc": correlation(density, wanted),
        "kl": (wanted * ((wanted + 1e-12).log() - density.log())).sum(1),
    }
    return {name: float(one.mean()) for name, one in shown.items()}


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="as for tools/cross_validate.py")
    parser.add_argument("--work", type=Path, required=True, help="folder of tools/cross_validate.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(given.data, WEIGHTS_PATH, None, given.work)
    maps, calibration = held_out(study, "full", given.seed, given.work), read_info(WEIGHTS_PATH).calibration
    known = {
        name: memory_of(run, averaged(calibrated(maps[name], calibration), run, MEAN_SECONDS))
        for name, (run, _) in study.material("full").clips.items()
    }
    scored: dict[str, dict[str, dict[str, float]]] = {name: {} for name in (*POWERS, NETWORK)}
    powers: dict[str, list[list[float]]] = {name: [] for name in POWERS}
    for fold in FOLDS:
        learnt, other = [one for name, one in known.items() if name not in fold], [known[name] for name in fold]
        found = {NETWORK: by_network(learnt, other)}
        for variant, spans in POWERS.items():
            found[variant], fitted = by_powers(learnt, spans, other)
            powers[variant].append(fitted)
        for variant, logits in found.items():
            scored[variant] |= {name: scores_of(one, known[name].truth) for name, one in zip(fold, logits, strict=True)}
    groups = {"all": list(known), "weak": weak_clips(list(known))}

    def column(variant: str, group: Sequence[str], score: str) -> NDArray[np.float64]:
        return np.array([scored[variant][name][score] for name in group])

    def row(variant: str, group: Sequence[str]) -> dict[str, Any]:
        mean = {score: round(float(column(variant, group, score).mean()), 4) for score in SCORES}
        against = {score: difference(column(REFERENCE, group, score), column(variant, group, score)) for score in SCORES}
        return {"mean": mean, "minus_reference": against}

    save(
        given.out,
        torch=torch.__version__,
        seed=given.seed,
        folds=FOLDS,
        reference=REFERENCE,
        weak=groups["weak"],
        variants={
            variant: {"powers_by_fold": powers.get(variant)} | {name: row(variant, group) for name, group in groups.items()}
            for variant in scored
        },
    )


if __name__ == "__main__":
    main()
