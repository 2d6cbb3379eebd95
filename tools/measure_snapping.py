"""Measure which rounding of offsets survives x264, which gives a block its neighbour's QP where the two differ by one step.

    python tools/measure_snapping.py CLIP... --out data/results/snapping.json

Each clip is encoded with the centre prior, a key frame every 50 frames, at several roundings; the QP of the blocks of key
frames is read back against a plain encode's.
"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from results import parser_for, save

from stcodec import encode

_FIGURES = ("slope", "correlation", "share_applied", "share_snapped", "share_clipped", "frames", "blocks")


def measure(clip: Path, step_qp: float, preset: str) -> dict[str, Any]:
    """Encode one clip with one rounding; what was found in the file."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mkv"
        report = encode(clip, out, crf=26, preset=preset, attention="center", step_qp=step_qp, keyint=50)
    found = dataclasses.asdict(report.offsets_applied)
    return {
        "clip": clip.name,
        "preset": preset,
        "step_qp": step_qp,
        **{name: found[name] for name in _FIGURES},
        "video_bytes": report.video_bytes,
    }


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--steps", type=float, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--presets", nargs="+", default=["veryfast", "medium"])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = [measure(clip, step, preset) for preset in given.presets for step in given.steps for clip in given.clips]
    for row in rows:
        print(
            f"{row['preset']:10} step {row['step_qp']:g} {row['clip']:24} slope {row['slope']:.2f} "
            f"correlation {row['correlation']:.2f} applied {row['share_applied']:.1%} snapped {row['share_snapped']:.1%}"
        )
    if given.out is not None:
        save(given.out, rows=rows)


if __name__ == "__main__":
    main()
