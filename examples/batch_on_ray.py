"""A folder of videos, encoded on a Ray cluster. Needs `pip install 'stcodec[ray]'`.

python examples/batch_on_ray.py IN OUT [ADDRESS]
"""

import sys
from pathlib import Path

from stcodec import EncodeOptions, batch


def main(source: str, output: str, address: str = "auto") -> batch.BatchSummary:
    """Encode all videos below a folder; auto = the cluster that runs on this machine, or one started for the run."""
    options = batch.BatchOptions(encode=EncodeOptions(encoder="libx264", crf=23, attention="motion"))
    return batch.run(Path(source), Path(output), options, batch.BatchRun(ray=address))


if __name__ == "__main__":
    summary = main(*sys.argv[1:])
    print(f"{summary.done} of {summary.files} done, {summary.failed} failed")
