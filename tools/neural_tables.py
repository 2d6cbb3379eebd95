"""The tables about the attention network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from results import read, table

from stcodec.model.config import MAPS_PER_SECOND


def ablations(name: str) -> Callable[[], str]:
    """What parts of the network and of its training add, on clips that were not trained on."""
    return lambda: _variants(read(name)["variants"])


def _variants(variants: dict[str, Any]) -> str:
    rows = []
    for name, one in variants.items():
        mean, difference = one["mean"], one["minus_full"]
        gone = ["", ""] if name == "full" else [_interval(difference["nss"], 2), _interval(difference["cc"], 3)]
        rows.append([name, f"{len(one['by_seed'])}", f"{mean['nss']:.2f}", f"{mean['cc']:.3f}", f"{mean['kl']:.3f}", *gone])
    return table(["", "seeds", "NSS", "CC", "KL, nats", "NSS against full", "CC against full"], rows)


def _interval(found: dict[str, float], digits: int) -> str:
    return f"{found['mean']:+.{digits}f} [{found['low']:+.{digits}f}, {found['high']:+.{digits}f}]"


def neural_input() -> str:
    """What the size of the pictures, their number and a second look give and cost."""
    rows = []
    for one in read("neural_input")["settings"]:
        mean, cost = one["mean"], one["cost_of_a_picture"] * one["maps_per_second"] / MAPS_PER_SECOND
        scores = (f"{mean['nss']:.2f}", f"{mean['cc']:.3f}", f"{mean['kl']:.3f}", _interval(one["minus_first"]["kl"], 3))
        rows.append([one["input"], f"{one['maps_per_second']:g}", f"{cost:.2f}", *scores])
    return table(["pictures", "a second", "cost", "NSS", "CC", "KL, nats", "KL against the first"], rows)


def saliency() -> str:
    """How well sources foretell gaze on all clips, the network's by cross-validation."""
    names = {"neural": "`neural`, unseen clips", "human": "half of the observers predicting the other half"}
    rows = []
    for name, one in read("saliency_scores")["sources"].items():
        mean = one["mean"]["all"]["frame"]
        scores = (f"{mean['nss']:.2f}", f"{mean['auc_judd']:.3f}", f"{mean['cc']:.3f}", f"{mean['gain_bits']:+.2f}")
        rows.append([names.get(name, f"`{name}`"), *scores])
    return table(["source", "NSS", "AUC-Judd", "CC", "information gain, bits"], rows)


def confidence() -> str:
    """What the network expects of its maps of each clip, and what they achieve."""
    rows = [
        [name, f"{one['expected']:.2f}", f"{one['achieved']:.2f}", f"{one['gap_to_people']:+.2f}", *_words(one)]
        for name, one in read("confidence")["clips"].items()
    ]
    return table(["clip", "expected NSS", "achieved NSS", "people are better by", "unsure", "one of the seven"], rows)


def _words(one: dict[str, Any]) -> list[str]:
    return ["yes" if one[key] else "" for key in ("unsure", "weak")]


def neural_memory() -> str:
    """What maps of the seconds before add to a map."""
    found = read("neural_memory")
    rows = []
    for name, one in found["variants"].items():
        powers = one["powers_by_fold"]
        spread = (
            ", ".join(f"{min(each):+.2f} to {max(each):+.2f}" for each in list(zip(*powers, strict=True))[1:])
            if powers
            else ""
        )
        against = [
            "" if name == found["reference"] else _interval(one[group]["minus_reference"][score], 3)
            for group, score in (("all", "kl"), ("weak", "kl"), ("all", "nss"), ("weak", "nss"))
        ]
        rows.append([name, spread, f"{one['all']['mean']['kl']:.3f}", *against])
    head = [
        "",
        "powers of earlier maps, by fold",
        "KL, nats",
        "KL, all 21",
        "KL, the seven",
        "NSS, all 21",
        "NSS, the seven",
    ]
    return table(head, rows)


def bench_neural() -> str:
    """How fast the network is, by run-time, and how near to what the device could do."""
    rows = [
        [
            one["runtime"],
            {"cpu": "CPU, a core", "cuda": "GPU"}[one["device"]],
            f"{one['batch']}",
            *(f"{one[f'{part}_maps_per_second']:,.0f}" for part in ("spatial", "temporal", "network")),
            f"{one['floor_ms_per_map']:.3g} ms, {one['floor_bound_by']}",
            f"{one['share_of_floor_rate']:.0%}",
        ]
        for device in read("bench_neural").values()
        if isinstance(device, dict)
        for one in device["engines"]
    ]
    head = [
        "run-time",
        "device",
        "batch",
        "spatial",
        "temporal",
        "both, maps a second",
        "floor of a map",
        "of the floor's rate",
    ]
    return table(head, rows)


def neural_runtimes() -> str:
    """How near the maps of the integers' run-time stay to those in float32."""
    found = read("neural_runtimes")
    furthest = min(found["clips"], key=lambda row: float(row["cc_least"]))
    shown = {f"all {len(found['clips'])} clips": found["all"], f"the furthest: {furthest['clip']}": furthest}
    rows = [
        [name, f"{one['maps']}", *(f"{one[key]:.4f}" for key in ("cc_mean", "cc_least", "kl_nats_mean", "kl_nats_largest"))]
        for name, one in shown.items()
    ]
    return table(["", "maps", "CC, mean", "CC, least", "KL, nats, mean", "KL, nats, largest"], rows)


def bench_neural_encode() -> str:
    """What attention adds to the CPU time of an encode of the same pictures."""
    rows = [
        [row["clip"], device, "{median:.3f} ({least:.3f}-{largest:.3f})".format(**row["cpu_seconds"])]
        for device, section in read("bench_neural").items()
        if isinstance(section, dict)
        for row in section.get("encode", [])
    ]
    return table(["clip", "network on", "`neural` at strength 0 / `none`, CPU time"], rows)
