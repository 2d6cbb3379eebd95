"""Distance of ONNX Runtime's maps, whose stem is in 8-bit integers, to those of torch in float32.

    python tools/compare_runtimes.py --data ../shared/data/video-gaze

Compared are the densities of the neural source on every gaze clip, at the source's own instants.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gaze_clips import read_clips
from results import RESULTS, parser_for, save

from stcodec.attention.neural import NeuralSource
from stcodec.attention.neural_options import NeuralOptions
from stcodec.media.clips import read_clip
from stcodec.metrics import saliency as metrics
from stcodec.types import Clip


def compare(clip: Clip) -> dict[str, list[float]]:
    """For each instant: correlation of both densities, and the divergence of the integers' from the other, nats."""
    exact, integers = (NeuralSource(NeuralOptions(device=device)).attend(clip).saliency for device in ("torch", "cpu"))
    pairs = [(metrics.as_density(one), metrics.as_density(other)) for one, other in zip(exact, integers, strict=True)]
    return {
        "cc": [metrics.cc(other, one) for one, other in pairs],
        "kl_nats": [float((one * np.log(one / other)).sum()) for one, other in pairs],
    }


def main() -> None:
    """The command line."""
    parser = parser_for(__doc__, gaze_data=True)
    parser.add_argument("--out", type=Path, default=RESULTS / "neural_runtimes.json", help="the results file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for one in read_clips(given.data, "all"):
        found = compare(read_clip(one.video, NeuralSource.spec))
        rows.append(
            {
                "clip": one.name,
                "maps": len(found["cc"]),
                "cc_mean": round(float(np.mean(found["cc"])), 5),
                "cc_least": round(min(found["cc"]), 5),
                "kl_nats_mean": round(float(np.mean(found["kl_nats"])), 5),
                "kl_nats_largest": round(max(found["kl_nats"]), 5),
            }
        )
        print(rows[-1], flush=True)
    whole = {
        "maps": sum(row["maps"] for row in rows),
        "cc_mean": round(float(np.mean([row["cc_mean"] for row in rows])), 4),
        "cc_least": round(min(row["cc_least"] for row in rows), 4),
        "kl_nats_mean": round(float(np.mean([row["kl_nats_mean"] for row in rows])), 4),
        "kl_nats_largest": round(max(row["kl_nats_largest"] for row in rows), 4),
    }
    save(given.out, schema=1, all=whole, clips=rows)


if __name__ == "__main__":
    main()
