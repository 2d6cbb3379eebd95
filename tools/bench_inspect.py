"""Measure how fast `inspect` analyses 720p beside its source of attention, its memory, and the size of its page.

    python tools/bench_inspect.py [--rounds 3] --out data/results/bench_inspect.json

The video is data/demo.mp4 (186 frames of 1280x720), for memory and page played on end. The analysis' own time is that of a
pass with it less that of the same pass without, decoding and finding shots counted with the latter. CPU time is that of all
threads; of several rounds the least counts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# As the command does: see stcodec.cli.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from results import DEMO, least_seconds, load, parser_for, save

from stcodec.attention import open_source
from stcodec.diagnose.map_files import GridFile
from stcodec.diagnose.measure import LEAST_RATE, measure
from stcodec.media.clips import export_for
from stcodec.media.decode import VideoReader
from stcodec.media.ffmpeg import find_ffmpeg
from stcodec.pipeline.attend import attend
from stcodec.progress import Meter

FRAMES = 186
SOURCES = ("center", "motion", "neural:device=cpu")
VIDEOS = (("motion", 10), ("motion", 40), ("neural:device=cpu", 10))
"""A source, and how many times the demo plays on end."""


def without_analysis(name: str) -> None:
    """Decode, find shots, make clips and ask the source."""
    source = open_source(name)
    assert source is not None
    with VideoReader(DEMO, export=export_for(source.spec)) as reader:
        spec = source.spec.merge(LEAST_RATE)
        for _ in attend(reader.frames(), reader.info, source, lambda track: None, spec=spec):
            pass


def with_analysis(name: str, folder: Path) -> None:
    """The same, and measure every map."""
    source = open_source(name)
    assert source is not None
    with VideoReader(DEMO) as reader:
        meter = Meter(None, reader.info)
    with GridFile(folder / "maps") as maps:
        measure(DEMO, source, source.spec.merge(LEAST_RATE), maps, meter, False)


def measure_pass(name: str, rounds: int, folder: Path) -> dict[str, float]:
    alone, alone_cpu = least_seconds(lambda: without_analysis(name), rounds)
    both, both_cpu = least_seconds(lambda: with_analysis(name, folder), rounds)
    return {
        "source_frames_per_second": round(FRAMES / alone, 1),
        "inspect_frames_per_second": round(FRAMES / both, 1),
        "analysis_cpu_ms_per_frame": round(1000 * max(0.0, both_cpu - alone_cpu) / FRAMES, 2),
        "inspect_cpu_ms_per_frame": round(1000 * both_cpu / FRAMES, 2),
    }


def measure_video(name: str, times: int, folder: Path) -> dict[str, Any]:
    """A page on the demo, played so many times on end."""
    video, page = folder / f"video-{times}.mp4", folder / "page.html"
    if not video.exists():
        looped = [find_ffmpeg(), "-v", "error", "-stream_loop", str(times - 1), "-i", str(DEMO), "-c", "copy", str(video)]
        subprocess.run(looped, check=True)
    command = ["inspect", str(video), "--attention", name, "--report", str(page), "-y", "-q"]
    code = (
        "import resource, sys; from stcodec.cli import main; status = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return {
        "attention": name.partition(":")[0],
        "film_seconds": round(6.2 * times),
        "wall_seconds": round(time.perf_counter() - began, 1),
        "peak_mib": round(int(done.stdout.split()[-1]) / 1024),
        "page_mb": round(page.stat().st_size / 1e6, 1),
    }


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    passes, films = {}, []
    with tempfile.TemporaryDirectory() as name:
        for source in SOURCES:
            passes[source.partition(":")[0]] = row = measure_pass(source, given.rounds, Path(name))
            print(source, row, flush=True)
        for source, times in VIDEOS:
            films.append(measure_video(source, times, Path(name)))
            print(films[-1], flush=True)
    if given.out is not None:
        save(given.out, machine=load(), size="1280x720", passes=passes, films=films)


if __name__ == "__main__":
    main()
