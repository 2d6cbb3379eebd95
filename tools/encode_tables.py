"""The tables about what an encode costs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from results import read, table

_ROWS = (("none", "ffmpeg"), ("neural at 0", "none"), ("neural", "none"), ("neural", "ffmpeg"))
_OTHERS = (("center at 0", "none"), ("center", "none"), ("motion at 0", "none"), ("motion", "none"))
_SIZES = ("ffmpeg", "none", "neural at 0", "neural")


def bench_natural() -> str:
    """Wall and CPU time of encodes of natural film, as ratios within rounds."""
    return _ratios(_ROWS)


def bench_natural_sources() -> str:
    """The same of the other sources."""
    return _ratios(_OTHERS)


def bench_natural_size() -> str:
    """Peak memory, and when the first packets are in the file."""
    runs = read("bench_encode")["natural"]["runs"]
    rows = []
    for clip in dict.fromkeys(run["clip"] for run in runs):
        of_clip = [run for run in runs if run["clip"] == clip]
        peaks = [_median(of_clip, arm, "peak_rss_mib", "{:.0f} MiB") for arm in _SIZES]
        rows.append([clip, *peaks, *(_median(of_clip, arm, "first_packet_seconds", "{:.1f} s") for arm in _SIZES)])
    return table(["clip", *(f"{arm}, peak" for arm in _SIZES), *(f"{arm}, first packets" for arm in _SIZES)], rows)


def _median(runs: Sequence[dict[str, Any]], arm: str, quantity: str, text: str) -> str:
    values = [run[quantity] for run in runs if run["arm"] == arm and run[quantity] is not None]
    return text.format(statistics.median(values)) if values else ""


def _ratios(pairs: Sequence[tuple[str, str]]) -> str:
    found = {(one["clip"], one["arm"], one["to"]): one for one in read("bench_encode")["natural"]["ratios"]}
    rows = []
    for clip in dict.fromkeys(clip for clip, *_ in found):
        cells = [found.get((clip, *pair)) for pair in pairs]
        if any(cells):
            rows.append([clip, *("" if one is None else _cell(one) for one in cells)])
    return table(["clip", *(f"{arm} / {to}: wall, CPU" for arm, to in pairs)], rows)


def _cell(one: dict[str, Any]) -> str:
    wall, cpu = one["wall_seconds"], one["cpu_seconds"]
    return f"{wall['median']:.3f} ({wall['least']:.3f}-{wall['largest']:.3f}), {cpu['median']:.3f}"
