"""Write the tables in the docs from the results in data/results: what stands between the markers is replaced.

    python tools/make_tables.py [--check]

A table stands between `<!-- table NAME -->` and `<!-- end -->`. With --check nothing is written; exit status 1 if a table
is not what its results say.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from container_table import TABLES as CONTAINERS
from encode_tables import bench_natural, bench_natural_size, bench_natural_sources
from front_tables import TABLES as FRONT
from neural_tables import (
    ablations,
    bench_neural,
    bench_neural_encode,
    confidence,
    neural_input,
    neural_memory,
    neural_runtimes,
    saliency,
)
from results import read, table
from stream_tables import bench_stream_browser, bench_stream_long, bench_stream_memory, bench_stream_readers, live_saving
from viewing_tables import answers_for_shares, intervals

ROOT = Path(__file__).parents[1]
_MARKED = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MARKERS = re.compile(r"<!--\s*table", re.IGNORECASE)


def offset_calibration() -> str:
    """Savings and costs of each arm."""
    head = ["arm", "attended BD-rate", "whole-frame BD-rate", "same CRF: attended", "worst clip", "whole frame", "size"]
    rows = [
        [
            arm["arm"].replace("gaze:GAZE", "gaze of all observers") + ("" if "floor" in arm["arm"] else " floor=0.6"),
            f"{arm['attended_bd_rate_percent']:+.1f} %",
            f"{arm['whole_bd_rate_percent']:+.1f} %",
            f"{arm['same_crf_attended_db']:+.2f} dB",
            f"{arm['same_crf_attended_db_worst_clip']:+.2f} dB",
            f"{arm['same_crf_whole_db']:+.2f} dB",
            f"{arm['same_crf_size_percent']:+.1f} %",
        ]
        for arm in read("offset_calibration")["arms"]
    ]
    return table(head, rows)


def setting_name(name: str) -> str:
    """A setting of the sweeps, which call default what was the default when they were made."""
    return "strength 1.0, floor 0.6" if name == "default" else name.removeprefix("default: ")


def offset_sweep() -> str:
    """What each setting saves viewers, and costs the whole picture, by arm."""
    head = ["setting", "guided by", "clips", "attended BD-rate", "whole-frame BD-rate"]
    rows = [
        [
            setting_name(one["name"]),
            arm,
            f"{scores['clips']}",
            f"{scores['psnr-attended']:+.1f} %",
            f"{scores['psnr-whole']:+.1f} %",
        ]
        for run in read("offset_sweep")["runs"]
        for one in run["settings"]
        for arm, scores in one["arms"].items()
    ]
    return table(head, rows)


def compared(name: str) -> Callable[[], str]:
    """What each setting and arm of a sweep saves and costs, all of them by means over the same clips."""
    labels = {"psnr-attended": "attended PSNR", "psnr-whole": "whole frame, PSNR", "vmaf-whole": "whole frame, VMAF"}

    def build() -> str:
        (run,) = read(name)["runs"]
        found = [(one["name"], arm, scores["compared"]) for one in run["settings"] for arm, scores in one["arms"].items()]
        metrics = [metric for metric in labels if metric in found[0][2]]
        rows = [
            [setting_name(setting), arm, *(f"{means[metric]:+.1f} %" for metric in metrics)]
            for setting, arm, means in found
            if means is not None
        ]
        return table(["setting", "guided by", *(labels[metric] for metric in metrics)], rows)

    return build


def sources() -> str:
    """How well the built-in sources predict gaze."""
    head = ["source", "gain train", "gain dev", "NSS dev", "CC dev", "CPU a map"]
    splits = read("motion_source")["splits"]
    names = {
        "center": "`center`",
        "vectors": "`motion`, vectors of the bitstream",
        "flow": "`motion`, optical flow",
        "vectors_without_pictures": "vectors alone, pictures not looked at (not offered)",
    }
    rows = []
    for key, name in names.items():
        train, dev = (splits[split]["mean"][key] for split in ("train", "dev"))
        cpu = splits["dev"]["cpu_ms_per_map"].get(key)
        rows.append(
            [
                name,
                f"{train['gain_bits']:.2f} bits",
                f"{dev['gain_bits']:.2f} bits",
                f"{dev['nss']:.2f}",
                f"{dev['cc']:.2f}",
                "-" if cpu is None else f"{cpu:.1f} ms",
            ]
        )
    return table(head, rows)


def snapping() -> str:
    """What becomes of offsets rounded to steps."""
    rows = [
        [
            row["preset"],
            f"{row['step_qp']:g}",
            row["clip"],
            f"{row['slope']:.2f}",
            f"{row['correlation']:.2f}",
            f"{row['share_applied']:.1%}",
        ]
        for row in read("snapping")["rows"]
    ]
    return table(["preset", "step", "clip", "slope", "correlation", "applied"], rows)


def headline(name: str) -> Callable[[], str]:
    """Bits saved at the same quality, by arm."""

    def cell(line: dict[str, Any]) -> str:
        low, high = line["interval_95_percent"]
        return f"{line['bd_rate_percent']:+.1f} % [{low:+.1f}, {high:+.1f}]"

    def build() -> str:
        (arms,) = (one["arms"] for one in read(name)["bd_rate_percent"].values())
        metrics = [one for one in ("psnr-attended", "psnr-whole", "vmaf-whole", "psnr-background") if one in arms["human"]]
        labels = {"psnr-attended": "attended PSNR", "psnr-whole": "whole frame, PSNR", "vmaf-whole": "whole frame, VMAF"}
        rows = [
            [arm, *(cell(found[metric]) for metric in metrics), f"{found['psnr-attended']['share_of_human']:.0%}"]
            for arm, found in arms.items()
        ]
        return table(["arm", *(labels.get(one, "background") for one in metrics), "share of the human arm's saving"], rows)

    return build


def match() -> str:
    """How near searches for a quality came, and what they cost."""

    def signed(value: float | None, unit: str, digits: int = 2) -> str:
        # Adding 0 makes a minus zero a zero.
        return "-" if value is None else f"{round(value, digits) + 0:+.{digits}f} {unit}".rstrip()

    rows = []
    for row in read("match")["rows"]:
        unit = {"points": ""}.get(row["unit"], row["unit"])
        low, high = row["shift_qp"]
        rows.append(
            [
                row["clip"] + (", compared whole" if row["verify"] == "full" else ""),
                row["metric"],
                f"{row['shots']}",
                f"{low:+.2f}" if low == high else f"{low:+.2f} to {high:+.2f}",
                signed(row["difference"], unit),
                signed(row["percentile_5_difference"], unit),
                f"{row['encodes_of_a_shot']:.1f}",
                f"{row['cost_in_encodes']:.1f}" + " + 1 correction" * len(row["misses"]),
                signed(-row["saving_percent"], "%", 1),
                signed(row["gaze_difference_db"], "dB"),
            ]
        )
    head = ["clip", "metric", "shots", "shift, QP", "difference", "5th percentile", "tries a shot", "cost", "size", "gaze"]
    return table(head, rows)


def bench_metrics() -> str:
    """How fast frames are scored."""
    found = read("bench_metrics")
    names = {"default": "**the default set**", "stcodec compare": "`stcodec compare`, the default set"}
    rows = [
        [
            names.get(name, name),
            f"{row['frames_per_second']:.0f}",
            f"{row['cpu_ms_per_frame']:.0f} ms",
            f"{row['two_cores_at_most_frames_per_second']:.0f}",
            f"{found['ratios'][name]['cpu'][1]:.2f}" if "ratios" in found else "–",
        ]
        for name, row in found["metrics"].items()
    ]
    speed = f"frames a second at load {found['machine']['load_1_minute']:.0f}"
    return table(["metric", speed, "CPU time a frame", "two cores at most", "CPU time, of before"], rows)


def bench_inspect() -> str:
    """How fast attention is analysed."""
    rows = [
        [
            f"`{name}`",
            f"{row['inspect_cpu_ms_per_frame'] - row['analysis_cpu_ms_per_frame']:.1f} ms",
            f"{row['analysis_cpu_ms_per_frame']:.1f} ms",
            f"{1000 / row['inspect_cpu_ms_per_frame']:.0f}",
        ]
        for name, row in read("bench_inspect")["passes"].items()
    ]
    head = ["source", "decoding, shots and source", "analysis beside it", "frames a second of one core's time, all in"]
    return table(head, rows)


def bench_inspect_films() -> str:
    """Memory and size of a page."""
    rows = [
        [f"`{row['attention']}`", f"{row['film_seconds']} s", f"{row['peak_mib']} MiB", f"{row['page_mb']:.1f} MB"]
        for row in read("bench_inspect")["films"]
    ]
    return table(["source", "video", "memory at most", "page"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "answers_for_shares": answers_for_shares,
    "answer_intervals": intervals,
    "offset_calibration": offset_calibration,
    "offset_sweep": offset_sweep,
    "offset_sweep_encoders": compared("offset_sweep_encoders"),
    "offset_sweep_shapes": compared("offset_sweep_shapes"),
    "ablations": ablations("model_cross_validation"),
    "without_motion": ablations("model_without_motion"),
    "neural_input": neural_input,
    "saliency": saliency,
    "confidence": confidence,
    "neural_memory": neural_memory,
    "bench_neural": bench_neural,
    "bench_neural_encode": bench_neural_encode,
    "neural_runtimes": neural_runtimes,
    "sources": sources,
    "bench_natural": bench_natural,
    "bench_natural_sources": bench_natural_sources,
    "bench_natural_size": bench_natural_size,
    "snapping": snapping,
    "headline": headline("headline"),
    "headline_all": headline("headline_all"),
    "headline_x265": headline("headline_x265"),
    "headline_1080p": headline("headline_1080p"),
    "headline_floors": compared("headline_floors"),
    "match": match,
    "bench_metrics": bench_metrics,
    "bench_inspect": bench_inspect,
    "bench_inspect_films": bench_inspect_films,
    "bench_stream_readers": bench_stream_readers,
    "bench_stream_browser": bench_stream_browser,
    "bench_stream_long": bench_stream_long,
    "bench_stream_memory": bench_stream_memory,
    "live_saving": live_saving,
    **FRONT,
    **CONTAINERS,
}


def filled(text: str) -> str:
    """A document with its tables as the results say. Raises ValueError for a marker that can't be understood."""
    if len(_MARKED.findall(text)) != len(_MARKERS.findall(text)):
        raise ValueError("a table stands between <!-- table NAME --> and <!-- end -->, each on a line of its own")
    return _MARKED.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the tables in the docs from the results in data/results.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a table is stale")
    given = parser.parse_args()
    stale = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            stale.append(path.name)
            if not given.check:
                path.write_text(after, encoding="utf-8")
    print("stale: " + ", ".join(stale) if stale else "all tables are as their results say")
    return 1 if stale and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
