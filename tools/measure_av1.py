"""Measure what a map buys in AV1, by preset and strength: BD-rates of human-guided encodes against plain ones.

    python tools/measure_av1.py --data ../shared/data/video-gaze --out data/results/av1.json

Half of the observers guide, the other half judge (`stcodec evaluate --arms plain,human`); means over the clips.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from stcodec.pipeline.summary import versions

CLIPS = ("ParkScene", "Yan", "BasketballDrill", "FourPeople")
SETTINGS = (
    *(("10", "half", 1.0, 0.9), ("8", "half", 1.0, 0.9), ("6", "half", 1.0, 0.9), ("10", "half", 1.0, 0.95)),
    *(("8", "half", 1.0, 0.95), ("10", "mean", 1.0, 0.9), ("8", "mean", 1.0, 0.9), ("6", "mean", 1.0, 0.9)),
    *(("10", "attended", 0.25, 0.6), ("10", "attended", 1.0, 0.6), ("8", "attended", 0.25, 0.6)),
    *(("8", "attended", 1.0, 0.6), ("6", "attended", 0.25, 0.6), ("10", "mean", 0.5, 0.6), ("8", "mean", 0.5, 0.6)),
)
"""Preset, anchor, strength and floor."""
_METRICS = ("psnr-attended", "psnr-whole", "psnr-foveated", "vmaf-attended", "vmaf-whole")


def measure(
    data: Path, folder: Path, preset: str, anchor: str, strength: float, floor: float, frames: int
) -> dict[str, Any]:
    """The mean BD-rates of one setting."""
    report = folder / f"{preset}-{anchor}-{strength:g}-{floor:g}"
    clips = [str(data / "videos" / f"{name}.avi") for name in CLIPS]
    words = ["--encoder", "libsvtav1", "--preset", preset, "--crf", "27,35,43,51", "--arms", "plain,human", "--half"]
    words += ["--frames", str(frames), "--strength", str(strength), "--anchor", anchor, "--floor", str(floor)]
    words += ["--step-qp", "0", "--metrics", "psnr,vmaf"]
    words += ["--gaze", str(data / "fixations"), "--report", str(report), "--cache", str(folder / "cache"), "-y", "-q"]
    subprocess.run([sys.executable, "-m", "stcodec", "evaluate", *clips, *words], check=True)
    found: dict[str, dict[str, float | None]] = {name: {} for name in _METRICS}
    for one in json.loads((report / "results.json").read_text())["savings"]:
        if one["metric"] in found:
            found[one["metric"]][one["clip"]] = one["bd_rate_percent"]
    means = {
        name: fmean(known) if (known := [x for x in of.values() if x is not None]) else None for name, of in found.items()
    }
    return {
        "preset": preset,
        "anchor": anchor,
        "strength": strength,
        "floor": floor,
        "bd_rate_percent": means,
        "per_clip": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder with videos/ and fixations/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=40)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for preset, anchor, strength, floor in SETTINGS:
            rows.append(measure(given.data, Path(folder), preset, anchor, strength, floor, given.frames))
            print(json.dumps(rows[-1]["bd_rate_percent"]), flush=True)
            command = "python tools/measure_av1.py " + " ".join(sys.argv[1:])
            result = {"command": command, "versions": versions(), "clips": CLIPS, "frames": given.frames, "rows": rows}
            given.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
